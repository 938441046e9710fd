"""One question to a vendor: enough to send it, to name it and to tell it from any other.

In: path, parameters, body, headers.  Out: a frozen ``Request`` with its identity.
Refuses to show a secret: headers and parameters that carry one are cut out of every text.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from tapeline.feed.http import MIN_SECRET

Params = Mapping[str, str | int]
Pairs = tuple[tuple[str, str], ...]

SECRET_NAME = re.compile(r"auth|cookie|key|passw|secret|token", re.IGNORECASE)
"""Headers with such a name carry a secret."""


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked.

    Attributes
    ----------
    method
        ``GET`` or ``POST``.
    path, params
        Where; parameters by name.
    body, media_type
        What is sent along; empty for a plain read.
    headers
        Sent with this request alone, by name in lower case.
    is_safe
        May be sent again, shared and kept: every read, and a POST of which the caller says so.
    circuit
        The part of the host whose breaker counts.
    accept
        Statuses besides 2xx that the caller understands.
    deadline_ns
        When the caller gives up.
    """

    method: str
    path: str
    params: Pairs
    circuit: str
    accept: AbstractSet[int]
    deadline_ns: int
    is_safe: bool = True
    body: bytes = b""
    media_type: str = ""
    headers: Pairs = field(default=(), repr=False)

    @property
    def identity(self) -> str:
        """The question in one line; the same for every copy of it."""
        read = f"{self.path}?{'&'.join(f'{name}={value}' for name, value in self.params)}"
        if self.method == "GET":
            return read
        return f"{self.method} {read} {hashlib.sha256(self.body).hexdigest()}"

    @property
    def key(self) -> tuple[object, ...]:
        """Everything an answer depends on."""
        return (self.method, self.path, self.params, self.body, self.headers)

    def sent_headers(self) -> dict[str, str]:
        """Return the headers of this request alone."""
        media = {"content-type": self.media_type} if self.media_type else {}
        return {**media, **dict(self.headers)}

    def redact(self, text: str) -> str:
        """Return ``text`` with the secrets in this request's headers blotted out."""
        for name, value in self.headers:
            if SECRET_NAME.search(name):
                for secret in (value, value.rpartition(" ")[2]):  # "Bearer abc": the token alone, too
                    text = text.replace(secret, "***") if len(secret) >= MIN_SECRET else text
        return text


def build_request(
    path: str,
    params: Params | None,
    *,
    method: str,
    json: Any,
    form: Mapping[str, str] | None,
    headers: Mapping[str, str] | None,
    is_safe: bool,
    circuit: str,
    accept: AbstractSet[int],
    deadline_ns: int,
) -> Request:
    """Return the request.

    Raises
    ------
    ValueError
        For a method that is neither GET nor POST, a body on a GET, or two bodies.
    """
    if method not in ("GET", "POST"):
        raise ValueError(f"method is {method!r}: choose GET or POST")
    if (json is not None and form is not None) or (method == "GET" and (json is not None or form is not None)):
        raise ValueError(f"a {method} of {path} may hold {'one body' if method == 'POST' else 'no body'}")
    body, media_type = b"", ""
    if json is not None:
        body, media_type = msgspec.json.encode(json), "application/json"
    if form is not None:
        body, media_type = urlencode(sorted(form.items())).encode(), "application/x-www-form-urlencoded"
    return Request(
        method=method,
        path=path,
        params=tuple(sorted((name, str(value)) for name, value in (params or {}).items())),
        circuit=circuit,
        accept=accept,
        deadline_ns=deadline_ns,
        is_safe=is_safe or method == "GET",
        body=body,
        media_type=media_type,
        headers=tuple(sorted((name.lower(), value) for name, value in (headers or {}).items())),
    )
