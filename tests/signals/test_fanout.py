"""Fan-out: bounded, on the injected clock, every answer in its place, every failure an outcome."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeline.core.clock import LogicalClock, SystemClock, actor, sleep_s
from tapeline.core.errors import Unavailable
from tapeline.core.outcome import Kind, Outcome, value_of
from tapeline.core.types import NS_PER_S, Vote
from tapeline.flow.deadline import within
from tapeline.signals.fanout import Votes, gather_votes

START_NS = 1_273_160_000 * NS_PER_S

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    """Run every test on both: the fan-out knows neither."""
    return str(request.param)


@dataclass
class Slow:
    """A source that answers after ``delay_s(symbol)`` on the clock, and counts who waits."""

    clock: LogicalClock
    delay_s: Callable[[str], float]
    name: str = "news.slow"
    group: str = "news"
    open: int = 0
    most_open: int = 0
    asked: list[str] = field(default_factory=list)

    async def vote(self, symbol: str, as_of_ns: int) -> Outcome[Vote]:
        """Answer late."""
        self.asked.append(symbol)
        self.open += 1
        self.most_open = max(self.most_open, self.open)
        try:
            await sleep_s(self.clock, self.delay_s(symbol))
        finally:
            self.open -= 1
        return value_of(Vote(self.name, self.group, 0.5, 0.5, as_of_ns, symbol), source=self.name)


@dataclass(frozen=True)
class Broken:
    """A source that raises."""

    error: Exception
    name: str = "news.broken"
    group: str = "news"

    async def vote(self, symbol: str, as_of_ns: int) -> Outcome[Vote]:
        """Fail."""
        await anyio.lowlevel.checkpoint()
        raise self.error


async def _gather(clock: LogicalClock, symbols: list[str], *sources: Slow | Broken, concurrency: int = 2) -> Votes:
    async with actor(clock):
        return await gather_votes(
            symbols,
            sources,
            clock,
            START_NS,
            deadline_s=10.0,
            source_timeout_s=5.0,
            concurrency=concurrency,
        )


def _clock() -> LogicalClock:
    return LogicalClock(START_NS)


async def test_answers_are_keyed_by_symbol_and_source_in_the_order_of_the_arguments() -> None:
    clock = _clock()
    first = Slow(clock, lambda symbol: {"A": 3.0, "B": 1.0, "C": 2.0}[symbol])
    second = Slow(clock, lambda symbol: 0.5, name="tape.quick", group="tape")
    votes = await _gather(clock, ["A", "B", "C"], first, second)
    assert list(votes) == ["A", "B", "C"]
    assert [list(answers) for answers in votes.values()] == [["news.slow", "tape.quick"]] * 3
    for symbol, answers in votes.items():
        for name, outcome in answers.items():
            assert (outcome.unwrap().reason, outcome.unwrap().source) == (symbol, name)


async def test_no_more_questions_are_open_than_allowed_and_sources_do_not_wait_for_each_other() -> None:
    clock = _clock()
    slow, quick = Slow(clock, lambda _: 1.0), Slow(clock, lambda _: 0.1, name="tape.quick")
    await _gather(clock, [f"S{i}" for i in range(6)], slow, quick, concurrency=3)
    assert slow.most_open == quick.most_open == 3
    assert clock.now_ns() == START_NS + 2 * NS_PER_S


async def test_slow_answer_is_an_error_after_the_timeout_and_holds_nobody_else() -> None:
    clock = _clock()
    source = Slow(clock, lambda symbol: 30.0 if symbol == "A" else 1.0)
    votes = await _gather(clock, ["A", "B", "C"], source, concurrency=1)
    assert votes["A"]["news.slow"].kind is Kind.ERROR
    assert "5 s" in votes["A"]["news.slow"].reason
    assert votes["B"]["news.slow"].is_value
    assert votes["C"]["news.slow"].is_value
    assert clock.now_ns() == START_NS + 7 * NS_PER_S
    assert source.open == 0


async def test_what_the_deadline_cuts_off_is_limited_and_time_stops_there() -> None:
    clock = _clock()
    source = Slow(clock, lambda _: 30.0)
    votes = await _gather(clock, ["A", "B", "C", "D"], source, concurrency=1)
    kinds = [votes[symbol]["news.slow"].kind for symbol in "ABCD"]
    assert kinds == [Kind.ERROR, Kind.ERROR, Kind.LIMITED, Kind.LIMITED]
    assert source.asked == ["A", "B"]
    assert clock.now_ns() == START_NS + 10 * NS_PER_S


@pytest.mark.parametrize("error", [Unavailable("the server is gone"), TimeoutError("read"), ConnectionError("reset")])
async def test_failing_source_is_an_error_outcome_with_its_reason(error: Exception) -> None:
    clock = _clock()
    votes = await _gather(clock, ["A"], Broken(error), Slow(clock, lambda _: 1.0))
    assert votes["A"]["news.broken"].kind is Kind.ERROR
    assert str(error) in votes["A"]["news.broken"].reason
    assert votes["A"]["news.slow"].is_value


async def test_bug_in_a_source_ends_the_cycle_and_leaves_the_clock_usable() -> None:
    clock = _clock()
    async with actor(clock):
        with pytest.raises(ExceptionGroup) as caught:
            await gather_votes(
                ["A"],
                [Broken(KeyError("typo")), Slow(clock, lambda _: 1.0)],
                clock,
                START_NS,
                deadline_s=10.0,
                source_timeout_s=5.0,
                concurrency=2,
            )
        assert caught.group_contains(KeyError)
        before_ns = clock.now_ns()
        await sleep_s(clock, 1.0)
    assert clock.now_ns() == before_ns + NS_PER_S


async def test_cancelled_cycle_leaves_no_question_open_and_the_clock_usable() -> None:
    clock = _clock()
    source = Slow(clock, lambda _: 3.0)

    async def cancel_at(scope: anyio.CancelScope) -> None:
        try:
            await sleep_s(clock, 2.0)
            scope.cancel()
        finally:
            await clock.leave()

    async with actor(clock):
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as group:
                clock.enter()
                group.start_soon(cancel_at, scope)
                await _nested(clock, source)
        await sleep_s(clock, 1.0)
    assert source.open == 0
    assert scope.cancelled_caught


async def _nested(clock: LogicalClock, source: Slow) -> None:
    await gather_votes(["A", "B"], [source], clock, START_NS, deadline_s=10.0, source_timeout_s=5.0, concurrency=2)


async def test_repeated_symbol_or_source_is_refused() -> None:
    clock = _clock()
    with pytest.raises(ValueError, match="symbol stands twice"):
        await _gather(clock, ["A", "A"], Slow(clock, lambda _: 1.0))
    with pytest.raises(ValueError, match="source stands twice"):
        await _gather(clock, ["A"], Slow(clock, lambda _: 1.0), Slow(clock, lambda _: 1.0))


async def test_answer_in_anothers_name_is_a_bug() -> None:
    clock = _clock()

    class Liar(Slow):
        async def vote(self, symbol: str, as_of_ns: int) -> Outcome[Vote]:
            return value_of(Vote("tape.trend", "tape", 1.0, 1.0, as_of_ns, ""), source="tape.trend")

    with pytest.raises(ExceptionGroup) as caught:
        await _gather(clock, ["A"], Liar(clock, lambda _: 1.0))
    assert caught.group_contains(ValueError, match="in the name of")


async def test_no_symbols_or_no_sources_is_an_empty_answer_in_no_time() -> None:
    clock = _clock()
    assert await _gather(clock, [], Slow(clock, lambda _: 1.0)) == {}
    assert await _gather(clock, ["A"]) == {"A": {}}
    assert clock.now_ns() == START_NS


async def test_call_that_answers_in_time_returns_and_gives_the_alarm_back() -> None:
    clock = _clock()

    async def answer() -> int:
        await sleep_s(clock, 1.0)
        return 7

    async with actor(clock):
        assert await within(clock, START_NS + 2 * NS_PER_S, answer) == 7
        await sleep_s(clock, 5.0)
    assert clock.now_ns() == START_NS + 6 * NS_PER_S


async def test_real_clock_is_not_waited_for_when_the_answer_is_there() -> None:
    async def answer() -> int:
        await anyio.lowlevel.checkpoint()
        return 7

    clock = SystemClock()
    with anyio.fail_after(5.0):
        assert await within(clock, clock.now_ns() + 3_600 * NS_PER_S, answer) == 7


@given(
    delays=st.lists(st.sampled_from([0.0, 0.5, 1.0, 4.9, 5.0, 5.1, 20.0]), max_size=8),
    concurrency=st.integers(1, 4),
)
@settings(max_examples=40)
async def test_every_pair_gets_exactly_one_outcome_by_the_deadline(delays: list[float], concurrency: int) -> None:
    clock = _clock()
    source = Slow(clock, lambda symbol: delays[int(symbol)])
    symbols = [str(i) for i in range(len(delays))]
    votes = await _gather(clock, symbols, source, concurrency=concurrency)
    assert list(votes) == symbols
    assert clock.now_ns() <= START_NS + 10 * NS_PER_S
    assert source.most_open <= concurrency
    for symbol in symbols:
        outcome = votes[symbol]["news.slow"]
        assert outcome.is_value <= (delays[int(symbol)] <= 5.0)
