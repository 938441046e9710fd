"""Every indicator in words: what it is, its unit, its first value, its value in a flat market, its like in TA-Lib.

In: the name of an indicator.  Out: a few lines for a person; ``page`` is docs/indicators.md, made of the same words.
Refuses names that no kernel has. Tests hold the first and the flat values against the kernels.
"""

from __future__ import annotations

import inspect
import re
import sys
from typing import NamedTuple

from tapeline.kernels import FAMILIES
from tapeline.kernels.catalogue import Kernel, all_kernels, find


class Words(NamedTuple):
    """One output in words.

    ``warm_up`` is how many traded bars of a symbol are NaN before its first value, in terms of the name's parameters;
    ``flat`` the value when no price moves, a number or in terms of ``price`` and ``volume``.
    """

    what: str
    unit: str
    warm_up: str
    flat: str
    talib: str = ""


_PRICE, _PCT, _SHARES = "price", "percent", "shares"

WORDS = {
    "sma_<window>": Words("mean of the last closes", _PRICE, "window - 1", "price", "SMA"),
    "ema_<span>": Words("exponential mean of the closes", _PRICE, "span - 1", "price", "EMA"),
    "wma_<window>": Words("mean of the closes, the newest counting most", _PRICE, "window - 1", "price", "WMA"),
    "dema_<span>": Words("double exponential mean", _PRICE, "2 * (span - 1)", "price", "DEMA"),
    "tema_<span>": Words("triple exponential mean", _PRICE, "3 * (span - 1)", "price", "TEMA"),
    "trix_<span>": Words("change of the triple smoothed mean", "percent a bar", "3 * (span - 1) + 1", "0", "TRIX"),
    "kama_<window>": Words("Kaufman's adaptive mean", _PRICE, "window", "price", "KAMA"),
    "sma_slope_<window>_<over>": Words("slope of the mean", "percent a bar", "window + over - 1", "0"),
    "macd_<fast>_<slow>_<signal>": Words(
        "fast minus slow exponential mean", _PRICE, "slow - 1", "0", "MACD, which starts signal - 1 bars later"
    ),
    "macd_<fast>_<slow>_<signal>_signal": Words("exponential mean of it", _PRICE, "slow + signal - 2", "0", "MACD"),
    "macd_<fast>_<slow>_<signal>_hist": Words("line minus signal", _PRICE, "slow + signal - 2", "0", "MACD"),
    "rsi_<window>": Words("Wilder's relative strength", "0 to 100", "window", "50", "RSI"),
    "stochrsi_<rsi>_<window>_<smooth>_k": Words(
        "where the rsi stands in its range", "0 to 100", "rsi + window - 1", "50", "STOCHRSI fastk, later by smooth - 1"
    ),
    "stochrsi_<rsi>_<window>_<smooth>_d": Words(
        "mean of its k", "0 to 100", "rsi + window + smooth - 2", "50", "STOCHRSI fastd"
    ),
    "roc_<window>": Words("change of the close", _PCT, "window", "0", "ROC"),
    "mom_<window>": Words("change of the close", _PRICE, "window", "0", "MOM"),
    "stoch_<window>_<slow>_<smooth>_k": Words(
        "where the close stands in its range, slowed",
        "0 to 100",
        "window + slow - 2",
        "50",
        "STOCH, later by smooth - 1",
    ),
    "stoch_<window>_<slow>_<smooth>_d": Words("mean of its k", "0 to 100", "window + slow + smooth - 3", "50", "STOCH"),
    "willr_<window>": Words("Williams' %R: below the highest high", "-100 to 0", "window - 1", "-50", "WILLR"),
    "aroon_<window>_up": Words("how recent the highest high is", "0 to 100", "window", "100", "AROON"),
    "aroon_<window>_down": Words("how recent the lowest low is", "0 to 100", "window", "100", "AROON"),
    "aroon_<window>_osc": Words("up minus down", "-100 to 100", "window", "0", "AROONOSC"),
    "cci_<window>": Words("commodity channel index", "mean deviations / 0.015", "window - 1", "0", "CCI"),
    "ultosc_<short>_<middle>_<long>": Words(
        "ultimate oscillator", "0 to 100", "max(short, middle, long)", "50", "ULTOSC"
    ),
    "adx_<window>": Words("strength of the trend", "0 to 100", "2 * window - 1", "0", "ADX"),
    "plus_di_<window>": Words("directional indicator up", "0 to 100", "window", "0", "PLUS_DI"),
    "minus_di_<window>": Words("directional indicator down", "0 to 100", "window", "0", "MINUS_DI"),
    "sar_<step>_<most>": Words("parabolic stop and reverse", _PRICE, "1", "price", "SAR"),
    "supertrend_<window>_<width>": Words("trailing stop", _PRICE, "window", "price"),
    "supertrend_<window>_<width>_side": Words("1 above the stop, -1 below it", "1 or -1", "window", "1"),
    "atr_<window>": Words("Wilder's average true range", _PRICE, "window", "0", "ATR"),
    "natr_<window>": Words("the same of the close", _PCT, "window", "0", "NATR"),
    "atr_<window>_before": Words("the same before this bar", _PRICE, "window + 1", "0"),
    "bbands_<window>_<deviations>_upper": Words("Bollinger's upper band", _PRICE, "window - 1", "price", "BBANDS"),
    "bbands_<window>_<deviations>_middle": Words("mean of the closes", _PRICE, "window - 1", "price", "BBANDS"),
    "bbands_<window>_<deviations>_lower": Words("Bollinger's lower band", _PRICE, "window - 1", "price", "BBANDS"),
    "bbands_<window>_<deviations>_pctb": Words("the close between the bands", "0 to 1 inside", "window - 1", "0.5"),
    "bbands_<window>_<deviations>_width": Words("width of the bands", "fraction of the middle", "window - 1", "0"),
    "trange": Words("true range", _PRICE, "1", "0", "TRANGE"),
    "keltner_<span>_<window>_<width>_upper": Words("mean plus ranges", _PRICE, "max(span - 1, window)", "price"),
    "keltner_<span>_<window>_<width>_middle": Words("exponential mean", _PRICE, "max(span - 1, window)", "price"),
    "keltner_<span>_<window>_<width>_lower": Words("mean minus ranges", _PRICE, "max(span - 1, window)", "price"),
    "donchian_<window>_upper": Words("highest high", _PRICE, "window - 1", "price", "MAX"),
    "donchian_<window>_middle": Words("middle of both", _PRICE, "window - 1", "price"),
    "donchian_<window>_lower": Words("lowest low", _PRICE, "window - 1", "price", "MIN"),
    "realized_vol_<window>": Words("deviation of log returns", "fraction a bar", "window", "0"),
    "parkinson_vol_<window>": Words("volatility from high and low", "fraction a bar", "window - 1", "0"),
    "garman_klass_vol_<window>": Words("volatility from all four prices", "fraction a bar", "window - 1", "0"),
    "obv": Words("on-balance volume", _SHARES, "0", "volume", "OBV"),
    "ad": Words("accumulation/distribution", _SHARES, "0", "0", "AD"),
    "mfi_<window>": Words("money flow index", "0 to 100", "window", "50", "MFI"),
    "cmf_<window>": Words("Chaikin's money flow", "-1 to 1", "window - 1", "0"),
    "relative_volume_<window>": Words("volume over the mean of the bars before", "1 is usual", "window", "1"),
    "dollar_volume_<window>": Words("mean of close times volume", "dollars a bar", "window - 1", "price * volume"),
    "vwap_session": Words("mean price of the session's shares", _PRICE, "0", "price"),
    "robust_z_<window>": Words("distance from the median", "1.4826 mad", "window - 1", "0"),
    "rank_<window>": Words("closes below this one", "0 to 100", "window - 1", "50"),
    "from_high_<window>": Words("distance from the highest high, <= 0", _PCT, "window - 1", "0"),
    "from_low_<window>": Words("distance from the lowest low, >= 0", _PCT, "window - 1", "0"),
    "gap_<window>": Words("open against the close before", _PCT, "1", "0"),
    "gap_<window>_mean": Words("mean of the gaps", _PCT, "window", "0"),
    "gap_<window>_std": Words("deviation of the gaps", _PCT, "window", "0"),
}
"""Pattern of a name -> the output in words."""

_PARAMETER = re.compile(r"<(\w+)>")
_PATTERNS = {_PARAMETER.sub("#", pattern): pattern for pattern in WORDS}

_RULES = """\
A name is a kernel, its parameters and its output, joined by `_`: `rsi_14`, `macd_12_26_9_hist`. Windows are whole
numbers of traded bars; any parameters work, not only the usual ones that `tapeline.indicator_names()` lists.
`tapeline.indicator_help(name)` says what stands here of one of them.

- **A bar without a trade** (NaN) has NaN values, and is not seen by the bars after it: a halt does not warm up anew.
- **Warm-up** counts a symbol's traded bars that are NaN before its first value.
- **Flat** is the value in a market whose price and volume never change, to the last digits of a sum.
- **A missing past**: a kernel with memory that is first asked for after the ring has dropped bars is NaN until the past
  weighs less than 1e-9; `vwap_session` until the next session; `obv`, `ad`, `sar` and `supertrend` for good. Name them
  in `track` when the grid begins.
- **TA-Lib** names the function whose values are equal (to 1e-9 of the scale) from its first value on.
"""


def pattern_of(template: str) -> str:
    """Return the pattern, ``rsi_<window>``, of a template, ``rsi_#``."""
    return _PATTERNS[template]


def indicator_help(name: str) -> str:
    """Return what an indicator is: meaning, unit, first value, flat value, NaN rule, its like in TA-Lib.

    Raises UnknownIndicator for a name that no kernel has.
    """
    instance, index = find(name)
    kernel = instance.kernel
    pattern = pattern_of(kernel.outputs[index])
    words = WORDS[pattern]
    lines = [
        f"{name} ({pattern}): {words.what}.",
        f"Unit: {words.unit}. NaN for the first {words.warm_up} traded bars. Flat market: {words.flat}.",
        f"TA-Lib: {words.talib or 'has no like'}.",
        "",
        _body(kernel),
        "",
        _rule(sys.modules[kernel.body.__module__].__doc__),
    ]
    return "\n".join(lines)


def page() -> str:
    """Return docs/indicators.md."""
    parts = ["# Indicators", "", _RULES]
    for family in FAMILIES:
        parts += [f"## {family.__name__.rpartition('.')[2].capitalize()}", "", _rule(family.__doc__), ""]
        for kernel in all_kernels():
            if kernel.body.__module__ == family.__name__:
                parts += [_table(kernel), "", _body(kernel), ""]
    return "\n".join(parts).rstrip() + "\n"


def _table(kernel: Kernel) -> str:
    rows = ["| name | what | unit | warm-up | flat | TA-Lib |", "|---|---|---|---|---|---|"]
    for template in kernel.outputs:
        words = WORDS[pattern_of(template)]
        cells = (words.what, words.unit, words.warm_up, words.flat, words.talib or "-")
        rows.append(f"| `{pattern_of(template)}` | {' | '.join(cell.replace('*', 'x') for cell in cells)} |")
    return "\n".join(rows)


def _body(kernel: Kernel) -> str:
    """Return what a kernel says of itself, without its references."""
    return inspect.cleandoc(kernel.body.__doc__ or "").partition("\n\nReferences")[0]


def _rule(text: str | None) -> str:
    """Return a family's words but for the first line, which names it."""
    return inspect.cleandoc(text or "").partition("\n")[2].strip()
