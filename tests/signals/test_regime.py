"""Regime: filtered from the past alone, on bars and not calendar days, unknown rather than guessed."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.outcome import Kind, nothing, value_of
from tapeline.core.types import F64, Side
from tapeline.signals.regime import BARS_NEEDED, TILT, UNKNOWN, Regime, label_of, market_regime, tilt


def _drift(per_session: float, noise: float = 0.005, n: int = 300, seed: int = 1) -> F64:
    returns = per_session + noise * np.random.default_rng(seed).standard_normal(n)
    closes: F64 = 1000.0 * np.exp(np.cumsum(returns))
    return closes


def test_steady_rise_is_a_bull_and_steady_fall_a_bear() -> None:
    assert market_regime(_drift(+0.002)).unwrap() == "BULL"
    assert market_regime(_drift(-0.002)).unwrap() == "BEAR"


def test_market_that_turned_lately_is_chop() -> None:
    closes = np.concatenate([_drift(0.002), _drift(0.002)[-1] * np.exp(-0.003 * np.arange(1, 31))])
    assert market_regime(closes).unwrap() == "CHOP"


def test_doubled_volatility_is_a_crisis_whatever_the_trend() -> None:
    calm = _drift(0.002)
    wild = calm[-1] * np.exp(np.cumsum(0.02 * np.resize([1.0, -1.0], 20)))
    assert market_regime(np.concatenate([calm, wild])).unwrap() == "CRISIS"


def test_a_calendar_year_less_than_200_sessions_is_unknown() -> None:
    outcome = market_regime(_drift(0.002, n=BARS_NEEDED - 1))
    assert outcome.kind is Kind.NO_DATA
    assert "199" in outcome.reason
    assert market_regime(_drift(0.002, n=BARS_NEEDED)).is_value


def test_missing_closes_are_skipped_and_not_counted() -> None:
    closes = _drift(0.002, n=BARS_NEEDED + 3)
    gappy = np.insert(closes, 40, np.nan)
    assert market_regime(gappy) == market_regime(closes)
    closes[:4] = np.nan
    assert market_regime(closes).kind is Kind.NO_DATA


@given(st.integers(0, 2**32 - 1), st.integers(200, 399))
def test_changing_the_future_never_rewrites_a_label(seed: int, today: int) -> None:
    history = _drift(0.0005, noise=0.01, n=400, seed=seed)
    altered = history.copy()
    altered[today:] *= 0.5
    assert market_regime(history[:today]) == market_regime(altered[:today])


@given(st.integers(0, 2**32 - 1), st.floats(0.01, 1000))
def test_scale_of_the_index_does_not_matter(seed: int, scale: float) -> None:
    history = _drift(0.0005, noise=0.01, n=250, seed=seed)
    assert market_regime(history).value == market_regime(history * scale).value


def test_close_that_is_not_positive_is_refused() -> None:
    closes = _drift(0.002)
    closes[7] = 0.0
    with pytest.raises(ValueError, match="positive"):
        market_regime(closes)


def test_every_regime_tilts_and_unknown_does_not() -> None:
    assert set(TILT) == {str(regime) for regime in Regime}
    unknown = nothing(Kind.NO_DATA, source="regime", reason="short")  # type: ignore[var-annotated]
    assert label_of(unknown) == UNKNOWN
    assert tilt(unknown, Side.BUY, 0.05) == 1.0
    assert tilt(value_of("BULL", source="regime"), Side.BUY, 0.05) == pytest.approx(1.05)
    assert tilt(value_of("BULL", source="regime"), Side.SELL, 0.05) == pytest.approx(0.95)
