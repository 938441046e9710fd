"""A run from discovery to the hand of the trader: streaming, or phase by phase.

In: whom to ask, the book, how many tickers.  Out: dossiers, each in the journal and in the trader's queue.
Refuses to trade: the session's own task does that, and no other. Streaming, a ticker is collected as soon as it is
found and analysed as soon as it is collected; sequential, every phase ends before the next begins. The parts are the
same, so the two differ in time only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tapeline.core.clock import together
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.flow.channel import Inlet, Outlet, channel
from tapeline.flow.stage import Stage
from tapeline.grid.index import load_index
from tapeline.loop.causes import cause_of
from tapeline.loop.desk import Book, Desk
from tapeline.loop.progress import Mode, Progress
from tapeline.loop.research import CountedModel
from tapeline.loop.slots import Slots
from tapeline.store.batch import DossierRecord, JournalBatch, StepRecord
from tapeline.thesis.analyse import analyse
from tapeline.thesis.collect import Collected, collect, gate
from tapeline.thesis.discovery import Found, Lead, Scoreboard, discover
from tapeline.thesis.prices import price_history

COLLECT, ANALYSE, GATE = "collect", "analyse", "gate"
BROKEN = (Kind.ERROR, Kind.LIMITED)
"""A source that failed or would not answer: it does not work. One that has nothing works."""


@dataclass(frozen=True, slots=True)
class Request:
    """What a run is to do.

    Attributes
    ----------
    run_id
        From the moment of its start, so two runs of one seed have the same.
    max_tickers
        That are analysed, at most.
    skip
        Tickers that are not to be analysed again.
    """

    run_id: str
    mode: Mode
    max_tickers: int
    skip: frozenset[str] = frozenset()


class Pipeline:
    """One run. ``run`` is called once, by an actor of the desk's clock.

    Parameters
    ----------
    desk, book
        Whom to ask and what is known; the book is read, never changed, but for the tally.
    progress
        Told of every step.
    hand
        Where dossiers go.
    """

    def __init__(
        self, desk: Desk, book: Book, request: Request, progress: Progress, hand: Inlet[DossierRecord]
    ) -> None:
        self._desk, self._book, self._request = desk, book, request
        self._progress, self._hand = progress, hand
        self._clock, self._config = desk.clock, desk.config.loop
        room = self._config.collect_queue if request.mode == "streaming" else len(book.symbols) + 1
        self._slots = Slots(desk.clock, slots=request.max_tickers, room=room)
        self._index = load_index()
        model = desk.research.model
        self._model = (
            None if model is None else CountedModel(model, self._model_asked, self._model_answered, self._model_failed)
        )

    async def run(self) -> None:
        """Do the run to its end. What a source or a model fails to do is in the progress; a bug is raised."""
        for part, sentence in self._desk.research.gaps:
            self._progress.complain(part, sentence)
        with self._hand:
            await (self._stream() if self._request.mode == "streaming" else self._in_phases())
        for found in self._slots.left():
            self._progress.enter(found.symbol, "skipped", "no slot was left")

    async def _stream(self) -> None:
        ends: tuple[Inlet[Collected], Outlet[Collected]] = channel(self._clock, self._config.analyse_queue)
        self._progress.phase("pipeline", "running")
        with ends[0] as inlet, ends[1] as outlet:
            collecting = self._collecting().tasks(self._slots, inlet, self._clock, self._watch)
            analysing = self._analysing().tasks(outlet, self._hand, self._clock, self._watch)
            await together(self._clock, [self._discover, *collecting, *analysing])

    async def _in_phases(self) -> None:
        progress, clock = self._progress, self._clock
        progress.phase("discovery", "running")
        await self._discover()
        progress.phase("discovery", "done")
        progress.phase("collection", "running")
        ends: tuple[Inlet[Collected], Outlet[Collected]] = channel(clock, max(1, self._request.max_tickers))
        with ends[0] as inlet, ends[1] as outlet:
            await together(clock, self._collecting().tasks(self._slots, inlet, clock, self._watch))
            collected = outlet.drain()
        progress.phase("collection", "done")
        progress.phase("analysis", "running")
        records = await self._analysing().all_of(collected, clock, self._watch)
        progress.phase("analysis", "done")
        progress.phase("trading", "running")
        for record in records:
            await self._hand.send(record)

    def _collecting(self) -> Stage[Found, Collected]:
        return Stage(COLLECT, self._collect, self._config.collectors, self._config.ticker_timeout_s)

    def _analysing(self) -> Stage[Collected, DossierRecord]:
        return Stage(ANALYSE, self._analyse, self._config.analysts, self._config.ticker_timeout_s)

    async def _discover(self) -> None:
        """Tell the slots of every ticker as soon as it is found; then, if there is room, of what the account holds."""
        board = Scoreboard(self._book.symbols, min_score=self._config.min_score, as_of_ns=self._clock.now_ns())
        held = sorted(self._book.portfolio.positions)
        leads = scan_leads(self._book, self._config.min_score)
        try:
            heard = await discover(self._desk.research.talk, board, self._offer, self._clock, also=leads)
            for name, outcomes in heard.items():
                self._note([(name, outcome) for outcome in outcomes])
            for symbol in held:
                await self._offer(Found(symbol, 0.0, ("held",), ("+0 held: looked at again",)))
        finally:
            self._slots.close()

    async def _offer(self, found: Found) -> None:
        symbol, progress = found.symbol, self._progress
        if progress.stage_of(symbol):
            return
        progress.enter(symbol, "discovered", f"{found.score:g} points: {'; '.join(found.reasons)}"[:200])
        if symbol in self._request.skip:
            progress.enter(symbol, "skipped", "analysed earlier in this session")
        elif self._slots.is_full:
            progress.enter(symbol, "skipped", "no slot was left")
        else:
            progress.enter(symbol, "queued")
            if not await self._slots.offer(found):
                progress.enter(symbol, "skipped", "no slot was left")

    async def _collect(self, found: Found) -> Outcome[Collected]:
        """Collect the steps on one ticker and keep them; abstain when its gate is shut."""
        book, now_ns = self._book, self._clock.now_ns()
        prices = price_history(
            book.days, found.symbol, now_ns, label=book.tally.label, index=self._index, session=book.session
        )
        deadline_s = self._config.ticker_timeout_s / 2  # so that a stalled source leaves time for the others' answers
        collected = await collect(found.symbol, prices, self._desk.research.sources, self._clock, deadline_s)
        told = (*collected.steps.values(), *(outcome for _, outcome in collected.partial))
        self._note([(outcome.source, outcome) for outcome in told])
        run_id, symbol = self._request.run_id, found.symbol
        steps = tuple(StepRecord(run_id, symbol, step, outcome) for step, outcome in collected.steps.items())
        await self._desk.journal.write(JournalBatch(steps=steps, stages=self._progress.take_events()))
        if reasons := gate(collected, self._desk.config.thesis):
            company = collected.steps["fundamentals"]
            if company.kind in BROKEN:
                self._progress.complain(
                    GATE, f"tickers are skipped for want of company figures: {company.source} fails"
                )
            return nothing(Kind.ABSTAINED, source=COLLECT, reason="; ".join(reasons), as_of_ns=now_ns)
        return value_of(collected, source=COLLECT, as_of_ns=now_ns)

    async def _analyse(self, collected: Collected) -> Outcome[DossierRecord]:
        """Make the dossier of one ticker and keep it."""
        note = portfolio_note(self._book, collected.symbol)
        outcome = await analyse(collected, self._model, self._desk.config.thesis, portfolio_note=note)
        if outcome.value is None:
            return nothing(outcome.kind, source=ANALYSE, reason=outcome.reason, as_of_ns=outcome.as_of_ns)
        record = DossierRecord(self._request.run_id, self._clock.now_ns(), outcome.value)
        await self._desk.journal.write(JournalBatch(dossiers=(record,), stages=self._progress.take_events()))
        self._book.tally.dossiers += 1
        self._book.written[collected.symbol] = outcome.value
        return value_of(record, source=ANALYSE, as_of_ns=record.ready_ns)

    def _watch(self, stage: str, item: Any, outcome: Outcome[Any] | None) -> None:
        """Tell the progress, and the slots, of a ticker that entered or left a stage."""
        entered, left = ("collecting", "collected") if stage == COLLECT else ("analyzing", "analyzed")
        if outcome is None:
            self._progress.enter(item.symbol, entered)
            return
        if stage == COLLECT:
            self._slots.settle(keeps=outcome.is_value)
        if outcome.is_value:
            self._progress.enter(item.symbol, left, _told(outcome.value))
            if stage == ANALYSE:
                self._progress.enter(item.symbol, "trading")
            return
        failed = outcome.kind in BROKEN
        self._progress.enter(item.symbol, "failed" if failed else "skipped", outcome.reason)
        if failed:
            self._book.tally.fail(stage, outcome.reason)

    def _note(self, told: Sequence[tuple[str, Outcome[Any]]]) -> None:
        """Count the sources that do not work, and say so until nothing that they are asked fails."""
        broken = [(part, outcome.reason) for part, outcome in told if outcome.kind in BROKEN]
        for part, reason in broken:
            self._progress.complain(part, f"{part}: {cause_of(reason)}")
            self._book.tally.fail(part, reason)
        for part in sorted({part for part, outcome in told if outcome.is_value} - {part for part, _ in broken}):
            self._progress.heal(part)

    def _model_asked(self) -> None:
        self._book.tally.llm_calls += 1

    def _model_answered(self) -> None:
        self._progress.heal("llm")

    def _model_failed(self, reason: str) -> None:
        self._progress.complain("llm", f"the language model does not answer, rules decide: {cause_of(reason)}")
        self._book.tally.fail("llm", reason)


def _told(value: object) -> str:
    if isinstance(value, DossierRecord):
        return f"{value.dossier.action} at a conviction of {value.dossier.conviction:.2f}"
    return ""


def scan_leads(book: Book, min_score: float) -> tuple[Lead, ...]:
    """Return what the last scan puts forward: its best is worth a run by itself, the others need talk besides."""
    n = len(book.candidates)
    return tuple(
        Lead(c.symbol, min_score * (1.0 - (c.rank - 1) / (2.0 * n)), "scan", f"rank {c.rank} of {n}")
        for c in book.candidates
    )


def portfolio_note(book: Book, symbol: str) -> str:
    """Return one line on what the account has and holds, for the synthesis."""
    equity = book.portfolio.equity(book.prices)
    worth = "unknown equity" if equity.value is None else f"{equity.value:,.0f} dollars of equity"
    held = book.portfolio.positions.get(symbol)
    holds = f"holds {held.qty:,.0f} {symbol} bought at {held.avg_price:.2f}" if held else f"holds no {symbol}"
    return f"The account has {worth}, {book.portfolio.cash:,.0f} in cash, and {holds}."
