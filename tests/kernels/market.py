"""Made and real panels for the kernel tests, and the calls that compare kernels with their oracles."""

# ruff: noqa: E741 - o h l c v are what everyone calls these fields
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import talib
from tests.naive import Series

from tapeline.core.types import BAR_FIELDS, DAY_S, F64, NS_PER_S, BarFrame, Label
from tapeline.grid import BarGrid

DAY_NS = DAY_S * NS_PER_S
Panel = dict[str, Any]


def random_panel(n_bars: int, n_symbols: int, seed: int = 1, gaps: float = 0.0, step_ns: int = DAY_NS) -> Panel:
    """Return fields of a random market; ``gaps`` is the fraction of bars missing in every third symbol."""
    rng = np.random.default_rng(seed)
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.02, (n_bars, n_symbols)), axis=0))
    opened = close * np.exp(rng.normal(0.0, 0.005, close.shape))
    high = np.maximum(opened, close) * (1.0 + 0.01 * rng.random(close.shape))
    low = np.minimum(opened, close) * (1.0 - 0.01 * rng.random(close.shape))
    panel = {"open": opened, "high": high, "low": low, "close": close}
    panel["volume"] = rng.integers(1, 1_000_000, close.shape).astype(np.float64)
    panel["vwap"] = np.where(rng.random(close.shape) < 0.5, (high + low) / 2.0, np.nan)
    panel["trades"] = np.ones(close.shape)
    missing = rng.random(close.shape) < gaps
    missing[:, 1::3] = missing[:, 2::3] = False
    for field in panel.values():
        field[missing] = np.nan
    panel["event_ns"] = np.arange(n_bars) * step_ns + 10 * 3_600 * NS_PER_S
    return panel


def symbols_of(n: int) -> tuple[str, ...]:
    return tuple(f"S{i}" for i in range(n))


def grid_of(panel: Panel, **options: int) -> BarGrid:
    fields = {name: panel[name] for name in BAR_FIELDS}
    return BarGrid.from_arrays(symbols_of(panel["close"].shape[1]), panel["event_ns"], **fields, **options)


def frame_of(panel: Panel, row: int, timeframe_s: int = DAY_S, revision: int = 0) -> BarFrame:
    """Return one row of a panel as a frame."""
    n = panel["close"].shape[1]
    fields = {name: panel[name][row] for name in BAR_FIELDS}
    event = int(panel["event_ns"][row])
    events, revisions = np.full(n, event), np.full(n, revision)
    return BarFrame(timeframe_s, "made", Label.SIMULATED, event, symbols_of(n), events, revision=revisions, **fields)


def series_of(panel: Panel, column: int) -> Series:
    """Return the traded bars of one column."""
    traded = ~np.isnan(panel["close"][:, column])
    fields = {name: panel[name][traded, column].tolist() for name in ("open", "high", "low", "close", "volume", "vwap")}
    session = ((panel["event_ns"][traded] - 5 * 3_600 * NS_PER_S) // DAY_NS).astype(np.float64)
    return Series(**fields, session=session.tolist())


def _of_close(name: str, *more: float) -> Callable[..., F64]:
    return lambda o, h, l, c, v, *p: getattr(talib, name)(c, *(int(x) for x in p), *more)


def _of_hlc(name: str) -> Callable[..., F64]:
    return lambda o, h, l, c, v, *p: getattr(talib, name)(h, l, c, *(int(x) for x in p))


def _bbands(k: int) -> Callable[..., F64]:
    return lambda o, h, l, c, v, w, d: talib.BBANDS(c, int(w), d, d, 0)[k]


def _macd(k: int) -> Callable[..., F64]:
    return lambda o, h, l, c, v, f, s, g: talib.MACD(c, int(f), int(s), int(g))[k]


def _stoch(k: int) -> Callable[..., F64]:
    return lambda o, h, l, c, v, w, s, d: talib.STOCH(h, l, c, int(w), int(s), 0, int(d), 0)[k]


def _stochrsi(k: int) -> Callable[..., F64]:
    return lambda o, h, l, c, v, n, w, s: talib.STOCHRSI(c, int(n), int(w), int(s), 0)[k]


TALIB: dict[str, Callable[..., F64]] = {
    "sma_#": _of_close("SMA"),
    "ema_#": _of_close("EMA"),
    "wma_#": _of_close("WMA"),
    "dema_#": _of_close("DEMA"),
    "tema_#": _of_close("TEMA"),
    "trix_#": _of_close("TRIX"),
    "kama_#": _of_close("KAMA"),
    "macd_#_#_#": _macd(0),
    "macd_#_#_#_signal": _macd(1),
    "macd_#_#_#_hist": _macd(2),
    "rsi_#": _of_close("RSI"),
    "stochrsi_#_#_#_k": _stochrsi(0),
    "stochrsi_#_#_#_d": _stochrsi(1),
    "roc_#": _of_close("ROC"),
    "mom_#": _of_close("MOM"),
    "stoch_#_#_#_k": _stoch(0),
    "stoch_#_#_#_d": _stoch(1),
    "willr_#": _of_hlc("WILLR"),
    "aroon_#_up": lambda o, h, l, c, v, w: talib.AROON(h, l, int(w))[1],
    "aroon_#_down": lambda o, h, l, c, v, w: talib.AROON(h, l, int(w))[0],
    "aroon_#_osc": lambda o, h, l, c, v, w: talib.AROONOSC(h, l, int(w)),
    "cci_#": _of_hlc("CCI"),
    "ultosc_#_#_#": _of_hlc("ULTOSC"),
    "adx_#": _of_hlc("ADX"),
    "plus_di_#": _of_hlc("PLUS_DI"),
    "minus_di_#": _of_hlc("MINUS_DI"),
    "sar_#_#": lambda o, h, l, c, v, a, m: talib.SAR(h, l, a, m),
    "obv": lambda o, h, l, c, v: talib.OBV(c, v),
    "ad": lambda o, h, l, c, v: talib.AD(h, l, c, v),
    "mfi_#": lambda o, h, l, c, v, w: talib.MFI(h, l, c, v, int(w)),
    "atr_#": _of_hlc("ATR"),
    "natr_#": _of_hlc("NATR"),
    "trange": _of_hlc("TRANGE"),
    "bbands_#_#_upper": _bbands(0),
    "bbands_#_#_middle": _bbands(1),
    "bbands_#_#_lower": _bbands(2),
    "donchian_#_upper": lambda o, h, l, c, v, w: talib.MAX(h, int(w)),
    "donchian_#_lower": lambda o, h, l, c, v, w: talib.MIN(l, int(w)),
}
"""Name with ``#`` for each number -> TA-Lib on one symbol's open, high, low, close, volume and the numbers."""
