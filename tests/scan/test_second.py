"""The second stage: bounded, on time, and a reason wherever a number is not known."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import anyio
import msgspec
import polars as pl
import pytest
from tests.ml.made import QUICK, history
from tests.scan.test_market import CONFIG
from tests.scan.test_options import GOOD

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Candidate, Evidence, Label
from tapeline.scan.market import run_scan
from tapeline.scan.options import Chain, Pick
from tapeline.scan.second import FACTS, TEXTS, Experts, SecondLook, look_closer
from tapeline.scan.table import write_table

FIVE = tuple(Candidate(name, rank, 1.0, 100.0, 2.0, 0, 0.0, ()) for rank, name in enumerate("ABCDE", 1))
FEW = msgspec.structs.replace(CONFIG, options_max_symbols=3, fundamentals_max_symbols=2, second_concurrency=2)


def evidence(symbol: str) -> Outcome[Evidence]:
    facts = (("pe_ratio", 12.5), ("market_cap_usd", math.nan))
    return value_of(Evidence("fundamentals", symbol, "yahoo", 0, Label.SIMULATED, facts), source="yahoo")


async def company(symbol: str, _deadline_ns: int) -> Outcome[Evidence]:
    if symbol == "B":
        return nothing(Kind.NO_DATA, source="yahoo", reason="no fundamentals of B")
    return evidence(symbol)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_best_are_asked_about_concurrently_within_bounds_and_time_moves_meanwhile(backend: str) -> None:
    clock = LogicalClock(0)
    open_now, most, asked = 0, 0, []

    async def chain(symbol: str, _deadline_ns: int) -> Chain:
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        asked.append(symbol)
        await clock.sleep_until(clock.now_ns() + NS_PER_S)
        open_now -= 1
        return value_of((GOOD,), source="x")

    async def main() -> SecondLook:
        with anyio.fail_after(20):
            async with actor(clock):
                return await look_closer(FIVE, FEW, Experts(chain, company), clock)

    look = anyio.run(main, backend=backend)
    assert (sorted(asked), most, clock.now_ns()) == (["A", "B", "C"], 2, 2 * NS_PER_S)
    assert list(look.picks) == ["A", "B", "C"]
    assert list(look.companies) == ["A", "B"]
    assert look.picks["A"].unwrap().contract == GOOD


def test_who_answers_late_or_fails_or_is_beyond_the_deadline_is_missing_with_that_reason() -> None:
    clock = LogicalClock(0)
    config = msgspec.structs.replace(FEW, second_timeout_s=10.0, second_concurrency=1)

    async def chain(symbol: str, deadline_ns: int) -> Chain:
        if symbol == "A":
            raise BadMessage("it holds 'x', which is no option")
        await clock.sleep_until(deadline_ns + NS_PER_S)
        return value_of((GOOD,), source="x")

    async def main() -> SecondLook:
        async with actor(clock):
            return await look_closer(FIVE, config, Experts(chain), clock)

    look = anyio.run(main)
    assert [look.picks[name].kind for name in "ABC"] == [Kind.ERROR, Kind.ERROR, Kind.LIMITED]
    assert ["no option" in look.picks["A"].reason, look.picks["B"].reason] == [True, "no answer in time"]
    assert clock.now_ns() == 10 * NS_PER_S
    assert look.companies == {}
    assert len(look.missing) == 3


def test_what_is_not_known_is_an_empty_cell_beside_its_reason() -> None:
    look = anyio.run(look_closer, FIVE, FEW, Experts(company=company), LogicalClock(0))
    cells = look.cells("A")
    assert set(cells) == {*FACTS, "company_note"}
    assert (cells["pe_ratio"], cells["market_cap_usd"]) == (12.5, None)
    assert cells["company_note"].startswith("yahoo, simulated; not told: market_cap_usd")
    assert look.cells("B") == {**dict.fromkeys(FACTS), "company_note": "no fundamentals of B"}
    assert look.cells("E")["company_note"] == "not among those looked at"


def test_nobody_to_ask_adds_no_column() -> None:
    look = anyio.run(look_closer, FIVE, FEW, Experts(), LogicalClock(0))
    assert (look, look.columns(FIVE), look.columns(())) == (SecondLook(), {}, {})


def test_the_table_and_its_file_hold_the_columns(tmp_path: Path) -> None:
    scanned = run_scan(history(seed=9).grid, CONFIG, QUICK, models=None).result
    first = scanned.candidates[0].symbol
    pick = Pick(first, GOOD, 0.7, ("45 days",))
    look = SecondLook({first: value_of(pick, source="options")}, {first: evidence(first)})
    write_table(replace(scanned, more=look.columns(scanned.candidates)), tmp_path / "x.parquet")
    table = pl.read_parquet(tmp_path / "x.parquet")
    assert all(table[name].dtype == pl.String for name in TEXTS)
    assert table["option_delta"].to_list()[:2] == [0.5, None]
    assert table["market_cap_usd"].null_count() == table.height
    assert table["option_note"][1] == "not among those looked at"
