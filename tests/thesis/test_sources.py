"""Sources that can be asked: those with content, in their order, with nothing unknown in them."""

from __future__ import annotations

import math

from tests.thesis.dossiers import FACTS, NOW_NS, changed, collected

from tapeline.thesis.collect import STEPS
from tapeline.thesis.sources import SOURCES, pools


def test_every_step_feeds_exactly_one_source() -> None:
    fed = [step for source in SOURCES for step in source.steps]
    assert sorted(fed) == sorted(STEPS)


def test_sources_with_content_come_in_their_order() -> None:
    assert [pool.source.name for pool in pools(collected())] == [source.name for source in SOURCES]


def test_a_source_without_content_is_not_offered() -> None:
    facts = {**changed("analyst_data", target_upside_pct=math.nan), "insider_activity": {}}
    names = [pool.source.name for pool in pools(collected(facts, {"news": ("\u200b \n",), "youtube": ()}))]
    assert names == ["fundamentals", "technicals", "risk", "balance", "earnings"]


def test_passages_are_newest_first_and_unknown_facts_left_out() -> None:
    found = {pool.source.name: pool for pool in pools(collected(changed("fundamentals", pe_ratio=math.nan)))}
    moments = [passage.event_ns for passage in found["news"].passages]
    assert moments == sorted(moments, reverse=True)
    assert moments[0] == NOW_NS
    assert dict(found["fundamentals"].facts) == {
        "revenue_growth_pct": 14.0,
        "profit_margin_pct": 23.0,
        **FACTS["financial_history"],
    }
