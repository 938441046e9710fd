"""Credentials that are lent: kept while they hold, renewed once when refused."""

from __future__ import annotations

import pytest
from tests.feed.vendors.desk import response
from tests.feed.worlds import run

from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.feed.vendors.badge import Badge, Lent, Refusal, unless_refused


class _Lender:
    """Lends badges with rising numbers, and takes those from ``least`` on."""

    def __init__(self, clock: LogicalClock, *, least: int = 0, lends: Kind = Kind.VALUE) -> None:
        self.badge: Badge[int] = Badge(self.obtain, clock=clock)
        self.lent, self.asked = 0, 0
        self.least, self.lends = least, lends

    async def obtain(self) -> Outcome[Lent[int]]:
        self.lent += 1
        if self.lends is not Kind.VALUE:
            return nothing(self.lends, source="lender", reason="shut")
        return value_of(Lent(self.lent, 10.0), source="lender")

    async def ask(self, badge: int) -> Outcome[str | Refusal]:
        self.asked += 1
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
