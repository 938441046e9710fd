"""The scan as a whole: explained, deterministic, blind to the future, and one bad symbol spoils nothing."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scan.markets import (
    MINUTE_NS,
    Bars,
    day_grid,
    make_bars,
    minute_grid,
    names,
    open_ns,
    session_of,
)

from tapeline.core.config import ScanConfig
from tapeline.core.errors import BadInput, ConfigError
from tapeline.core.outcome import Kind
from tapeline.core.types import F64, BarFrame, Candidate, Label
from tapeline.grid import BarGrid
from tapeline.scan.factors import FACTORS
from tapeline.scan.result import ScanResult
from tapeline.scan.scan import TRACKED, scan, settled_atr

CONFIG = ScanConfig(min_price=1.0, min_dollar_volume=1e6, top=5)
LAST = 89
AS_OF_NS = open_ns(LAST) + 120 * MINUTE_NS


def run(
    bars: Bars,
    symbols: list[str] | None = None,
    *,
    config: ScanConfig = CONFIG,
    minutes: BarGrid | None = None,
    as_of_ns: int = AS_OF_NS,
    also: tuple[str, ...] = (),
) -> ScanResult:
    """Scan made-up bars in the session of their last row."""
    return scan(day_grid(bars, symbols), minutes, config, as_of_ns, session=session_of(LAST), also=also)


def same(one: ScanResult, other: ScanResult) -> bool:
    """Return whether two scans decided the same, candidate by candidate, to the bit."""
    return (one.candidates, one.asked, one.excluded, one.n_scored) == (
        other.candidates,
        other.asked,
        other.excluded,
        other.n_scored,
    )


def replaced(column: F64, col: int, value: float, rows: slice = slice(None)) -> F64:
    """Return a copy with part of one column replaced."""
    copy = column.copy()
    copy[rows, col] = value
    return copy


@given(st.integers(0, 2**32 - 1))
def test_score_is_exactly_the_sum_of_its_contributions(seed: int) -> None:
    result = run(make_bars(seed=seed), also=("S07",))
    for candidate in (*result.candidates, *result.asked):
        assert sum(points for _, points in candidate.contributions) == candidate.score
        assert [name for name, _ in candidate.contributions] == list(CONFIG.weights)


def test_candidates_are_the_best_by_score_with_ranks_from_one() -> None:
    result = run(make_bars())
    assert result.n_scored == 8
    scores = dict(zip(result.symbols, result.scores.tolist(), strict=True))
    assert [c.symbol for c in result.candidates] == sorted(scores, key=lambda s: (-scores[s], s))[:5]
    assert [c.rank for c in result.candidates] == [1, 2, 3, 4, 5]
    assert all(c.score == scores[c.symbol] for c in result.candidates)


def test_equal_symbols_are_ranked_by_name() -> None:
    bars = {name: np.repeat(column[:, :1], 4, axis=1) for name, column in make_bars().items()}
    result = run(bars, ["D", "B", "C", "A"])
    assert [c.symbol for c in result.candidates] == ["A", "B", "C", "D"]
    assert {c.score for c in result.candidates} == {0.0}


@given(st.permutations(range(8)), st.integers(0, 2**32 - 1))
def test_order_of_columns_changes_nothing(order: list[int], seed: int) -> None:
    bars = make_bars(seed=seed)
    bars = {name: replaced(column, 3, np.nan, slice(-4, None)) for name, column in bars.items()}
    shuffled = {name: column[:, order] for name, column in bars.items()}
    symbols = [names(8)[i] for i in order]
    assert same(run(bars, also=("S01",)), run(shuffled, symbols, also=("S01",)))


@given(st.integers(0, 2**32 - 1), st.integers(80, 88), st.floats(0.01, 100.0))
def test_rows_of_the_future_change_nothing(seed: int, today: int, factor: float) -> None:
    bars = make_bars(seed=seed)
    altered = {name: np.vstack([c[: today + 1], c[today + 1 :] * factor]) for name, c in bars.items()}
    cut = {name: column[: today + 1] for name, column in bars.items()}
    as_of_ns = open_ns(today) + 60 * MINUTE_NS
    results = [
        scan(day_grid(each), None, CONFIG, as_of_ns, session=session_of(today), also=("S00",))
        for each in (bars, altered, cut)
    ]
    assert same(results[0], results[1])
    assert same(results[0], results[2])


def test_minutes_that_are_not_closed_change_nothing() -> None:
    bars = make_bars()
    closes = np.ones((122, 8))
    known, future = closes.copy(), closes.copy()
    future[120:] = np.nan
    one, other = (run(bars, minutes=minute_grid(each, open_ns(LAST))) for each in (known, future))
    assert same(one, other)
    assert {c.freshness_s for c in one.candidates} == {0.0}


def test_grid_and_configuration_are_not_modified_and_twice_is_the_same() -> None:
    bars = make_bars()
    grid = day_grid(bars)
    first, second = (scan(grid, None, CONFIG, AS_OF_NS, session=session_of(LAST)) for _ in range(2))
    assert same(first, second)
    assert np.array_equal(grid.field("close"), bars["close"])


def test_halted_symbol_is_stale_with_its_reason_and_the_rest_is_scanned() -> None:
    closes = np.ones((120, 8))
    closes[100:, 2] = np.nan
    result = run(make_bars(), minutes=minute_grid(closes, open_ns(LAST)))
    assert result.excluded == (("S02", "the last bar is 1200 s old, 900 s are allowed"),)
    assert result.n_scored == 7
    assert result.reading("S02").kind is Kind.STALE


def test_nothing_ages_while_the_market_is_shut() -> None:
    minutes = minute_grid(np.ones((390, 8)), open_ns(LAST))
    result = run(make_bars(), minutes=minutes, as_of_ns=session_of(LAST).close_ns + 3 * 3600 * 10**9)
    assert result.n_scored == 8
    assert {c.freshness_s for c in result.candidates} == {0.0}


@pytest.mark.parametrize(
    ("field", "value", "rows", "kind", "says"),
    [
        ("close", np.nan, slice(None), Kind.NO_DATA, "no bar in the whole history"),
        ("close", np.nan, slice(-1, None), Kind.STALE, "no bar in the newest session"),
        ("close", np.nan, slice(None, 50), Kind.NO_DATA, "40 sessions of history, 50 are needed"),
        ("low", -1.0, slice(40, 41), Kind.NO_DATA, "not a positive number"),
        ("volume", np.inf, slice(-1, None), Kind.NO_DATA, "not a positive number"),
        ("volume", 0.0, slice(None), Kind.NO_DATA, "the factor relative_volume is not known"),
        ("volume", 10.0, slice(None), Kind.ABSTAINED, "dollars a day"),
    ],
)
def test_bad_symbol_has_one_clear_reason_and_leaves_the_rest_as_if_it_were_not_there(
    field: str, value: float, rows: slice, kind: Kind, says: str
) -> None:
    bars = make_bars()
    broken = {**bars, field: replaced(bars[field], 5, value, rows)}
    without = {name: np.delete(column, 5, axis=1) for name, column in bars.items()}
    result = run(broken)
    assert [symbol for symbol, _ in result.excluded] == ["S05"]
    assert says in result.exclusions["S05"].reason
    assert result.exclusions["S05"].kind is kind
    assert math.isnan(result.scores[5])
    assert result.candidates == run(without, [s for s in names(8) if s != "S05"]).candidates


def test_flat_price_has_no_range_and_is_excluded_for_it() -> None:
    bars = make_bars()
    flat = {n: replaced(c, 1, 10.0 if n != "volume" else 1e6) for n, c in bars.items()}
    assert run(flat).excluded == (("S01", "the factor trend is not known"),)


def test_cheap_symbol_is_no_candidate_but_held_it_is_still_scored_and_read() -> None:
    bars = make_bars()
    cheap = {n: c if n == "volume" else np.hstack([c[:, :6], c[:, 6:7] * 1e-2, c[:, 7:]]) for n, c in bars.items()}
    config = ScanConfig(min_price=5.0, min_dollar_volume=0.0)
    result = run(cheap, config=config, also=("S06",))
    assert "is below 5" in result.exclusions["S06"].reason
    assert "S06" not in {c.symbol for c in result.candidates}
    (held,) = result.asked
    assert held.symbol == "S06"
    assert 1 <= held.rank <= 8
    assert result.reading("S06").unwrap().price == held.price
    others = run(cheap, config=config).candidates
    assert result.candidates == others


def test_asked_candidate_has_the_same_row_in_both_places() -> None:
    result = run(make_bars(), also=(*names(8)[::-1], "NONE"))
    assert [c.symbol for c in result.asked] == names(8)
    by_symbol = {c.symbol: c for c in result.asked}
    for candidate in result.candidates:
        assert by_symbol[candidate.symbol] == candidate
    assert sorted(c.rank for c in result.asked) == list(range(1, 9))


def test_asked_symbol_that_cannot_be_scored_keeps_its_reason() -> None:
    bars = make_bars()
    gone = {**bars, "close": replaced(bars["close"], 0, np.nan, slice(-1, None))}
    result = run(gone, also=("S00",))
    assert result.asked == ()
    assert result.reading("S00").reason == "no bar in the newest session"


@pytest.mark.parametrize("n_bars", [0, 90])
def test_empty_universe_gives_an_empty_result(n_bars: int) -> None:
    bars = {name: column[:, :0] for name, column in make_bars(n_bars=n_bars or 1).items()}
    result = run({name: column[:n_bars] for name, column in bars.items()}, also=("S00",))
    assert (result.candidates, result.asked, result.excluded, result.n_scored) == ((), (), (), 0)


def test_grid_without_rows_excludes_everybody_with_a_reason() -> None:
    result = run({name: column[:0] for name, column in make_bars().items()})
    assert result.n_scored == 0
    assert {reason for _, reason in result.excluded} == {"no bar in the whole history"}


def test_symbol_twice_is_refused() -> None:
    with pytest.raises(BadInput, match="twice"):
        run(make_bars(n_symbols=2), ["A", "A"])


def test_unknown_factor_is_refused_before_anything_is_scanned() -> None:
    with pytest.raises(ConfigError, match="'trend'"):
        run(make_bars(), config=ScanConfig(weights={"trnd": 1.0}))


def test_reading_holds_every_factor_whatever_the_weights() -> None:
    result = run(make_bars(), config=ScanConfig(weights={"trend": 1.0}, min_dollar_volume=0.0))
    reading = result.reading("S03").unwrap()
    assert set(reading.factors) == set(FACTORS)
    assert reading.factors["trend"] == result.factors["trend"][3]
    assert result.reading("NONE").kind is Kind.NO_DATA


def test_range_is_settled_before_today_and_equals_wilders_average() -> None:
    bars = make_bars(n_symbols=2)
    bars = {name: replaced(column, 1, np.nan, slice(30, 33)) for name, column in bars.items()}
    for col, rows in ((0, np.arange(90)), (1, np.delete(np.arange(90), [30, 31, 32]))):
        expected = _naive_atr({name: column[rows, col] for name, column in bars.items()})
        assert settled_atr(day_grid(bars), AS_OF_NS)[col] == pytest.approx(expected, rel=1e-12)
    wild = {n: replaced(c, 0, 1e3, slice(-1, None)) for n, c in bars.items()}
    assert np.array_equal(settled_atr(day_grid(wild), AS_OF_NS), settled_atr(day_grid(bars), AS_OF_NS))


def _naive_atr(bars: Bars) -> float:
    """Return Wilder's ATR of 14 before the last bar, by the book."""
    high, low, close = (bars[name][:-1].tolist() for name in ("high", "low", "close"))
    ranges = [max(h, c) - min(low_, c) for h, low_, c in zip(high[1:], low[1:], close, strict=False)]
    average = sum(ranges[:14]) / 14
    for true_range in ranges[14:]:
        average += (true_range - average) / 14
    return float(average)


def test_ring_that_tracks_the_range_scans_as_the_whole_history_does() -> None:
    bars = make_bars()
    whole = day_grid(bars)
    ring = BarGrid.empty(names(8), 70, track=TRACKED)
    for row in range(90):
        ring.apply(_frame(bars, row))
    one, other = (scan(g, None, CONFIG, AS_OF_NS, session=session_of(LAST)) for g in (whole, ring))
    assert ring.dropped == 20
    assert same(one, other)


def _frame(bars: Bars, row: int) -> BarFrame:
    columns = {name: column[row] for name, column in bars.items()}
    event_ns, nan = np.full(8, open_ns(row), np.int64), np.full(8, np.nan)
    head = (86_400, "sip", Label.REAL, open_ns(row), tuple(names(8)), event_ns)
    return BarFrame(*head, **columns, vwap=nan, trades=nan)


def test_candidate_is_complete() -> None:
    (first, *_) = run(make_bars()).candidates
    assert isinstance(first, Candidate)
    assert all(math.isfinite(v) for v in dataclasses.astuple(first)[2:5])
    assert first.as_of_ns == AS_OF_NS
