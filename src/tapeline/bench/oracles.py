"""TA-Lib by our names: what ``bench kernels`` and the tests compare with. TA-Lib is a development requirement.

In: one symbol's open, high, low, close, volume without gaps, and the numbers in the name.  Out: TA-Lib's values.
"""

# ruff: noqa: E741, ARG005 - o h l c v are what everyone calls these fields; each call gets all of them
# mypy: disable-error-code="arg-type"

from __future__ import annotations

from collections.abc import Callable

import talib

from tapeline.core.types import F64


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
