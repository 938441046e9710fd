"""TA-Lib by our names: what ``bench kernels`` and the tests compare with. TA-Lib is a development requirement.

In: one symbol's open, high, low, close, volume without gaps, and the numbers in the name.  Out: TA-Lib's values.
``plan`` turns names into the fewest calls: macd once for its three outputs, as a sensible user would write it.
"""


# mypy: disable-error-code="arg-type"

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import talib

from tapeline.core.types import F64

NUMBER = re.compile(r"(?<=_)\d+(?:\.\d+)?(?=_|$)")
FIELDS = "ohlcv"
Args = tuple[float, ...]


def _whole(*numbers: float) -> Args:
    return tuple(int(number) for number in numbers)


def _as_given(*numbers: float) -> Args:
    return numbers


def _bands(window: float, width: float) -> Args:
    return (int(window), width, width, 0)


def _stoch(window: float, slow: float, smooth: float) -> Args:
    return (int(window), int(slow), 0, int(smooth), 0)


def _stochrsi(length: float, window: float, smooth: float) -> Args:
    return (int(length), int(window), int(smooth), 0)


@dataclass(frozen=True)
class Output:
    """One of TA-Lib's outputs: its function, the fields it takes, which result is meant, and its arguments."""

    function: str
    fields: str = "c"
    index: int | None = None
    args: Callable[..., Args] = _whole

    def __call__(self, *given: Any) -> F64:
        """Return the values of one symbol's open, high, low, close, volume and the numbers in the name."""
        rows, numbers = dict(zip(FIELDS, given[:5], strict=True)), given[5:]
        found = getattr(talib, self.function)(*(rows[each] for each in self.fields), *self.args(*numbers))
        values: F64 = found if self.index is None else found[self.index]
        return values


TALIB: dict[str, Output] = {
    "sma_#": Output("SMA"),
    "ema_#": Output("EMA"),
    "wma_#": Output("WMA"),
    "dema_#": Output("DEMA"),
    "tema_#": Output("TEMA"),
    "trix_#": Output("TRIX"),
    "kama_#": Output("KAMA"),
    "macd_#_#_#": Output("MACD", index=0),
    "macd_#_#_#_signal": Output("MACD", index=1),
    "macd_#_#_#_hist": Output("MACD", index=2),
    "rsi_#": Output("RSI"),
    "stochrsi_#_#_#_k": Output("STOCHRSI", index=0, args=_stochrsi),
    "stochrsi_#_#_#_d": Output("STOCHRSI", index=1, args=_stochrsi),
    "roc_#": Output("ROC"),
    "mom_#": Output("MOM"),
    "stoch_#_#_#_k": Output("STOCH", "hlc", 0, _stoch),
    "stoch_#_#_#_d": Output("STOCH", "hlc", 1, _stoch),
    "willr_#": Output("WILLR", "hlc"),
    "aroon_#_up": Output("AROON", "hl", 1),
    "aroon_#_down": Output("AROON", "hl", 0),
    "aroon_#_osc": Output("AROONOSC", "hl"),
    "cci_#": Output("CCI", "hlc"),
    "ultosc_#_#_#": Output("ULTOSC", "hlc"),
    "adx_#": Output("ADX", "hlc"),
    "plus_di_#": Output("PLUS_DI", "hlc"),
    "minus_di_#": Output("MINUS_DI", "hlc"),
    "sar_#_#": Output("SAR", "hl", args=_as_given),
    "obv": Output("OBV", "cv"),
    "ad": Output("AD", "hlcv"),
    "mfi_#": Output("MFI", "hlcv"),
    "atr_#": Output("ATR", "hlc"),
    "natr_#": Output("NATR", "hlc"),
    "trange": Output("TRANGE", "hlc"),
    "bbands_#_#_upper": Output("BBANDS", index=0, args=_bands),
    "bbands_#_#_middle": Output("BBANDS", index=1, args=_bands),
    "bbands_#_#_lower": Output("BBANDS", index=2, args=_bands),
    "donchian_#_upper": Output("MAX", "h"),
    "donchian_#_lower": Output("MIN", "l"),
}
"""Name with ``#`` for each number -> where TA-Lib has it."""


@dataclass(frozen=True)
class Call:
    """One call of TA-Lib: a function, its fields, its arguments."""

    function: str
    fields: str
    args: Args


def plan(names: Sequence[str]) -> dict[Call, dict[str, int | None]]:
    """Return the fewest calls that give these outputs, and for each which of its results is which output."""
    calls: dict[Call, dict[str, int | None]] = {}
    for name in names:
        output = TALIB[NUMBER.sub("#", name)]
        numbers = tuple(float(number) for number in NUMBER.findall(name))
        call = Call(output.function, output.fields, output.args(*numbers))
        calls.setdefault(call, {})[name] = output.index
    return calls
