"""Latency and faults: drawn from what a request is, never from when it came in the order of arrival."""

from __future__ import annotations

import random
from pathlib import Path
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sim.worlds import at

from tapeline.core.errors import BadInput
from tapeline.core.types import NS_PER_S
from tapeline.sim.faults import Fate, Fault, FaultPlan, Latency, Weather, load_plan

BARS = "/v2/stocks/bars"
PLAN = FaultPlan(
    fault=(
        Fault("status", 0.2, BARS, status=503),
        Fault("stall", 0.2),
        Fault("truncate", 0.2),
        Fault("missing", 0.3),
    )
)


def fates(requests: list[tuple[str, int]], seed: int = 7, plan: FaultPlan = PLAN) -> dict[tuple[str, int], list[Fate]]:
    weather = Weather(plan, seed)
    found: dict[tuple[str, int], list[Fate]] = {}
    for query, now_ns in requests:
        found.setdefault((query, now_ns), []).append(weather.fate(BARS, query, now_ns))
    return found


@given(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12), st.randoms())
def test_the_order_of_arrival_changes_nothing(queries: list[str], shuffle: random.Random) -> None:
    other = list(queries)
    shuffle.shuffle(other)
    assert fates([(q, 5) for q in queries]) == fates([(q, 5) for q in other])


def test_a_repeated_request_has_a_fate_of_its_own() -> None:
    found = fates([("a", 5)] * 40)["a", 5]
    assert len({fate.latency_ms for fate in found}) > 20


def test_another_seed_is_another_weather() -> None:
    requests = [(str(i), 5) for i in range(20)]
    assert fates(requests, seed=7) == fates(requests, seed=7)
    assert fates(requests, seed=7) != fates(requests, seed=8)


def test_a_seed_in_the_plan_wins_over_the_simulators_own() -> None:
    requests = [(str(i), 5) for i in range(20)]
    plan = FaultPlan(seed=3, fault=PLAN.fault)
    assert fates(requests, 7, plan) == fates(requests, 8, plan)


def test_every_kind_strikes_about_as_often_as_planned() -> None:
    found = [fate for several in fates([(str(i), 5) for i in range(2_000)]).values() for fate in several]
    share = {kind: sum(f.fault == kind for f in found) / 2_000 for kind in ("status_503", "stall", "truncate")}
    assert share["status_503"] == pytest.approx(0.2, abs=0.04)
    assert share["stall"] == pytest.approx(0.16, abs=0.04)
    assert share["truncate"] == pytest.approx(0.128, abs=0.04)
    assert all(fate.latency_ms == 30_000 for fate in found if fate.fault == "stall")


def test_a_burst_strikes_every_request_of_a_stretch_and_none_of_another() -> None:
    weather = Weather(FaultPlan(fault=(Fault("status", 0.25, status=429, burst_s=5.0),)), 7)
    struck = [
        {weather.fate(BARS, query, stretch * 5 * NS_PER_S + second * NS_PER_S).status for query in "abc"}
        for stretch in range(200)
        for second in (0, 4)
    ]
    assert all(len(statuses) == 1 for statuses in struck)
    assert struck[::2] == struck[1::2]
    assert sum(statuses == {429} for statuses in struck) / len(struck) == pytest.approx(0.25, abs=0.1)


def test_missing_symbols_are_drawn_one_by_one() -> None:
    weather = Weather(FaultPlan(fault=(Fault("missing", 0.3),)), 7)
    fate = weather.fate(BARS, "q", 5)
    lost = [symbol for symbol in map(str, range(1_000)) if fate.loses(symbol)]
    assert len(lost) == pytest.approx(300, abs=60)


def test_without_a_plan_nothing_fails_and_latency_has_the_tables_median() -> None:
    weather = Weather(FaultPlan(), 7)
    found = [weather.fate(BARS, str(i), 5) for i in range(1_000)]
    assert {fate.fault for fate in found} == {None}
    assert not found[0].loses("AA")
    assert median(fate.latency_ms for fate in found) == pytest.approx(60.0, rel=0.1)


def test_the_longest_path_in_the_latency_table_wins() -> None:
    plan = FaultPlan(latency={"/v2": Latency(1.0, 0.0), "/v2/stocks/bars/latest": Latency(9.0, 0.0)})
    weather = Weather(plan, 7)
    assert weather.fate("/v2/stocks/bars/latest", "", 0).latency_ms == 9.0
    assert weather.fate("/v2/orders", "", 0).latency_ms == 1.0


def test_a_fault_holds_only_between_its_times_and_on_its_route(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        '[[fault]]\nkind = "status"\nstatus = 429\nprobability = 1.0\n'
        'route = "/v2/stocks"\nfrom_time = 10:00:00\nuntil_time = 11:00:00\n'
    )
    weather = Weather(load_plan(file), 7)
    assert weather.fate(BARS, "", at("10:00")).status == 429
    assert weather.fate(BARS, "", at("09:59")).status is None
    assert weather.fate(BARS, "", at("11:00")).status is None
    assert weather.fate("/rss/search", "", at("10:30")).status is None


def test_a_fault_of_a_family_strikes_all_its_routes_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text('[[fault]]\nkind = "status"\nprobability = 1.0\nfamily = "reddit"\n')
    weather = Weather(load_plan(file), 7)
    assert weather.fate("/r/stocks/hot", "", 5, "reddit").status == 500
    assert weather.fate("/api/v1/access_token", "", 5, "reddit").status == 500
    assert weather.fate("/v1/chat/completions", "", 5, "chat").status is None
    assert weather.fate(BARS, "", 5, "data").status is None


def test_a_plan_may_be_json(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text('{"fault": [{"kind": "stall", "probability": 1, "from_time": "09:30:00"}]}')
    assert Weather(load_plan(file), 7).fate(BARS, "", at("10:00")).latency_ms == 30_000


@pytest.mark.parametrize(
    "text",
    [
        "[[fault]]\nkind = 'flood'\nprobability = 1.0",
        "[[fault]]\nkind = 'stall'\nprobability = 2.0",
        "colour = 1",
        "[[fault]]\nkind = 'stall'\nprobability = 1.0\nfamily = 'nobody'",
        "= =",
    ],
)
def test_a_wrong_plan_is_one_sentence_with_its_path(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(text)
    with pytest.raises(BadInput, match=r"plan\.toml is wrong") as refused:
        load_plan(file)
    assert "\n" not in str(refused.value)


def test_a_plan_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be read"):
        load_plan(tmp_path / "none.toml")


def test_no_plan_is_the_empty_plan() -> None:
    assert load_plan(None) == FaultPlan()
