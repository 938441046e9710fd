"""Alpaca's words on the wire: bars, moments, symbols, timeframes, page tokens, errors.

In: query strings.  Out: checked values and encodable structs.  Refuses with the vendor's own status and message.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from msgspec import Struct

from tapeline.core.types import DAY_S, MINUTE_S, NS_PER_S
from tapeline.sim.clock import new_york_ns

MAX_LIMIT = 10_000
DEFAULT_LIMIT = 1_000
SYMBOL = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,14}")
MOMENT = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ](\d{2}:\d{2}(?::\d{2})?)(?:\.(\d{1,9})\d*)?(Z|z|[+-]\d{2}:\d{2})?",
    re.ASCII,
)
FAR_NS = 2**62
"""Moments beyond the year 2116 mean "as late as there is"; they would not fit an int64."""
INTRADAY_MIN = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, 60)
"""Bar lengths in minutes that divide the hour, so that every bar starts where the vendor's does."""


class WireError(Exception):
    """A request that the vendor would refuse: its status, its message and its own error code, if it has one."""

    def __init__(self, status: int, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code

    def body(self) -> dict[str, int | str]:
        """Return what the vendor's JSON says."""
        return {"message": self.message} if self.code is None else {"code": self.code, "message": self.message}


class WireBar(Struct, frozen=True):
    """One bar as Alpaca spells it. ``n`` and ``vw`` are null in past daily bars, whose source does not tell them."""

    t: str
    o: float
    h: float
    l: float  # noqa: E741 - the vendor's name
    c: float
    v: int | float
    n: int | None
    vw: float | None


def wire_bar(t: str, numbers: list[float]) -> WireBar:
    """Return the bar that starts at ``t`` with numbers in the order of ``BAR_FIELDS``; NaN becomes null."""
    o, h, low, c, v, vw, n = numbers
    return WireBar(t, o, h, low, c, int(v) if v == int(v) else v, None if n != n else int(n), None if vw != vw else vw)


@lru_cache(maxsize=4096)
def to_rfc3339(moment_ns: int) -> str:
    """Return a moment as the vendor writes it, e.g. ``2010-05-06T13:30:00Z``; fractions only where there are any."""
    seconds, fraction = divmod(moment_ns, NS_PER_S)
    text = dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%S")
    return f"{text}.{fraction:09d}".rstrip("0") + "Z" if fraction else text + "Z"


def parse_moment_ns(text: str, name: str) -> int:
    """Return a moment in UTC nanoseconds from RFC 3339, or the midnight in New York that begins a plain date."""
    try:
        if len(text) == 10:
            return new_york_ns(dt.date.fromisoformat(text))
        match = MOMENT.fullmatch(text)
        if match is None:
            raise ValueError
        day, time, fraction, zone = match.groups()
        moment = dt.datetime.fromisoformat(f"{day}T{time}{(zone or 'Z').upper()}")
        moment_ns = int(moment.timestamp()) * NS_PER_S + int((fraction or "0").ljust(9, "0"))
        return min(max(moment_ns, -FAR_NS), FAR_NS)
    except (ValueError, OverflowError):
        raise WireError(400, f"invalid {name}: {text}") from None


def parse_symbols(text: str, spelling: re.Pattern[str] = SYMBOL) -> tuple[str, ...]:
    """Return the symbols of a comma-separated list, sorted and without repeats, as the vendor answers them."""
    symbols = sorted({part.strip() for part in text.split(",")} - {""})
    if not symbols:
        raise WireError(400, "symbols is required")
    for symbol in symbols:
        check_symbol(symbol, spelling)
    return tuple(symbols)


def check_symbol(symbol: str, spelling: re.Pattern[str] = SYMBOL) -> str:
    """Return ``symbol`` if it is spelt like one."""
    if spelling.fullmatch(symbol) is None:
        raise WireError(400, f"invalid symbol: {symbol}")
    return symbol


def parse_timeframe_s(text: str) -> int:
    """Return the length of a bar in seconds: minutes that divide the hour, one hour or one day."""
    match = re.fullmatch(r"(\d{1,2})(Min|T|Hour|H|Day|D)", text, re.ASCII)
    if match is None:
        raise WireError(400, f"invalid timeframe: {text}")
    count, unit = int(match[1]), match[2][0]
    if unit == "D" and count == 1:
        return DAY_S
    minutes = count * 60 if unit == "H" else count
    if unit == "D" or minutes not in INTRADAY_MIN:
        raise WireError(400, f"invalid timeframe: {text}")
    return minutes * MINUTE_S


def parse_choice(params: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return one of ``choices``; the first is the default."""
    value = params.get(name) or choices[0]
    if value not in choices:
        raise WireError(400, f"invalid {name}: {value}")
    return value


@dataclass(frozen=True, slots=True)
class PageToken:
    """The last bar that was served: the next page goes on after it."""

    symbol: str
    event_ns: int

    def encode(self) -> str:
        """Return the token as an opaque string."""
        return base64.urlsafe_b64encode(f"{self.symbol}|{self.event_ns}".encode()).decode()

    @staticmethod
    def decode(text: str) -> PageToken:
        """Return the token that ``encode`` made."""
        try:
            symbol, event_ns = base64.urlsafe_b64decode(text.encode()).decode().split("|")
            return PageToken(symbol, int(event_ns))
        except (ValueError, binascii.Error):
            raise WireError(400, "invalid page_token") from None


@dataclass(frozen=True, slots=True)
class BarQuery:
    """A checked request for bars; ``start_ns`` and ``end_ns`` are both inclusive and compare with the bar's start."""

    symbols: tuple[str, ...]
    timeframe_s: int
    start_ns: int
    end_ns: int
    limit: int
    descending: bool
    adjustment: str
    after: PageToken | None

    @staticmethod
    def parse(
        params: Mapping[str, str], symbols: tuple[str, ...], *, default_start_ns: int, default_end_ns: int
    ) -> BarQuery:
        """Read the vendor's parameters. Raises WireError for what the vendor refuses."""
        start, end, token = params.get("start"), params.get("end"), params.get("page_token")
        start_ns = parse_moment_ns(start, "start") if start else default_start_ns
        end_ns = parse_moment_ns(end, "end") if end else default_end_ns
        if start and end and end_ns < start_ns:
            raise WireError(400, "end should not be before start")
        if params.get("asof"):
            parse_moment_ns(params["asof"], "asof")
        return BarQuery(
            symbols,
            parse_timeframe_s(params.get("timeframe", "1Min")),
            start_ns,
            end_ns,
            parse_limit(params.get("limit")),
            parse_choice(params, "sort", ("asc", "desc")) == "desc",
            parse_choice(params, "adjustment", ("raw", "split", "all")),
            PageToken.decode(token) if token else None,
        )


def parse_limit(text: str | None) -> int:
    """Return how many bars one page may hold, over all symbols."""
    if not text:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_LIMIT:
        raise WireError(400, f"invalid limit: {text}")
    return int(text)
