"""Polled and streamed bars on their way to the lanes: each once, time moved by polls alone, trouble survived."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import anyio
import anyio.lowlevel
import numpy as np
import pytest
from tests.feed.worlds import BACKENDS, CLOSE_NS, MINUTE_NS, OPEN_NS

from tapeline.core.calendar import Session
from tapeline.core.errors import BadInput
from tapeline.core.types import BarFrame, Label
from tapeline.feed.intake import WAITING_FRAMES, Hear, Intake, Stream, Tell
from tapeline.feed.report import PollReport, empty_frame
from tapeline.streams import frames
from tapeline.streams.keys import FRAME
from tapeline.streams.lanes import Publisher
from tapeline.streams.memory import MemoryLaneStore

SESSION = Session(date(2010, 5, 6), OPEN_NS, CLOSE_NS)
SYMBOLS = ("A", "B", "C")


def bars(closes: dict[str, float], minute: int = 0, reaches: int | None = None) -> BarFrame:
    """Return the bars of one minute, known when it has ended or when so many minutes have."""
    close = np.array(list(closes.values()))
    as_of_ns = OPEN_NS + (minute + 1 if reaches is None else reaches) * MINUTE_NS
    starts = np.full(len(closes), OPEN_NS + minute * MINUTE_NS)
    return BarFrame(60, "iex", Label.REAL, as_of_ns, tuple(closes), starts, *([close] * 7))


def report(frame: BarFrame) -> PollReport:
    return PollReport(frame, 1, 1, (), (), (), frame.as_of_ns, frame.as_of_ns)


class KeepingStore(MemoryLaneStore):
    """Remembers every bar that was published, and how far time was said to have come."""

    def __init__(self) -> None:
        super().__init__()
        self.told: list[tuple[str, int, float, int]] = []
        self.as_of_ns = 0

    async def publish(self, lane, entries, watermark_ns, *, note=None, epoch=None):  # type: ignore[no-untyped-def]
        for fields in entries:
            frame = frames.decode(fields[FRAME])
            minutes = ((frame.event_ns - OPEN_NS) // MINUTE_NS).tolist()
            self.told += zip(frame.symbols, minutes, frame.close.tolist(), frame.revision.tolist(), strict=True)
            self.as_of_ns = max(self.as_of_ns, frame.as_of_ns)
        return await super().publish(lane, entries, watermark_ns, note=note, epoch=epoch)


@dataclass
class Radio:
    """A stream that says what the test says, to whoever listens."""

    watched: Sequence[str] | BadInput = ("A", "B")
    max_symbols: int = 30
    refusal: str = ""
    listeners: list[tuple[str, ...]] = field(default_factory=list)
    hear: Hear | None = None
    tell: Tell | None = None

    async def listen(self, symbols: Sequence[str], hear: Hear, tell: Tell) -> None:
        self.listeners.append(tuple(symbols))
        self.hear, self.tell = hear, tell
        if self.refusal:
            raise BadInput(self.refusal)
        await anyio.sleep_forever()

    def look(self) -> Sequence[str]:
        if isinstance(self.watched, BadInput):
            raise self.watched
        return self.watched

    def say(self, frame: BarFrame) -> None:
        assert self.hear is not None
        self.hear(frame)


Play = Callable[[Intake, KeepingStore], Awaitable[None]]


def play(radio: Radio, main: Play, backend: str = "asyncio", covered_ns: int = 0) -> KeepingStore:
    """Run ``main`` beside an intake that listens to ``radio``."""
    store = KeepingStore()

    async def outer() -> None:
        publisher = Publisher(store, 2)
        await publisher.open()
        stream = Stream(radio.listen, radio.look, radio.max_symbols)
        intake = Intake(publisher, SESSION, SYMBOLS, stream=stream, covered_ns=covered_ns)
        with anyio.fail_after(10):
            async with anyio.create_task_group() as group:
                group.start_soon(intake.run)
                await anyio.wait_all_tasks_blocked()
                await main(intake, store)
                group.cancel_scope.cancel()

    anyio.run(outer, backend=backend)
    return store


@pytest.mark.parametrize("backend", BACKENDS)
def test_streamed_bars_come_first_and_the_polled_ones_win_without_saying_a_bar_twice(backend: str) -> None:
    radio = Radio()

    async def main(intake: Intake, store: KeepingStore) -> None:
        radio.say(bars({"A": 1.0, "B": 2.0}))
        await anyio.wait_all_tasks_blocked()
        assert sorted(store.told) == [("A", 0, 1.0, 0), ("B", 0, 2.0, 0)]
        assert (store.as_of_ns, intake.streamed, intake.state) == (OPEN_NS, 2, "ok")
        await intake.polled(report(bars({"A": 1.0, "B": 2.5, "C": 3.0})), {})
        assert store.as_of_ns == OPEN_NS + MINUTE_NS
        radio.say(bars({"A": 9.0, "B": 9.0}))  # too late
        await anyio.wait_all_tasks_blocked()
        again = replace(bars({"B": 2.75}), revision=np.array([1]))
        await intake.polled(report(again))

    told = play(radio, main, backend).told
    assert sorted(told) == [("A", 0, 1.0, 0), ("B", 0, 2.0, 0), ("B", 0, 2.5, 1), ("B", 0, 2.75, 2), ("C", 0, 3.0, 0)]


def test_minutes_outside_the_session_or_covered_before_a_restart_are_not_taken_from_a_stream() -> None:
    radio = Radio()

    async def main(_intake: Intake, _store: KeepingStore) -> None:
        for minute in (-1, 0, 1, 2, 389, 390):
            radio.say(bars({"A": 1.0}, minute))
            await anyio.wait_all_tasks_blocked()

    store = play(radio, main, covered_ns=OPEN_NS + 2 * MINUTE_NS)
    assert [minute for _, minute, _, _ in store.told] == [2, 389]
    assert store.as_of_ns == OPEN_NS + 2 * MINUTE_NS


def test_what_comes_faster_than_it_is_published_is_dropped_and_counted_and_the_poll_brings_it() -> None:
    radio = Radio()

    async def main(intake: Intake, _store: KeepingStore) -> None:
        for minute in range(WAITING_FRAMES + 6):
            radio.say(bars({"A": 1.0}, minute))
        assert intake.dropped == 5  # one is in the hands of who publishes
        await anyio.wait_all_tasks_blocked()
        assert intake.state == "5 streamed bars came too fast and were left to the polls"
        for minute in range(WAITING_FRAMES + 6):
            await intake.polled(report(bars({"A": 1.0}, minute)), {})

    told = play(radio, main).told
    assert [minute for _, minute, _, _ in told] == list(range(WAITING_FRAMES + 6))


def test_a_stream_that_breaks_or_is_refused_is_told_and_holds_no_poll() -> None:
    radio = Radio()

    async def broken(intake: Intake, _store: KeepingStore) -> None:
        assert radio.tell is not None
        states = []
        for word in ("the line is dead", ""):
            radio.tell(word)
            await intake.polled(report(bars({"A": 1.0})), {})
            states.append(intake.state)
        assert states == ["the line is dead", "ok"]

    assert play(radio, broken).told == [("A", 0, 1.0, 0), ("A", 0, 1.0, 0)]

    async def refused(intake: Intake, _store: KeepingStore) -> None:
        assert intake.state == "the stream is off: no subscription"
        await intake.polled(report(bars({"A": 1.0})), {})

    assert play(Radio(refusal="no subscription"), refused).told == [("A", 0, 1.0, 0)]


def test_another_list_is_listened_to_from_the_next_poll_on_and_a_full_plan_is_told() -> None:
    radio = Radio(watched=("A", "NOBODY"), max_symbols=2)

    async def main(intake: Intake, _store: KeepingStore) -> None:
        lists: tuple[Sequence[str] | BadInput, ...] = (("A", "NOBODY"), SYMBOLS, BadInput("no list"), (), ("C",))
        for minute, watched in enumerate(lists, 1):
            radio.watched = watched
            await intake.polled(report(empty_frame("iex", Label.REAL, OPEN_NS + minute * MINUTE_NS)), {})
            await anyio.wait_all_tasks_blocked()
            states.append(intake.state)

    states: list[str | None] = []
    play(radio, main)
    full = "1 of 3 watched symbols are polled only: the plan's stream is full"
    assert states == ["ok", full, f"no list; {full}", None, "ok"]
    assert radio.listeners == [("A",), ("A", "B"), ("C",)]


def test_without_a_stream_there_is_nothing_to_run_and_nothing_to_show() -> None:
    async def main() -> None:
        store = KeepingStore()
        publisher = Publisher(store, 2)
        await publisher.open()
        intake = Intake(publisher, SESSION, SYMBOLS)
        await intake.run()
        await intake.polled(report(bars({"A": 1.0})), {})
        assert (intake.state, store.told) == (None, [("A", 0, 1.0, 0)])

    anyio.run(main)
