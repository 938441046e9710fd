"""Consensus: order-free, bounded, groups count once, silence has no weight, below quorum there is nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.signals.naive_consensus import naive_consensus

from tapeline.core.config import SignalsConfig
from tapeline.core.errors import ConfigError
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Side, Vote
from tapeline.signals.consensus import consensus, signal_id

NOW_NS = 1_273_160_000 * NS_PER_S
CONFIG = SignalsConfig()
THREE = SignalsConfig(weights={"tape": 0.5, "news": 0.3, "filings": 0.2}, min_strength=0.2)
BULL = value_of("BULL", source="regime")
UNKNOWN: Outcome[str] = nothing(Kind.NO_DATA, source="regime", reason="137 closes")
GROUPS = ("tape", "news", "filings")


def vote(source: str, side: float, confidence: float = 0.8, as_of_ns: int = NOW_NS) -> Outcome[Vote]:
    """Return a vote; the group is the part of the source before the dot."""
    opinion = Vote(source, source.split(".")[0], side, confidence, as_of_ns, "said")
    return value_of(opinion, source=source)


def silence(source: str, kind: Kind = Kind.ABSTAINED) -> Outcome[Vote]:
    """Return an outcome without an opinion."""
    return nothing(kind, source=source, reason="nothing to say")


@st.composite
def ballots(draw: st.DrawFn) -> list[Outcome[Vote]]:
    """Draw outcomes of distinct sources in up to three groups, some silent, some old."""
    sources = draw(st.lists(st.sampled_from([f"{g}.{i}" for g in GROUPS for i in range(3)]), unique=True, max_size=9))
    drawn: list[Outcome[Vote]] = []
    for source in sources:
        if draw(st.integers(0, 4)) == 0:
            drawn.append(silence(source, draw(st.sampled_from([k for k in Kind if k is not Kind.VALUE]))))
        else:
            side = draw(st.floats(-1, 1, allow_subnormal=False))
            confidence = draw(st.floats(1e-3, 1))
            age_s = draw(st.sampled_from([0, 60, 900, 901]))
            drawn.append(vote(source, side, confidence, NOW_NS - age_s * NS_PER_S))
    return drawn


regimes = st.sampled_from([None, "BULL", "BEAR", "CHOP", "CRISIS"])


def _regime(name: str | None) -> Outcome[str]:
    return UNKNOWN if name is None else value_of(name, source="regime")


@given(ballots(), regimes)
def test_consensus_equals_its_naive_twin(votes: list[Outcome[Vote]], regime: str | None) -> None:
    outcome = consensus("ACME", votes, _regime(regime), THREE, NOW_NS)
    expected = naive_consensus(votes, regime, THREE, NOW_NS)
    near_gate = naive_consensus(votes, regime, _gate(THREE, 1 - 1e-9), NOW_NS) != naive_consensus(
        votes, regime, _gate(THREE, 1 + 1e-9), NOW_NS
    )
    assume(not near_gate)
    if expected is None:
        assert outcome.value is None
    else:
        signal = outcome.unwrap()
        assert signal.side.sign == expected[0]
        assert signal.strength == pytest.approx(expected[1], rel=1e-12)


def _gate(config: SignalsConfig, factor: float) -> SignalsConfig:
    return SignalsConfig(weights=config.weights, min_strength=config.min_strength * factor)


@given(ballots().flatmap(lambda votes: st.tuples(st.just(votes), st.permutations(votes))), regimes)
def test_order_of_votes_changes_nothing_to_the_bit(
    orders: tuple[list[Outcome[Vote]], list[Outcome[Vote]]], regime: str | None
) -> None:
    first, second = (consensus("ACME", votes, _regime(regime), THREE, NOW_NS) for votes in orders)
    assert first == second


@given(ballots(), regimes)
def test_strength_is_bounded_and_the_signal_has_a_quorum(votes: list[Outcome[Vote]], regime: str | None) -> None:
    outcome = consensus("ACME", votes, _regime(regime), THREE, NOW_NS)
    if outcome.value is not None:
        assert THREE.min_strength <= outcome.value.strength <= 1.0
        assert len({v.group for v in outcome.value.votes}) >= THREE.quorum_groups


def test_a_signal_as_strong_as_the_least_is_one_and_none_is_stronger_than_one() -> None:
    config = SignalsConfig(weights=THREE.weights, min_strength=0.5)
    half, less, whole = ([vote(group, 1.0, confidence) for group in GROUPS] for confidence in (0.5, 0.499, 1.0))
    assert consensus("ACME", half, UNKNOWN, config, NOW_NS).unwrap().strength == 0.5
    assert consensus("ACME", less, UNKNOWN, config, NOW_NS).kind is Kind.ABSTAINED
    assert consensus("ACME", whole, BULL, config, NOW_NS).unwrap().strength == 1.0


@given(ballots(), regimes, st.sampled_from([kind for kind in Kind if kind is not Kind.VALUE]))
def test_adding_a_silent_source_changes_nothing_but_the_record(
    votes: list[Outcome[Vote]], regime: str | None, kind: Kind
) -> None:
    before = consensus("ACME", votes, _regime(regime), THREE, NOW_NS)
    after = consensus("ACME", [*votes, silence("news.late", kind)], _regime(regime), THREE, NOW_NS)
    assert after.kind is before.kind
    if before.value is not None:
        assert replace(after.unwrap(), silent=()) == replace(before.value, silent=())
        assert ("news.late", f"{kind}: nothing to say") in after.unwrap().silent


@given(ballots())
def test_one_group_alone_never_makes_a_signal(votes: list[Outcome[Vote]]) -> None:
    alone = [o for o in votes if o.source.startswith("tape")]
    outcome = consensus("ACME", alone, BULL, THREE, NOW_NS)
    assert outcome.kind is Kind.NO_DATA


@given(ballots())
def test_mirrored_votes_give_the_mirrored_side_when_the_regime_is_unknown(votes: list[Outcome[Vote]]) -> None:
    mirrored = [o.map(lambda v: replace(v, side=-v.side)) for o in votes]
    one, other = (consensus("ACME", each, UNKNOWN, THREE, NOW_NS) for each in (votes, mirrored))
    assert one.kind is other.kind
    if one.value is not None:
        assert one.value.side is not other.unwrap().side
        assert one.value.strength == other.unwrap().strength


def test_two_agreeing_groups_give_a_signal_with_id_and_expiry() -> None:
    outcome = consensus("ACME", [vote("tape.trend", 1.0), vote("news.headlines", 0.5)], UNKNOWN, CONFIG, NOW_NS)
    signal = outcome.unwrap()
    assert signal.side is Side.BUY
    assert signal.strength == pytest.approx(0.6 * 0.8 + 0.4 * 0.4)
    assert signal.signal_id == signal_id("ACME", Side.BUY, NOW_NS)
    assert signal.expires_ns == NOW_NS + 900 * NS_PER_S
    assert signal.regime == "UNKNOWN"


def test_restating_one_opinion_inside_a_group_adds_no_strength() -> None:
    news = vote("news.headlines", -1.0)
    one = consensus("ACME", [vote("tape.trend", -1.0), news], UNKNOWN, CONFIG, NOW_NS).unwrap()
    three = consensus("ACME", [*(vote(f"tape.{i}", -1.0) for i in range(3)), news], UNKNOWN, CONFIG, NOW_NS).unwrap()
    assert three.strength == pytest.approx(one.strength)


def test_groups_that_disagree_give_no_signal_however_sure_one_is() -> None:
    outcome = consensus("ACME", [vote("tape.trend", 1.0, 1.0), vote("news.headlines", -0.1)], BULL, CONFIG, NOW_NS)
    assert outcome.kind is Kind.ABSTAINED
    assert "do not agree" in outcome.reason


def test_silent_groups_do_not_dilute_those_that_speak() -> None:
    two = [vote("tape.trend", 1.0, 1.0), vote("news.headlines", 1.0, 1.0)]
    assert consensus("ACME", two, UNKNOWN, THREE, NOW_NS).unwrap().strength == 1.0


def test_quorum_counts_agreeing_groups_not_speaking_ones() -> None:
    votes = [vote("tape.trend", 1.0), vote("news.headlines", -0.2), vote("filings.8k", 0.0)]
    assert consensus("ACME", votes, UNKNOWN, THREE, NOW_NS).kind is Kind.ABSTAINED


def test_whisper_of_a_second_group_makes_no_quorum() -> None:
    outcome = consensus("ACME", [vote("tape.trend", 1.0, 1.0), vote("news.headlines", 1.0, 0.05)], BULL, CONFIG, NOW_NS)
    assert outcome.kind is Kind.ABSTAINED
    assert "do not agree" in outcome.reason


def test_weak_agreement_is_refused_with_its_numbers() -> None:
    outcome = consensus("ACME", [vote("tape.trend", 0.4), vote("news.headlines", 0.4)], UNKNOWN, CONFIG, NOW_NS)
    assert outcome.kind is Kind.ABSTAINED
    assert "0.32" in outcome.reason
    assert "0.5" in outcome.reason


def test_reason_of_a_missing_quorum_names_the_silent_sources() -> None:
    outcome = consensus(
        "ACME", [vote("tape.trend", 1.0), silence("news.headlines", Kind.LIMITED)], BULL, CONFIG, NOW_NS
    )
    assert outcome.kind is Kind.NO_DATA
    assert "news.headlines limited: nothing to say" in outcome.reason


def test_vote_older_than_the_ttl_is_silent_and_recorded_as_stale() -> None:
    old = vote("filings.8k", -1.0, as_of_ns=NOW_NS - 901 * NS_PER_S)
    votes = [vote("tape.trend", 1.0), vote("news.headlines", 1.0), old]
    signal = consensus("ACME", votes, UNKNOWN, THREE, NOW_NS).unwrap()
    assert [source for source, _ in signal.silent] == ["filings.8k"]


def test_regime_tilts_with_its_direction() -> None:
    up = [vote("tape.trend", 1.0), vote("news.headlines", 1.0)]
    down = [vote("tape.trend", -1.0), vote("news.headlines", -1.0)]
    strength = {
        (name, way): consensus("ACME", votes, _regime(name), CONFIG, NOW_NS).unwrap().strength
        for name in (None, "BULL", "BEAR", "CHOP", "CRISIS")
        for way, votes in (("up", up), ("down", down))
    }
    assert strength["BULL", "up"] > strength[None, "up"] > strength["BEAR", "up"] > strength["CRISIS", "up"]
    assert strength["BEAR", "down"] > strength["CRISIS", "down"] == strength[None, "down"] > strength["BULL", "down"]
    assert strength["CHOP", "up"] == strength["CHOP", "down"] < strength[None, "up"]


def test_group_without_a_weight_is_a_configuration_error_naming_it() -> None:
    with pytest.raises(ConfigError, match="'filings'"):
        consensus("ACME", [vote("tape.trend", 1.0), vote("filings.8k", 1.0)], BULL, CONFIG, NOW_NS)


def test_source_that_votes_twice_is_a_bug() -> None:
    with pytest.raises(ValueError, match="votes twice"):
        consensus("ACME", [vote("tape.trend", 1.0), silence("tape.trend")], BULL, CONFIG, NOW_NS)


def test_vote_from_the_future_is_a_bug() -> None:
    with pytest.raises(ValueError, match="after the decision"):
        consensus("ACME", [vote("tape.trend", 1.0, as_of_ns=NOW_NS + 1)], BULL, CONFIG, NOW_NS)


def test_id_depends_on_symbol_side_and_moment_only() -> None:
    assert signal_id("ACME", Side.BUY, 1) == "1abc25844c942df6"
    ids = {signal_id(s, side, t) for s in ("ACME", "BETA") for side in Side for t in (NOW_NS, NOW_NS + 1)}
    assert len(ids) == 8
