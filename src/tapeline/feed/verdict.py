"""What one try came to, and what the vendor said of it.

In: an answer.  Out: whether another try may help and when; the vendor's own words in one line.
Refuses to repeat a secret that a vendor repeats, and a server's wish to be left alone for hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Outcome
from tapeline.core.types import NS_PER_S
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.request import Request

_LONGEST_PAUSE_S = 3_600.0
"""A server that asks for more silence than this is asked again anyway."""
_LONGEST_WORDS = 8_192
"""Of a refusal, this much is read."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of one try.

    ``ok`` is for the breaker; ``wait_until_ns`` is None when another try would be pointless; ``size`` is the body.
    """

    outcome: Outcome[Any]
    ok: bool | None
    wait_until_ns: int | None = None
    size: int = 0


class TooLarge(Exception):
    """The body exceeds the bound."""


class _Words(msgspec.Struct):
    """What went wrong."""

    message: str


class _Refusal(msgspec.Struct):
    """What vendors say when they refuse: at the top, or as OpenAI does under ``error``."""

    message: str = ""
    error: _Words | str | None = None

    @property
    def words(self) -> str:
        """Whichever is there; empty for neither."""
        said = self.error.message if isinstance(self.error, _Words) else self.error
        return self.message or said or ""


def message(response: Response, host: Host, request: Request) -> str:
    """Return the vendor's own words on a refusal: one printable line of bounded length, without our secrets."""
    try:
        text = decode(response, _Refusal).words
    except BadMessage:
        text = ""
    if not text:
        text = response.body[:_LONGEST_WORDS].decode("utf-8", "replace")
    text = request.redact(host.redact(text[:_LONGEST_WORDS]))
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())[:200] or "no message"


def retry_after_ns(response: Response, now_ns: int) -> int:
    """Return when a refused request may be sent again, by the server's word or a whole second from now."""
    after_s, reset_s = response.number("retry-after"), response.number("x-ratelimit-reset")
    if after_s is None:
        after_s = 1.0 if reset_s is None else max(1.0, reset_s - now_ns / NS_PER_S)
    return now_ns + round(min(after_s, _LONGEST_PAUSE_S) * NS_PER_S)
