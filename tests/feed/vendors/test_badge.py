"""Credentials that are lent: kept while they hold, renewed once when refused."""

from __future__ import annotations

import pytest
from tests.feed.vendors.desk import response
from tests.feed.worlds import run

from tapeline.core.clock import LogicalClock, sleep_s, together
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.feed.vendors.badge import Badge, Lent, Refusal, unless_refused


class _Lender:
    """Lends badges with rising numbers, and takes those from ``least`` on; all who ask together get the same."""

    def __init__(self, clock: LogicalClock, *, least: int = 0, lends: Kind = Kind.VALUE, pause_s: float = 0.0) -> None:
        self.badge: Badge[int] = Badge(self.obtain, clock=clock)
        self.lent, self.asked = 0, 0
        self.least, self.lends = least, lends
        self.clock, self.pause_s = clock, pause_s
        self.since_ns = -1

    async def obtain(self) -> Outcome[Lent[int]]:
        if self.since_ns != self.clock.now_ns() or not self.pause_s:
            self.lent += 1
            self.since_ns = self.clock.now_ns()
        lent = self.lent
        await sleep_s(self.clock, self.pause_s)
        if self.lends is not Kind.VALUE:
            return nothing(self.lends, source="lender", reason="shut")
        return value_of(Lent(lent, 10.0), source="lender")

    async def ask(self, badge: int) -> Outcome[str | Refusal]:
        self.asked += 1
        await sleep_s(self.clock, self.pause_s)
        return value_of(Refusal.REFUSED if badge < self.least else f"by {badge}", source="vendor")


def test_a_badge_serves_until_it_runs_out() -> None:
    async def main(clock: LogicalClock) -> list[str]:
        lender = _Lender(clock)
        answers = [(await lender.badge.use(lender.ask)).unwrap() for _ in range(2)]
        await sleep_s(clock, 11.0)
        return [*answers, (await lender.badge.use(lender.ask)).unwrap()]

    assert run(main) == ["by 1", "by 1", "by 2"]


def test_a_refused_badge_is_renewed_once() -> None:
    async def main(clock: LogicalClock) -> tuple[str, int, int]:
        lender = _Lender(clock, least=2)
        return (await lender.badge.use(lender.ask)).unwrap(), lender.lent, lender.asked

    assert run(main) == ("by 2", 2, 2)


def test_tasks_that_are_refused_together_all_get_a_fresh_badge() -> None:
    async def main(clock: LogicalClock) -> tuple[list[str], int]:
        lender = _Lender(clock, least=2, pause_s=1.0)
        answers: list[str] = []

        async def one() -> None:
            answers.append((await lender.badge.use(lender.ask)).unwrap())

        await together(clock, [one] * 3)
        return answers, lender.lent

    assert run(main) == (["by 2"] * 3, 2)


def test_a_fresh_badge_that_is_refused_as_well_is_an_error() -> None:
    async def main(clock: LogicalClock) -> tuple[Outcome[str], int]:
        lender = _Lender(clock, least=99)
        return await lender.badge.use(lender.ask), lender.asked

    outcome, asked = run(main)
    assert (outcome.kind, outcome.reason, asked) == (Kind.ERROR, "a fresh credential is refused as well", 2)


@pytest.mark.parametrize(
    ("lends", "kind"), [(Kind.LIMITED, Kind.LIMITED), (Kind.ERROR, Kind.ERROR), (Kind.NO_DATA, Kind.ERROR)]
)
def test_without_a_badge_nothing_is_asked(lends: Kind, kind: Kind) -> None:
    async def main(clock: LogicalClock) -> tuple[Kind, int]:
        lender = _Lender(clock, lends=lends)
        return (await lender.badge.use(lender.ask)).kind, lender.asked

    assert run(main) == (kind, 0)


def test_a_refusal_is_told_from_an_answer() -> None:
    parse = unless_refused(lambda answer: answer.status)
    assert parse(response({}, 401)) is Refusal.REFUSED
    assert parse(response({})) == 200
