"""Factors: each equals its slow twin in words, windows are honest, and NaN never becomes a number."""

from __future__ import annotations

import math
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.scan.markets import make_bars, names

from tapeline.core.errors import ConfigError
from tapeline.core.types import F64
from tapeline.scan.factors import FACTORS, MAX_BARS, check_weights, compute_factors, dollar_volume_20
from tapeline.scan.panel import Panel


def panel_of(bars: dict[str, F64], day_frac: float = 1.0) -> Panel:
    """Return a panel of gapless bars."""
    n_bars, n_symbols = bars["close"].shape
    return Panel(
        symbols=tuple(names(n_symbols)),
        **bars,
        n_traded=np.full(n_symbols, n_bars),
        is_current=np.ones(n_symbols, np.bool_),
        is_sound=np.ones(n_symbols, np.bool_),
        day_frac=day_frac,
    )


def naive_factors(bars: dict[str, F64], col: int, atr: float, day_frac: float) -> dict[str, float]:
    """Return every factor of one symbol by plain loops over lists."""
    close, volume = bars["close"][:, col].tolist(), bars["volume"][:, col].tolist()
    now, opened = close[-1], float(bars["open"][-1, col])
    averages = (sum(close[-20:]) / 20 + sum(close[-50:]) / 50) / 2
    settled = close[:-1]
    returns = [math.log(settled[i] / settled[i - 1]) for i in range(len(settled) - 20, len(settled))]
    return {
        "momentum_21": now / close[-22] - 1,
        "momentum_63": now / close[-64] - 1,
        "trend": (now - averages) / atr,
        "reversal_5": -(now / close[-6] - 1),
        "intraday": ((now - opened) + (now - close[-2])) / 2 / atr,
        "relative_volume": volume[-1] / (sum(volume[-21:-1]) / 20 * day_frac),
        "low_volatility": -statistics.stdev(returns) * math.sqrt(252),
        "low_range": -atr / now,
    }


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1.0))
def test_factors_equal_their_naive_twins(seed: int, day_frac: float) -> None:
    bars = make_bars(MAX_BARS + 3, 3, seed)
    atr = np.array([0.5, 1.0, 2.5])
    found = compute_factors(panel_of(bars, day_frac), atr)
    assert set(found) == set(FACTORS)
    for col in range(3):
        for name, expected in naive_factors(bars, col, float(atr[col]), day_frac).items():
            assert found[name][col] == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", sorted(FACTORS))
def test_factor_looks_back_as_far_as_it_says_and_no_further(name: str) -> None:
    bars = make_bars(MAX_BARS + 5, 2)
    atr = np.ones(2)
    full = compute_factors(panel_of(bars), atr)[name]
    n_bars = FACTORS[name].bars
    cut = {field: column.copy() for field, column in bars.items()}
    for column in cut.values():
        column[:-n_bars] = np.nan
    assert np.array_equal(compute_factors(panel_of(cut), atr)[name], full)


@pytest.mark.parametrize(
    "name", ["momentum_21", "momentum_63", "trend", "reversal_5", "relative_volume", "low_volatility"]
)
def test_one_bar_less_than_the_window_is_nan(name: str) -> None:
    bars = make_bars(MAX_BARS + 5, 2)
    for column in bars.values():
        column[: -(FACTORS[name].bars - 1)] = np.nan
    assert np.isnan(compute_factors(panel_of(bars), np.ones(2))[name]).all()


def test_division_by_zero_is_nan_and_never_infinite() -> None:
    bars = make_bars(MAX_BARS, 2)
    bars["volume"][:-1, 0] = 0.0
    found = compute_factors(panel_of(bars), np.array([0.0, 1.0]))
    for name in ("trend", "intraday", "relative_volume"):
        assert math.isnan(found[name][0])
        assert math.isfinite(found[name][1])


def test_unknown_range_makes_factors_in_ranges_unknown() -> None:
    found = compute_factors(panel_of(make_bars(MAX_BARS, 1)), np.array([np.nan]))
    assert {name for name, column in found.items() if np.isnan(column[0])} == {"trend", "intraday", "low_range"}


def test_prices_in_other_units_give_the_same_factors() -> None:
    bars = make_bars(MAX_BARS, 4)
    scaled = {name: column * (1.0 if name == "volume" else 8.0) for name, column in bars.items()}
    one, other = (compute_factors(panel_of(b), atr) for b, atr in ((bars, np.ones(4)), (scaled, 8.0 * np.ones(4))))
    for name in FACTORS:
        assert other[name] == pytest.approx(one[name], rel=1e-12)


def test_dollar_volume_is_of_settled_sessions_only() -> None:
    bars = make_bars(MAX_BARS, 1)
    before = dollar_volume_20(panel_of(bars))
    bars["volume"][-1] *= 100.0
    assert dollar_volume_20(panel_of(bars)) == before


def test_unknown_factor_in_the_weights_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"'momentm_21'.*'momentum_21'"):
        check_weights({"momentm_21": 1.0}, 170)


@pytest.mark.parametrize("weights", [{}, {"trend": 0.0}, {"trend": math.nan}, {"trend": math.inf}])
def test_weights_that_score_nothing_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match=r"scan\.weights"):
        check_weights(weights, 170)


def test_history_shorter_than_a_factor_needs_is_refused_with_both_numbers() -> None:
    with pytest.raises(ConfigError, match=r"60.*momentum_63 needs 64"):
        check_weights({"momentum_63": 1.0}, 60)
