"""What one cycle of the poller brought, joined and named.

In: the frames of its batches.  Out: one frame for each feed, by (event_ns, symbol), and who had no trade.
Refuses to mix feeds in one frame, and to call bridged numbers real.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tapeline.core.outcome import Outcome
from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame, Label, Tick
from tapeline.feed.sources import join_frames

MINUTE_NS = MINUTE_S * NS_PER_S


@dataclass(frozen=True, slots=True)
class PollReport:
    """What one cycle brought.

    Attributes
    ----------
    frame
        Closed bars of the main feed, by (event_ns, symbol). ``as_of_ns`` is how far the feed is known to reach: no
        batch will bring an earlier bar, except for symbols in ``missing``. Later cycles bring theirs, older than that
        frame's ``as_of_ns``.
    requests, pages
        Sent and received for this cycle, retries included in requests.
    missing
        (symbol, reason) of every symbol whose batch failed; its minutes are asked for again.
    no_trade
        Symbols without a bar in the last minute of the frame, though others of their feed have one; for sure once that
        minute was read a second time.
    outcomes
        Of the batches that were asked, in order; without value where symbols are missing.
    started_ns, ended_ns
        When the cycle began and ended, on the clock.
    others
        Bars that came from another feed than the main one, a frame for each feed.
    quarantined
        (symbol, the vendor's word, when it is tried again) of those that were refused in this cycle.
    quotes
        Newest price, bid and ask of each symbol, in the mode ``snapshots``.
    alerts
        What a person should look at, one sentence each.
    """

    frame: BarFrame
    requests: int
    pages: int
    missing: tuple[tuple[str, str], ...]
    no_trade: tuple[str, ...]
    outcomes: tuple[Outcome[BarFrame], ...]
    started_ns: int
    ended_ns: int
    others: tuple[BarFrame, ...] = ()
    quarantined: tuple[tuple[str, str, int], ...] = ()
    quotes: tuple[Tick, ...] = ()
    alerts: tuple[str, ...] = ()

    @property
    def frames(self) -> tuple[BarFrame, ...]:
        """All frames, the main feed's first."""
        return (self.frame, *self.others)


@dataclass(frozen=True, slots=True)
class Part:
    """Symbols that were asked for [start_ns, end_ns) in one request, and answered."""

    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int
    frame: BarFrame


def empty_frame(feed: str, label: Label, as_of_ns: int) -> BarFrame:
    """Return a frame of minute bars without rows."""
    none = np.zeros(0)
    return BarFrame(
        MINUTE_S, feed, label, as_of_ns, (), np.zeros(0, np.int64), none, none, none, none, none, none, none
    )


def by_feed(frames: Iterable[BarFrame], main: str, label: Label, as_of_ns: int) -> tuple[BarFrame, ...]:
    """Join frames by feed, the main feed's first, be it empty.

    Each is by (event_ns, symbol) and named after its least real part.
    """
    filled: dict[str, list[BarFrame]] = {main: []}
    for frame in frames:
        if len(frame):
            filled.setdefault(frame.feed, []).append(frame)
    joined = [
        join_frames(found, as_of_ns=as_of_ns) if found else empty_frame(main, label, as_of_ns)
        for found in filled.values()
    ]
    return tuple(joined)


def without_trade(as_of_ns: int, parts: Iterable[Part]) -> tuple[str, ...]:
    """Return who was asked for the last minute before ``as_of_ns`` and has no bar of it, though another symbol of the
    same feed has one; when nobody has one, it may not be out yet."""
    last_ns = as_of_ns - MINUTE_NS
    asked: dict[str, set[str]] = {}
    traded: dict[str, set[str]] = {}
    for part in parts:
        if part.start_ns <= last_ns < part.end_ns:
            rows = np.flatnonzero(part.frame.event_ns == last_ns)
            asked.setdefault(part.frame.feed, set()).update(part.symbols)
            traded.setdefault(part.frame.feed, set()).update(part.frame.symbols[int(row)] for row in rows)
    return tuple(sorted(symbol for feed in asked if traded[feed] for symbol in asked[feed] - traded[feed]))


def slow_cycle(took_s: float, limit_s: float) -> tuple[str, ...]:
    """Return the alarm of a cycle that took longer than ``limit_s``."""
    return (f"the cycle took {took_s:.1f} s, more than {limit_s:g} s",) if took_s > limit_s else ()


def substitutes(name: str, others: Iterable[BarFrame]) -> tuple[str, ...]:
    """Return whose bars came from another feed because the vendor ``name`` did not answer."""
    return tuple(
        f"{name} does not answer for {len(set(frame.symbols))} symbols: they come from {frame.feed}"
        for frame in others
        if len(frame)
    )
