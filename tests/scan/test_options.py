"""Options: the fitting contract, its reasons, and for everybody else the rule that refused."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Candidate
from tapeline.scan.options import Contract, Rules, pick_options, refusal

GOOD = Contract("A45C", 100.0, 45.0, 2.95, 3.05, 1000.0, 0.5, 30.0)
A = Candidate("A", 1, 1.0, 100.0, 2.0, 0, 0.0, ())


def test_best_fitting_contract_is_picked_with_its_reasons() -> None:
    wide, far = replace(GOOD, symbol="W", bid=2.92, ask=3.08), replace(GOOD, symbol="F", delta=0.36)
    pick = pick_options([A], {"A": value_of((wide, GOOD, far), source="x")}, 50)["A"].unwrap()
    assert pick.contract == GOOD
    assert 0.0 < pick.score <= 1.0
    assert pick.reasons[0] == "45 days, delta +0.50, open interest 1,000"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"days_to_expiry": 10.0}, "expiry"),
        ({"open_interest": math.nan}, "open interest"),
        ({"bid": 0.0}, "one side missing"),
        ({"ask": 4.0}, "spread above"),
        ({"delta": math.nan}, "delta outside"),
        ({"delta": -0.9}, "delta outside"),
        ({"iv_percentile": 95.0}, "80th percentile"),
    ],
)
def test_what_breaks_a_rule_or_is_unknown_is_refused_by_name(change: dict[str, float], says: str) -> None:
    bad = replace(GOOD, **change)  # type: ignore[arg-type]
    assert says in refusal(bad, Rules())
    found = pick_options([A], {"A": value_of((bad,), source="x")}, 50)["A"]
    assert found.kind is Kind.ABSTAINED
    assert says in found.reason


def test_unknown_percentile_passes_and_says_why_and_a_put_is_none_for_a_buyer() -> None:
    unknown = replace(GOOD, iv_percentile=math.nan, iv_note="3 days are remembered")
    assert refusal(unknown, Rules()) == ""
    reasons = pick_options([A], {"A": value_of((unknown,), source="x")}, 50)["A"].unwrap().reasons
    assert "IV percentile unknown: 3 days are remembered" in reasons
    assert "delta" in refusal(replace(GOOD, delta=-0.5), Rules())


def test_only_the_best_are_looked_at_and_missing_chains_keep_their_reason() -> None:
    others = [replace(A, symbol=name, rank=rank) for rank, name in enumerate("BC", 2)]
    gone: Outcome[tuple[Contract, ...]] = nothing(Kind.LIMITED, source="vendor", reason="no budget left")
    found = pick_options([A, *others], {"A": gone}, 2)
    assert list(found) == ["A", "B"]
    assert (found["A"].kind, found["A"].reason) == (Kind.LIMITED, "no budget left")
    assert found["B"].kind is Kind.NO_DATA
