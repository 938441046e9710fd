"""One decision: what the account should do now, and the record that explains it.

In: the book and the moment.  Out: a ``CycleRecord``; nothing is booked here.
Refuses nothing by itself: scan, consensus, router and limits do, and everything they refuse is in the record. Asking
the sources is the only input; all else is a function of the book.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import anyio

from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import CycleRecord, Signal, Vote
from tapeline.loop.causes import cause_of
from tapeline.loop.desk import Book, Desk, Tally
from tapeline.signals.fanout import VoteSource
from tapeline.signals.regime import label_of
from tapeline.signals.stage import form_signals
from tapeline.thesis.vote import dossier_vote
from tapeline.trade.risk import apply_limits
from tapeline.trade.router import route


async def decide(desk: Desk, book: Book, as_of_ns: int, *, with_scan: bool, fresh: Sequence[str] = ()) -> CycleRecord:
    """Decide as of ``as_of_ns``.

    Parameters
    ----------
    desk, book
        The parts, and what is known. The caller must be an actor of the desk's clock.
    as_of_ns
        Every bar that ended by then is in the book.
    with_scan
        True to scan the market and form signals; False to look at stops and targets only.
    fresh
        Symbols whose dossier nobody has decided on: signals are formed of them in any case.

    Returns
    -------
    CycleRecord
        Its orders are created at the clock's time, after everything that was asked has answered, so they fill from a
        bar that nobody has seen.
    """
    record = CycleRecord(
        cycle_id=f"cycle@{as_of_ns}",
        as_of_ns=as_of_ns,
        regime=label_of(book.regime),
        equity=math.nan,
        cash=book.portfolio.cash,
    )
    signals: tuple[Signal, ...] = ()
    if with_scan or fresh:
        record, signals = await _signals(desk, book, record, with_scan=with_scan, fresh=fresh)
    now_ns = desk.clock.now_ns()
    config = desk.config.trade
    routed = route(signals, book.portfolio, book.prices, config, now_ns)
    limited = apply_limits(routed.intents, book.portfolio, book.prices, config, now_ns)
    equity = book.portfolio.equity(book.prices)
    return replace(
        record,
        equity=math.nan if equity.value is None else equity.value,
        refused=(*record.refused, *routed.refusals),
        orders=limited.orders,
        clamps=limited.clamps,
    )


@dataclass(frozen=True, slots=True)
class Counted:
    """A source whose failures are counted for the summary.

    Attributes
    ----------
    host
        Who is asked: what failures are called after.
    """

    source: VoteSource
    tally: Tally
    host: str

    @property
    def name(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def group(self) -> str:
        """The source's group."""
        return self.source.group

    async def vote(self, symbol: str, as_of_ns: int) -> Outcome[Vote]:
        """Return the source's opinion, having noted a failure; also that nobody waits for its answer any more."""
        try:
            outcome = await self.source.vote(symbol, as_of_ns)
        except anyio.get_cancelled_exc_class():
            self._note("no answer in time")
            raise
        if outcome.kind in (Kind.ERROR, Kind.LIMITED):
            self._note(outcome.reason)
        return outcome

    def _note(self, reason: str) -> None:
        self.tally.fail(self.host, reason)
        self.tally.degrade(self.host, f"{self.host}: {cause_of(reason)}")


async def _signals(
    desk: Desk, book: Book, record: CycleRecord, *, with_scan: bool, fresh: Sequence[str]
) -> tuple[CycleRecord, tuple[Signal, ...]]:
    """Scan, ask the sources about the candidates, what is held and what a dossier has a side on, and form signals.

    Between two scans it is only the fresh dossiers' symbols that are decided on; the record then holds their readings.
    """
    config = desk.config
    held = sorted(book.portfolio.positions)
    started = time.perf_counter()
    taken = [symbol for symbol, kept in book.dossiers.items() if kept.dossier.action != "hold"]
    asked = sorted({*held, *fresh, *taken})
    scanned = book.scans.sight.scan(book.days, book.minutes, record.as_of_ns, book.session, asked)
    book.tally.scan_ms.append(1e3 * (time.perf_counter() - started))
    if with_scan:
        shown = book.candidates = scanned.candidates
        await book.scans.take(scanned)
        book.tally.candidates.update(candidate.symbol for candidate in shown)
        symbols = list(dict.fromkeys([*(candidate.symbol for candidate in shown), *held, *fresh, *sorted(taken)]))
    else:
        shown = tuple(candidate for candidate in scanned.asked if candidate.symbol in fresh)
        symbols = list(fresh)
    given = {
        symbol: [dossier_vote(book.dossiers[symbol].dossier, record.as_of_ns)]
        for symbol in symbols
        if symbol in book.dossiers
    }
    decisions = await form_signals(scanned, symbols, book.sources, book.regime, config.signals, desk.clock, given)
    found = replace(record, candidates=shown, signals=decisions.signals, refused=decisions.refused)
    return found, decisions.signals
