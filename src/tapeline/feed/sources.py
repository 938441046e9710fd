"""What the poller and the history fetch need of a vendor, and how symbols are put into requests.

In: symbols, frames.  Out: batches that fit into one request's URL; frames in one.
Refuses a symbol that no URL could carry.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable
from urllib.parse import quote

import numpy as np

from tapeline.core.errors import BadInput, ConfigError
from tapeline.core.outcome import Outcome
from tapeline.core.types import BarFrame, Label, Tick

MAX_SYMBOLS_BYTES = 7_000
"""Length of the encoded symbol list: servers refuse request lines over about 8 KB, the rest is for the other fields."""
PAGE_ROWS = 10_000
"""Rows of one page at most, over all symbols together, not per symbol."""

_REALNESS = (Label.REAL, Label.REPAIRED, Label.BRIDGED, Label.RESAMPLED, Label.SIMULATED)


class BarSource(Protocol):
    """A vendor of bars that are polled."""

    @property
    def name(self) -> str:
        """Who it is, for outcomes and messages."""
        ...

    @property
    def feed(self) -> str:
        """The vendor's feed that every bar comes from."""
        ...

    @property
    def pages(self) -> int:
        """Pages received since it was built."""
        ...

    @property
    def requests(self) -> int:
        """Requests sent since it was built, pages and retries included."""
        ...

    async def fetch_bars(
        self,
        symbols: Sequence[str],
        start_ns: int,
        end_ns: int,
        timeframe: str = "1Min",
        *,
        deadline_ns: int | None = None,
    ) -> Outcome[BarFrame]:
        """Return every bar that starts in [start_ns, end_ns), all pages or none; an empty frame when nothing traded."""
        ...


@dataclass(frozen=True, slots=True)
class Newest:
    """The newest closed bar of each symbol that has one, and, of snapshots, its newest price, bid and ask."""

    frame: BarFrame
    quotes: tuple[Tick, ...] = ()

    def within(self, start_ns: int, end_ns: int) -> BarFrame:
        """Return the bars that start in [start_ns, end_ns): a symbol that has not traded since shows an older one."""
        return self.frame.take((self.frame.event_ns >= start_ns) & (self.frame.event_ns < end_ns))


class FetchNewest(Protocol):
    """Asks for the newest of each symbol of one batch: one row a symbol, no pages."""

    def __call__(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Awaitable[Outcome[Newest]]:
        """Return it, or why there is none."""
        ...


@runtime_checkable
class NewestSource(Protocol):
    """A vendor that can tell the newest bar of many symbols at once."""

    async def fetch_latest(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Return the newest bar of each symbol."""
        ...

    async def fetch_snapshots(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Return the newest bar, trade and quote of each symbol."""
        ...


def newest_of(source: object, mode: str) -> FetchNewest | None:
    """Return what a mode asks of a source besides bars. Raises ConfigError when the source does not have it."""
    if mode == "bars":
        return None
    if not isinstance(source, NewestSource):
        raise ConfigError(f"feed.mode is {mode!r}, but this vendor only has bars: choose bars")
    return source.fetch_latest if mode == "latest" else source.fetch_snapshots


class DailySource(Protocol):
    """A vendor of daily history."""

    @property
    def name(self) -> str:
        """Who it is, for outcomes and messages."""
        ...

    @property
    def feed(self) -> str:
        """The vendor's feed that every bar comes from."""
        ...

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        """Return the daily bars from ``first`` to ``last``, both included, all pages or none."""
        ...


def batches(symbols: Iterable[str], size: int) -> list[tuple[str, ...]]:
    """Cut symbols into requests, sorted, each at most ``size`` symbols and ``MAX_SYMBOLS_BYTES`` of URL.

    Raises
    ------
    BadInput
        For an empty symbol or one with a comma or a character that is not printable ASCII.
    """
    cut: list[list[str]] = []
    length = 0
    for symbol in sorted(set(symbols)):
        if not symbol or "," in symbol or not (symbol.isascii() and symbol.isprintable()) or " " in symbol:
            raise BadInput(f"{symbol!r} cannot be a symbol: expected printable characters without space or comma")
        cost = len(quote(symbol, safe="")) + 3  # the comma between two symbols becomes %2C
        if not cut or len(cut[-1]) >= size or length + cost > MAX_SYMBOLS_BYTES:
            cut.append([])
            length = 0
        cut[-1].append(symbol)
        length += cost
    return [tuple(batch) for batch in cut]


def least_real(labels: Iterable[Label]) -> Label:
    """Return the label that promises least: what a table of several origins may be called. Empty is ``REAL``."""
    return max(labels, key=_REALNESS.index, default=Label.REAL)


def join_frames(frames: Sequence[BarFrame], *, as_of_ns: int) -> BarFrame:
    """Join frames of one timeframe and feed, rows by (event_ns, symbol); the whole is named after its least real part.

    Empty frames have no say in the label, unless all are.
    """
    label = least_real(frame.label for frame in [frame for frame in frames if len(frame)] or frames)
    whole = BarFrame.concat([replace(frame, label=label) for frame in frames], as_of_ns=as_of_ns)
    return whole.take(np.lexsort((np.array(whole.symbols, dtype=np.str_), whole.event_ns)))
