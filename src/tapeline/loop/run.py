"""Runs from discovery to trade beside the minutes of a session: when they begin, what they hand over, when they end.

In: the session's schedule and what people ask for.  Out: dossiers in the book, for the session's own task to trade.
Refuses a second run while one is on its way, and to analyse again after a restart what the journal has for the session.
"""

from __future__ import annotations

import time

import anyio
from anyio.abc import TaskGroup

from tapeline.core.errors import BadInput
from tapeline.core.types import MINUTE_S, NS_PER_S, CycleRecord
from tapeline.flow.channel import Outlet, channel
from tapeline.loop.board import LoopBusy
from tapeline.loop.desk import Book, Desk
from tapeline.loop.pipeline import Pipeline, Request
from tapeline.loop.progress import Mode, Progress
from tapeline.store.batch import DossierRecord, JournalBatch
from tapeline.trade.risk import Limit

_LIMITS = {
    Limit.ONCE: "an order of today's is enough",
    Limit.NO_SHORT: "what is not held is not sold",
    Limit.UNMEASURED: "its price, or that of something held, is not known",
    Limit.DAILY_LOSS: "the day's loss has reached its limit",
    Limit.COOLDOWN: "it was sold a short while ago",
    Limit.ENTRIES: "the day's entries are used up",
    Limit.POSITION: "the position has reached its share of the account",
    Limit.INVESTED: "the account is invested up to its limit",
    Limit.CASH: "the cash is spent",
    Limit.WHOLE_SHARES: "what is allowed buys no whole share",
    Limit.TOO_SMALL: "what is allowed is too small to be worth an order",
}
"""What a limit means to a person."""
MAX_TICKERS = 200
"""As many as the configuration allows."""


class Runs:
    """The runs of one session, one at a time.

    Parameters
    ----------
    desk, book
        Of the session; its own task calls everything but ``ask``.
    progress
        Of the run that is on its way, or was the last.
    group
        Where a run lives; it is an actor of the desk's clock, beside the session's task.
    """

    def __init__(self, desk: Desk, book: Book, progress: Progress, group: TaskGroup) -> None:
        self._desk, self._book, self.progress, self._group = desk, book, progress, group
        self._asked: Request | None = None
        self._is_scheduled = desk.config.loop.max_tickers > 0 and not book.has_run
        self._outlet: Outlet[DossierRecord] | None = None
        self._scope = anyio.CancelScope()
        self._ended = anyio.Event()
        self._began = (0.0, 0)
        self._thought_ns = 0

    def ask(self, max_tickers: int | None, mode: str | None) -> None:
        """Ask for a run from the next minute on; None takes what is configured.

        Raises
        ------
        LoopBusy
            When a run is on its way or asked for.
        BadInput
            When a number or a mode is out of range.
        """
        config = self._desk.config.loop
        tickers = config.max_tickers or 1 if max_tickers is None else max_tickers
        if self.progress.running or self._asked is not None:
            raise LoopBusy("a run is on its way already: wait for its end, or look at its progress")
        if not 1 <= tickers <= MAX_TICKERS:
            raise BadInput(f"max_tickers is {tickers}: ask for 1 to {MAX_TICKERS}")
        self._asked = Request("", _mode(mode or config.mode), tickers)

    def hand_over(self) -> None:
        """Put what the run has finished where the next decision finds it."""
        if self._outlet is not None:
            self._book.arrived += self._outlet.drain()

    async def after_minute(self, record: CycleRecord) -> None:
        """Say what became of the dossiers of this minute, let the run go on, and start one that is due."""
        progress = self.progress
        for symbol in [s for s, kept in self._book.dossiers.items() if self._was_traded(s, kept, record)]:
            is_ordered = any(order.symbol == symbol for order in record.orders)
            progress.enter(symbol, "traded", _outcome(symbol, record), counts=is_ordered)
        if self._outlet is not None:
            self._outlet.make_room()
            if self._ended.is_set() and not self._outlet.waiting and not self._book.arrived:
                self._finish()
        if not progress.running and (request := self._due(record.as_of_ns)) is not None:
            self._start(request)
        await self._keep()

    async def close(self) -> None:
        """Give up a run that is on its way: the session is over."""
        if not self.progress.running:
            return
        self._scope.cancel()
        await self._ended.wait()
        for ticker in self.progress.status().tickers:
            if ticker.stage not in ("traded", "skipped", "failed"):
                self.progress.enter(ticker.symbol, "failed", "the session closed before it was done")
        self._finish()
        await self._keep()

    def drop(self) -> None:
        """Let go of a run that was cancelled with everything else."""
        if self._outlet is not None:
            self._outlet.close()

    def _due(self, as_of_ns: int) -> Request | None:
        """Return the run that is to begin now: one that was asked for, or the session's own."""
        config, book = self._desk.config.loop, self._book
        run_id = f"run@{self._desk.clock.now_ns()}"
        if self._asked is not None:
            asked, self._asked = self._asked, None
            return Request(run_id, asked.mode, asked.max_tickers)
        minute = (as_of_ns - book.session.open_ns) // (MINUTE_S * NS_PER_S)
        if not self._is_scheduled or minute < config.start_min:
            return None
        self._is_scheduled = False
        known = frozenset(book.dossiers) | {kept.dossier.symbol for kept in book.arrived}
        return Request(run_id, config.mode, max(0, config.max_tickers - len(known)), known)

    def _start(self, request: Request) -> None:
        self.progress.begin(request.run_id, request.mode, f"{request.max_tickers} tickers at most")
        self._began = (time.perf_counter(), self._desk.clock.now_ns())
        self._ended, self._scope = anyio.Event(), anyio.CancelScope()
        inlet, self._outlet = channel(self._desk.clock, self._desk.config.loop.trade_queue)
        pipeline = Pipeline(self._desk, self._book, request, self.progress, inlet)
        self._desk.clock.enter()
        self._group.start_soon(self._run, pipeline, self._scope, self._ended)

    async def _run(self, pipeline: Pipeline, scope: anyio.CancelScope, ended: anyio.Event) -> None:
        try:
            with scope:
                await pipeline.run()
        finally:
            self._thought_ns = self._desk.clock.now_ns()
            ended.set()
            await self._desk.clock.leave()

    def _was_traded(self, symbol: str, kept: DossierRecord, record: CycleRecord) -> bool:
        """Return whether this minute decided on the dossier that a run is waiting with."""
        return (
            kept.run_id == self.progress.run_id
            and kept.ready_ns <= record.as_of_ns
            and self.progress.stage_of(symbol) == "trading"
        )

    def _finish(self) -> None:
        assert self._outlet is not None
        self._outlet.close()
        self._outlet = None
        progress, tally = self.progress, self._book.tally
        wall_s, began_ns = self._began
        tally.loop_s = time.perf_counter() - wall_s
        tally.loop_market_s = (self._thought_ns - began_ns) / NS_PER_S
        tally.discovered += progress.counters["discovered"]
        for part, sentence in progress.complaints.items():
            tally.degrade(part, sentence)
        counts = progress.counters
        progress.end(f"{counts['discovered']} found, {counts['analyzed']} analysed, {counts['traded']} ordered")

    async def _keep(self) -> None:
        if events := self.progress.take_events():
            await self._desk.journal.write(JournalBatch(stages=events))


def _outcome(symbol: str, record: CycleRecord) -> str:
    """Return what the decision made of a symbol."""
    for order in record.orders:
        if order.symbol == symbol:
            return f"{order.side.value} {order.qty:,.0f} ordered"
    for clamp in record.clamps:
        if clamp.symbol == symbol:
            return f"no order: {_LIMITS[Limit(clamp.limit)]}"
    refused = [why for name, why in record.refused if name == symbol]
    return f"no order: {refused[-1]}"[:300] if refused else "no order: no signal"


def _mode(text: str) -> Mode:
    if text == "streaming":
        return "streaming"
    if text == "sequential":
        return "sequential"
    raise BadInput(f"mode is {text!r}: choose streaming or sequential")
