"""A trading day, minute by minute: poll, publish, wait for the workers, settle, decide, book.

In: a desk and a book.  Out: the day in the journal, and a tally for the summary.
Refuses to decide on a minute that the workers have not closed, and to go on when the journal cannot keep it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import anyio
import numpy as np

from tapeline.core.errors import Unavailable
from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame, CycleRecord
from tapeline.feed.poller import PollReport
from tapeline.loop.closer import CloserLooks
from tapeline.loop.decide import decide
from tapeline.loop.desk import Book, Desk
from tapeline.loop.progress import Progress
from tapeline.loop.run import Runs
from tapeline.loop.show import Board
from tapeline.loop.today import running_day
from tapeline.loop.upkeep import keep_house
from tapeline.store.batch import EquityMark, JournalBatch
from tapeline.streams.closed import ClosedBatch
from tapeline.trade.portfolio import Portfolio

OnMinute = Callable[[int, int, str], None]
"""Called after each minute with (minutes done, minutes in all, a few words on what happened so far)."""

CLOSING_NS = 20 * MINUTE_S * NS_PER_S
"""How long after the close the poller may still try for the last minutes."""
REST_TIMEOUT_S = 30.0
REST_PAUSE_S = 0.02
"""At the close, how long the workers may take for the last bars, and between two looks, in real seconds."""
FLUSH_EVERY_MIN = 10
"""Minutes whose bars may wait for the journal."""


async def run_session(desk: Desk, book: Book, on_minute: OnMinute, board: Board | None = None) -> None:
    """Run the session from now to its close. The caller must be an actor of the desk's clock.

    A replay that is started again goes on after what is covered: its clock has begun anew, the lanes have not. A run
    from discovery to trade that has not ended by the close is given up then. ``board`` shows all of it. A minute whose
    decision a kill cut off is decided on first, as long as it is the newest one.
    """
    board = board or Board(desk.config)
    async with anyio.create_task_group() as group:
        progress = Progress(desk.clock, board.touch)
        runs = Runs(desk, book, progress, group)
        closer = CloserLooks(desk, book, group, board.touch)
        board.show_session(desk, book, runs)
        group.start_soon(book.intake.run)
        try:
            await _live(desk, book, runs, closer, board, on_minute)
            await runs.close()
            await closer.close()
            await _read_again(desk, book, book.session.close_ns + CLOSING_NS)
        finally:
            runs.drop()
        group.cancel_scope.cancel()  # only the stream is still there
    await _close(desk, book)
    await keep_house(desk, book, board)
    board.show_state("closed")


async def _live(desk: Desk, book: Book, runs: Runs, closer: CloserLooks, board: Board, on_minute: OnMinute) -> None:
    """Do the minutes of the session, and the runs beside them."""
    session, delay_ns = book.session, round(desk.config.feed.publish_delay_s * NS_PER_S)

    async def tell(record: CycleRecord, minute_end_ns: int) -> None:
        await runs.after_minute(record)
        closer.after_minute(record.as_of_ns)
        done = (min(minute_end_ns, session.close_ns) - session.open_ns) // (MINUTE_S * NS_PER_S)
        board.show_minute(done)
        on_minute(done, session.minutes, f"{book.tally.signals} signals, {book.tally.fills} fills")

    if (late := await make_up(desk, book, delay_ns)) is not None:
        await tell(late, late.as_of_ns)
    while book.poller.covered_ns < session.close_ns:
        moment_ns = book.poller.next_poll_ns(max(desk.clock.now_ns(), book.poller.covered_ns + delay_ns))
        if moment_ns > session.close_ns + CLOSING_NS:
            break  # the vendor has not told the last minutes: what is missing stays so, and is among the errors
        await _read_again(desk, book, moment_ns)
        await desk.clock.sleep_until(moment_ns)
        runs.hand_over()
        await tell(await run_minute(desk, book, moment_ns - delay_ns), moment_ns - delay_ns)


async def make_up(desk: Desk, book: Book, delay_ns: int) -> CycleRecord | None:
    """Decide at once on the newest minute when an earlier life did not come to it; return the record, None if it did.

    In: the book as it was opened.   Out: the newest minute that is out, and no older one: what had another minute
    after it is too old to be traded. One whose bars are all in the lanes is decided on without a poll.
    Repeats nothing: a decision that did anything is in the journal, and one that did nothing does nothing again.
    """
    session, poller, told_ns = book.session, book.poller, book.told_ns
    is_open = session.open_ns < told_ns <= session.close_ns
    if is_open:  # a replay's clock has begun anew, before what is told
        await desk.clock.sleep_until(told_ns + delay_ns)
    newest_ns, next_ns = 0, poller.next_poll_ns(poller.covered_ns + delay_ns)
    while next_ns <= min(desk.clock.now_ns(), session.close_ns + delay_ns):
        newest_ns, next_ns = next_ns - delay_ns, poller.next_poll_ns(next_ns)
    if newest_ns:
        reach_ns = desk.config.feed.max_catch_up_min * MINUTE_S * NS_PER_S
        is_near = newest_ns - poller.covered_ns <= reach_ns  # else the polls to come work through what was missed
        return await run_minute(desk, book, newest_ns) if is_near else None
    if not is_open or book.decided_ns >= told_ns or await _is_beyond(desk, book, told_ns):
        return None
    return await _decide_on(desk, book, await _rest(desk, book), told_ns)


async def _is_beyond(desk: Desk, book: Book, told_ns: int) -> bool:
    """Return whether some lane was told of a later minute: then all before it was decided on."""
    marks = [await desk.store.watermark(lane) for lane in book.closed.offsets]
    return any(mark is not None and mark > told_ns for mark in marks)


async def _read_again(desk: Desk, book: Book, until_ns: int) -> None:
    """Ask by ``until_ns`` for what was told half a minute ago: trades that were reported late are published at once.

    The workers' corrected bars are taken with the next minute's, the last ones at the close.
    """
    while (due_ns := book.poller.next_reread_ns()) is not None and due_ns <= until_ns:
        await desk.clock.sleep_until(due_ns)
        report = await book.poller.reread(desk.clock.now_ns())
        _note_troubles(book, report)
        book.tally.ticks += sum(len(frame) for frame in report.frames)
        await book.intake.polled(report)


async def run_minute(desk: Desk, book: Book, minute_end_ns: int) -> CycleRecord:
    """Do one cycle: everything that ended by ``minute_end_ns`` reaches the book, the account and the journal.

    Return the record of its decision.
    """
    report = await book.poller.cycle(minute_end_ns)
    _count_poll(book, report)
    await book.intake.polled(report, book.poller.watermarks())
    as_of_ns = report.frame.as_of_ns
    closed: list[ClosedBatch] = []
    if as_of_ns > book.told_ns:  # else the workers may have nothing to say to it, as when nobody answered the poll
        closed = await book.closed.read_until(as_of_ns)
        book.told_ns = as_of_ns
    return await _decide_on(desk, book, closed, as_of_ns)


async def _decide_on(desk: Desk, book: Book, closed: list[ClosedBatch], as_of_ns: int) -> CycleRecord:
    """Take what was closed by ``as_of_ns``, decide, and book both; return the record of the decision."""
    before = book.portfolio
    minutes = _minute_bars(closed, as_of_ns)
    settled = await _take(book, closed, minutes, as_of_ns)
    minute = (as_of_ns - book.session.open_ns) // (MINUTE_S * NS_PER_S)
    is_trading = minutes is not None
    fresh = _read_dossiers(book, as_of_ns) if is_trading else ()
    with_scan = is_trading and minute % desk.config.scan.every_min == 0
    record = await decide(desk, book, as_of_ns, with_scan=with_scan, fresh=fresh)
    await _book_minute(desk, book, before, settled, record, is_kept=bool(fresh))
    return record


def _read_dossiers(book: Book, as_of_ns: int) -> tuple[str, ...]:
    """Take the dossiers that were ready by ``as_of_ns`` as what is thought of their symbols; return these."""
    ready = [kept for kept in book.arrived if kept.ready_ns <= as_of_ns]
    book.arrived = [kept for kept in book.arrived if kept.ready_ns > as_of_ns]
    book.dossiers.update((kept.dossier.symbol, kept) for kept in ready)
    return tuple(dict.fromkeys(kept.dossier.symbol for kept in ready))


async def _take(book: Book, closed: list[ClosedBatch], minutes: BarFrame | None, as_of_ns: int) -> JournalBatch:
    """Take what the workers closed into the book, and return what it made of the open orders."""
    frames = tuple(frame for batch in closed for frame in batch.frames if len(frame))
    book.unsaved.append(frames)
    book.tally.bars += sum(len(frame) for frame in frames)
    if minutes is None:
        return JournalBatch()
    book.minutes.apply(minutes)
    book.mark(minutes)
    settlement = await book.broker.settle(book.portfolio, minutes, as_of_ns=as_of_ns)
    settled = JournalBatch(fills=settlement.fills, ends=settlement.ends)
    book.note_fills(settlement.fills)
    book.portfolio = book.portfolio.apply_batch(settled)
    today = running_day(book.minutes, book.session, as_of_ns=as_of_ns, feed=minutes.feed, label=minutes.label)
    book.days.apply(today)
    return settled


async def _book_minute(
    desk: Desk, book: Book, before: Portfolio, settled: JournalBatch, record: CycleRecord, *, is_kept: bool
) -> None:
    """Keep what happened in one transaction, and make of the account what the journal would make of it.

    Bars wait in the book for the next minute that scans, decides or settles, or ``FLUSH_EVERY_MIN``: a crash in between
    loses nothing, since the offsets move with them and the lanes still have them.
    """
    is_scan = bool(record.candidates or record.signals)
    cycles = (record,) if is_kept or is_scan or record.orders or record.clamps else ()
    marks = (_mark(book, record.as_of_ns),) if is_scan else ()
    happened = replace(settled, cycles=cycles, marks=marks)
    if cycles or settled.fills or settled.ends or len(book.unsaved) >= FLUSH_EVERY_MIN:
        await _flush(desk, book, happened)
    book.portfolio = before.apply_batch(happened)
    tally = book.tally
    tally.signals += len(record.signals)
    tally.orders += len(record.orders)
    tally.fills += len(settled.fills)
    book.note_minute(record)


async def _flush(desk: Desk, book: Book, happened: JournalBatch) -> None:
    """Write the waiting bars, how far they reach, and what happened."""
    frames = tuple(frame for frames in book.unsaved for frame in frames)
    await desk.journal.write(replace(happened, frames=frames, offsets=dict(book.closed.offsets)))
    book.unsaved.clear()
    await book.closed.trim()


def _minute_bars(closed: list[ClosedBatch], as_of_ns: int) -> BarFrame | None:
    """Return the one-minute bars of all lanes as one frame by (event_ns, symbol), or None when nothing traded."""
    frames = [frame for batch in closed for frame in batch.frames if frame.timeframe_s == MINUTE_S and len(frame)]
    if not frames:
        return None
    whole = BarFrame.concat(frames, as_of_ns=as_of_ns)
    return whole.take(np.lexsort((np.array(whole.symbols, dtype=np.str_), whole.event_ns)))


def _count_poll(book: Book, report: PollReport) -> None:
    tally = book.tally
    tally.polls += 1
    tally.ticks += len(report.frame)
    reasons = {reason for _, reason in report.missing}
    tally.errors += [f"poll at {report.started_ns}: {reason}" for reason in sorted(reasons)]
    if report.alerts and not book.alerts:
        tally.degraded.append(f"poll at {report.started_ns}: {'; '.join(report.alerts)}")
    book.alerts = report.alerts
    _note_troubles(book, report)


def _note_troubles(book: Book, report: PollReport) -> None:
    book.tally.errors += [f"{symbol} is left out of the polls: {word}" for symbol, word, _ in report.quarantined]


def _mark(book: Book, event_ns: int, *, is_close: bool = False) -> EquityMark:
    name = "close" if is_close else "mark"
    return book.portfolio.mark(book.prices, mark_id=f"{name}@{event_ns}", event_ns=event_ns, is_close=is_close)


async def _close(desk: Desk, book: Book) -> None:
    """Take the last bars and mark the account at the close: the next day's losses and entries count from here.

    A minute that only came after the close moves no time on, so nobody has waited for its bars yet; neither has a node
    that was started again after its last minute was published.
    """
    close_ns, before = book.session.close_ns, book.portfolio
    closed = await _rest(desk, book)
    settled = await _take(book, closed, _minute_bars(closed, close_ns), close_ns)
    happened = replace(settled, marks=(_mark(book, close_ns, is_close=True),))
    await _flush(desk, book, happened)
    book.portfolio = before.apply_batch(happened)
    book.tally.fills += len(settled.fills)


async def _rest(desk: Desk, book: Book) -> list[ClosedBatch]:
    """Return what the workers closed and nobody has read, once they have applied all that was published."""
    found: list[ClosedBatch] = []
    for lane in book.closed.offsets:
        try:
            with anyio.fail_after(REST_TIMEOUT_S):  # real seconds, since a worker's liveness is physical
                while not await _is_applied(desk, lane):
                    await anyio.sleep(REST_PAUSE_S)
        except TimeoutError as error:
            late = f"no worker has applied the last bars of lane {lane} within {REST_TIMEOUT_S:g} s"
            raise Unavailable(late) from error
        while batches := await book.closed.read(lane):
            found += batches
    return found


async def _is_applied(desk: Desk, lane: int) -> bool:
    progress = await desk.store.progress(lane)
    return progress.applied_id == progress.last_id
