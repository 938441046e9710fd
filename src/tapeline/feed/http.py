"""The nouns of asking over HTTP: who is asked, what came back, what it cost.

In: a vendor's address and keys; its answer.  Out: frozen values that every adapter shares.
Refuses to show a key: secret headers are left out of every text form.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from tapeline.core.errors import BadMessage, ConfigError
from tapeline.core.outcome import Outcome
from tapeline.core.types import Label
from tapeline.feed.limiter import SlidingWindowLimiter

T = TypeVar("T")

LABEL_HEADER = "x-tapeline-label"
"""Set by the simulator: where the numbers of an answer come from. A vendor's own host does not know it."""
LATENCY_HEADER = "x-replay-latency-ms"
"""Set by the simulator: how long the answer would have taken, in milliseconds of the logical clock."""
SERVED_HEADER = "x-replay-now-ms"
"""Set by the simulator: when it counted the request, in milliseconds of the logical clock."""
SHARED_STEP_NS = 20_000_000
"""A simulator's time is asked for in steps of 20 ms; when it is further ahead, somebody else has moved it."""


MIN_SECRET = 4
"""Characters of the shortest secret; blotting out anything shorter would garble every text and hide nothing."""


@dataclass(frozen=True, slots=True)
class Host:
    """Somebody we ask.

    Attributes
    ----------
    name
        What adapters and statistics call it, e.g. ``"alpaca.data"``. Two names may share an address: vendors count
        their data and their trading API apart.
    base_url
        http or https address; paths are appended to it.
    limiter
        Counts every request, page and retry that goes there.
    secret_headers
        Sent with every request, shown nowhere.
    """

    name: str
    base_url: str
    limiter: SlidingWindowLimiter
    secret_headers: Mapping[str, str] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        parts = urlsplit(self.base_url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(
                f"the address of {self.name} is {self.base_url!r}: it must begin with http:// or https://"
            )

    @property
    def is_local(self) -> bool:
        """True when it runs on this machine, where no proxy of the environment has a place."""
        return urlsplit(self.base_url).hostname in ("127.0.0.1", "::1", "localhost")

    def redact(self, text: str) -> str:
        """Return ``text`` with every secret of this host blotted out."""
        for value in self.secret_headers.values():
            for secret in (value, value.rpartition(" ")[2]):  # "Bearer abc": the token alone, too
                text = text.replace(secret, "***") if len(secret) >= MIN_SECRET else text
        return text


@dataclass(frozen=True, slots=True)
class Refusal(Outcome[T]):
    """An error that lies in the question: the host works, and asking the same again changes nothing. A part may do."""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete answer, its body decoded from any transfer encoding.

    Attributes
    ----------
    status
        HTTP status.
    headers
        Names in lower case.
    body
        At most ``feed.max_response_mb``.
    received_ns
        When it was complete, on the injected clock.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_ns: int

    @property
    def label(self) -> Label:
        """Where its numbers come from; a vendor that does not say sends real ones."""
        name = self.headers.get(LABEL_HEADER, Label.REAL.value)
        try:
            return Label(name)
        except ValueError:
            raise BadMessage(f"{LABEL_HEADER} is {name[:40]!r}, which is no label") from None

    def number(self, header: str) -> float | None:
        """Return a header's number, or None when it is absent or no finite number of zero or more."""
        try:
            number = float(self.headers.get(header, "nan"))
        except ValueError:
            return None
        return number if 0.0 <= number < 1e15 else None


@dataclass(slots=True)
class HostStats:
    """What one host was asked and what came of it; counts since the gateway was built.

    Attributes
    ----------
    requests, of_circuit
        Sent, pages and retries included; in all, and of each circuit.
    retries
        Of those, further tries.
    limited
        Answers 429.
    refused
        Not sent: open breaker, no slot before the deadline.
    cache_hits, shared
        Answered from the cache; answered by a request that was already in the air.
    timeouts, failures
        Tries that timed out; tries that failed in any way, timeouts included.
    received_bytes
        Bodies after decoding.
    """

    requests: int = 0
    retries: int = 0
    limited: int = 0
    refused: int = 0
    cache_hits: int = 0
    shared: int = 0
    timeouts: int = 0
    failures: int = 0
    received_bytes: int = 0
    of_circuit: Counter[str] = field(default_factory=Counter)


def decode(response: Response, shape: type[T]) -> T:
    """Return the JSON body as ``shape``; fields it does not name are skipped.

    Raises
    ------
    BadMessage
        When the body is no JSON or has another shape; the text names the place.
    """
    try:
        return msgspec.json.decode(response.body, type=shape)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BadMessage(str(error)[:200]) from None
    except RecursionError:
        raise BadMessage("its JSON is nested without end") from None
