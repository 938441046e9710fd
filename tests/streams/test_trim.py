"""How far a stream is cut: what stays is what was asked for and a little more, whatever the pace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tapeline.streams.store import BEGINNING, id_key
from tapeline.streams.trim import STEPS, Step, next_cut


@given(most=st.integers(1, 5_000), paces=st.lists(st.integers(0, 3_000), min_size=1, max_size=60))
def test_as_many_stay_as_asked_for_and_not_many_more(most: int, paces: list[int]) -> None:
    steps: list[Step] = []
    applied, cut = 0, 0
    for pace in paces:
        applied += pace
        steps, found = next_cut(steps, applied, f"{applied}-0", most)
        cut = max(cut, id_key(found)[0])
        assert applied - cut >= min(applied, most)
        assert applied - cut <= most + most // STEPS + max(paces)
        assert len(steps) <= STEPS + 2


def test_after_a_count_that_began_anew_nothing_goes_until_enough_were_applied() -> None:
    steps, _ = next_cut([], 1_000, "9-0", 100)
    steps, cut = next_cut(steps, 5, "10-0", 100)
    assert (steps, cut) == ([(5, "10-0")], BEGINNING)
    assert next_cut(steps, 105, "11-0", 100) == ([(105, "11-0")], "10-0")
