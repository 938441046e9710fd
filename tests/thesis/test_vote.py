"""A dossier's vote: silent in the hold band, bounded outside it."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.thesis.dossiers import NOW_NS, collected

from tapeline.core.config import ThesisConfig
from tapeline.core.outcome import Kind
from tapeline.core.types import Dossier
from tapeline.thesis.analyse import action_of, analyse
from tapeline.thesis.vote import GROUP, dossier_vote

CONFIG = ThesisConfig()


def dossier(conviction: float, degraded: tuple[str, ...] = ()) -> Dossier:
    whole = anyio.run(lambda: analyse(collected(), None, CONFIG)).unwrap()
    return replace(whole, conviction=conviction, action=action_of(conviction, CONFIG), degraded=degraded)


def test_a_hold_abstains_and_is_never_a_neutral_vote() -> None:
    outcome = dossier_vote(dossier(0.5), NOW_NS)
    assert outcome.kind is Kind.ABSTAINED
    assert "0.50" in outcome.reason


@pytest.mark.parametrize(("conviction", "side"), [(0.7, 0.4), (1.0, 1.0), (0.3, -0.4), (0.0, -1.0)])
def test_a_side_is_the_distance_from_no_opinion(conviction: float, side: float) -> None:
    vote = dossier_vote(dossier(conviction), NOW_NS).unwrap()
    assert vote.side == pytest.approx(side)
    assert (vote.group, vote.as_of_ns) == (GROUP, NOW_NS)


def test_each_gap_costs_confidence_down_to_a_floor() -> None:
    said = [dossier_vote(dossier(0.9, ("gap",) * n), NOW_NS).unwrap().confidence for n in (0, 1, 50)]
    assert said == pytest.approx([0.9, 0.8, 0.3])


@given(st.floats(0, 1), st.integers(0, 20))
def test_a_vote_is_always_in_range(conviction: float, gaps: int) -> None:
    vote = dossier_vote(dossier(conviction, ("gap",) * gaps), NOW_NS).value
    assert (vote is None) == (0.3 < conviction < 0.7)
