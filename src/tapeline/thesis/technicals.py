"""Step 4: what the kernels say of one symbol's daily bars.

In: ``PriceHistory``.  Out: facts, named as the kernels are, with their unit.
Refuses nothing: too few bars are NaN, as the kernels have it. What volume tells comes from finished sessions only.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import DAY_S, Evidence
from tapeline.grid import BarGrid
from tapeline.thesis.prices import SOURCE, PriceHistory

STEP = "technicals"

OF_PRICES = {
    "sma_20_usd": "sma_20",
    "sma_50_usd": "sma_50",
    "sma_200_usd": "sma_200",
    "ema_12_usd": "ema_12",
    "ema_26_usd": "ema_26",
    "macd_usd": "macd_12_26_9",
    "macd_signal_usd": "macd_12_26_9_signal",
    "macd_hist_usd": "macd_12_26_9_hist",
    "rsi_14": "rsi_14",
    "stoch_k": "stoch_14_3_3_k",
    "stoch_d": "stoch_14_3_3_d",
    "willr_14": "willr_14",
    "cci_20": "cci_20",
    "roc_10_pct": "roc_10",
    "aroon_osc": "aroon_14_osc",
    "adx_14": "adx_14",
    "plus_di_14": "plus_di_14",
    "minus_di_14": "minus_di_14",
    "supertrend_side": "supertrend_10_3_side",
    "atr_14_usd": "atr_14",
    "natr_14_pct": "natr_14",
    "bbands_upper_usd": "bbands_20_2_upper",
    "bbands_lower_usd": "bbands_20_2_lower",
    "bbands_pctb": "bbands_20_2_pctb",
    "bbands_width": "bbands_20_2_width",
    "robust_z_20": "robust_z_20",
    "robust_z_50": "robust_z_50",
}
"""Fact -> indicator, of every bar up to now."""

OF_VOLUME = {"mfi_14": "mfi_14", "cmf_20": "cmf_20", "relative_volume_20": "relative_volume_20"}
"""Fact -> indicator, of finished sessions."""


def technical_evidence(prices: PriceHistory) -> Outcome[Evidence]:
    """Return step 4: the newest value of every indicator of ``OF_PRICES`` and ``OF_VOLUME``."""
    facts = [*_facts(prices, OF_PRICES), *_facts(prices.finished(), OF_VOLUME)]
    if not any(np.isfinite(value) for _, value in facts):
        reason = f"{len(prices)} daily bars are too few for any indicator"
        return nothing(Kind.NO_DATA, source=SOURCE, reason=reason, as_of_ns=prices.as_of_ns)
    evidence = Evidence(STEP, prices.symbol, SOURCE, prices.as_of_ns, prices.label, tuple(facts))
    return value_of(evidence, source=SOURCE, as_of_ns=prices.as_of_ns)


def _facts(prices: PriceHistory, names: dict[str, str]) -> Iterable[tuple[str, float]]:
    grid = BarGrid.from_arrays(
        [prices.symbol],
        prices.event_ns,
        open=prices.open[:, None],
        high=prices.high[:, None],
        low=prices.low[:, None],
        close=prices.close[:, None],
        volume=prices.volume[:, None],
        timeframe_s=DAY_S,
    )
    values = grid.indicators(list(names.values()))
    return [(fact, float(values[name][0])) for fact, name in names.items()]
