"""News vote: reasons kept apart, repeats count once, age decays, the future is not read."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Headline, Label
from tapeline.signals.news import MAX_CONFIDENCE, NewsRule, NewsSource, news_vote

NOW_NS = 1_273_160_000 * NS_PER_S
RULE = NewsRule(max_age_s=86_400.0, half_life_s=3_600.0)
HOUR_NS = 3_600 * NS_PER_S


def headline(title: str, age_s: float = 0.0, publisher: str = "Wire") -> Headline:
    """Return a headline of ACME."""
    event_ns = NOW_NS - round(age_s * NS_PER_S)
    return Headline("ACME", event_ns, title, publisher, "https://news.example/1", Label.SIMULATED)


def asked(*headlines: Headline) -> Outcome[tuple[Headline, ...]]:
    """Return what a vendor would answer."""
    return value_of(tuple(headlines), source="google_news")


titles = st.sampled_from(
    [
        "Acme plunges",
        "Acme tumbles on fear",
        "Acme rallies",
        "Acme up",
        "Acme to speak",
        "Acme not bullish",
        "Acme sinks",
    ]
)
piles = st.lists(st.builds(headline, titles, st.floats(-3600, 100_000)), max_size=12)


def test_one_fresh_plunge_is_a_sell_at_half_confidence() -> None:
    vote = news_vote(asked(headline("Acme shares plunge")), NOW_NS, RULE).unwrap()
    assert (vote.group, vote.side, vote.confidence) == ("news", -1.0, 0.5)


def test_same_title_from_five_publishers_counts_once() -> None:
    once = news_vote(asked(headline("Acme plunges")), NOW_NS, RULE).unwrap()
    five = [headline(f"ACME plunges! - Paper {i}", publisher=f"Paper {i}") for i in range(5)]
    assert news_vote(asked(*five), NOW_NS, RULE).unwrap().confidence == once.confidence


def test_repeat_is_as_old_as_its_first_printing() -> None:
    repeated = news_vote(asked(headline("Acme plunges", 3_600), headline("Acme plunges", 0)), NOW_NS, RULE).unwrap()
    assert repeated.confidence == pytest.approx(0.5 / 1.5)


def test_fresh_headline_outweighs_old_ones() -> None:
    vote = news_vote(asked(headline("Acme rallies", 6 * 3_600), headline("Acme plunges")), NOW_NS, RULE).unwrap()
    assert vote.side < -0.9


def test_failure_of_the_vendor_keeps_its_kind_and_reason() -> None:
    for kind in (Kind.ERROR, Kind.LIMITED, Kind.NO_DATA, Kind.STALE):
        outcome = news_vote(nothing(kind, source="google_news", reason="because"), NOW_NS, RULE)
        assert (outcome.kind, outcome.reason) == (kind, "because")


def test_no_headlines_old_ones_silent_ones_and_mixed_ones_are_four_reasons() -> None:
    old = headline("Acme plunges", 90_000)
    mixed = (headline("Acme plunges"), headline("Acme rallies"))
    kinds = [news_vote(asked(*pile), NOW_NS, RULE) for pile in ((), (old,), (headline("Acme to present"),), mixed)]
    assert [outcome.kind for outcome in kinds] == [Kind.NO_DATA, Kind.STALE, Kind.ABSTAINED, Kind.ABSTAINED]
    assert len({outcome.reason for outcome in kinds}) == 4


@given(piles, st.lists(st.builds(headline, titles, st.floats(-90_000, -1)), max_size=4))
def test_headlines_of_the_future_change_nothing(past: list[Headline], future: list[Headline]) -> None:
    assert news_vote(asked(*past, *future), NOW_NS, RULE) == news_vote(asked(*past), NOW_NS, RULE)


@given(piles.flatmap(lambda pile: st.tuples(st.just(pile), st.permutations(pile))))
def test_order_changes_nothing_and_the_vote_is_bounded(piles: tuple[list[Headline], list[Headline]]) -> None:
    first, second = (news_vote(asked(*pile), NOW_NS, RULE) for pile in piles)
    assert first == second
    if first.value is not None:
        assert 0.0 < first.value.confidence <= MAX_CONFIDENCE


def test_source_asks_for_the_symbol_and_votes_as_of_the_decision() -> None:
    async def fetch(symbol: str) -> Outcome[tuple[Headline, ...]]:
        assert symbol == "ACME"
        return asked(headline("Acme plunges"), headline("Acme rallies", -60))

    source = NewsSource(fetch, RULE)
    outcome = anyio.run(source.vote, "ACME", NOW_NS)
    assert outcome.unwrap().side == -1.0
    assert outcome.source == source.name
