"""What ``bench kernels`` measures beside ours: the named peers, each as its manual has it, one call per function.

In: one symbol's bars after another, gaps taken out.  Out: the last values (where a peer is also an oracle) and times.
Refuses to guess: a peer that is not installed is named as such and has no figure.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from tapeline.core.types import F64

Symbols = list[dict[str, F64]]
"""Open, high, low, close, volume (``o h l c v``) of each symbol, contiguous, without gaps, oldest first."""


def seconds(work: Callable[[], Any]) -> float:
    """Return the wall time of one call."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def talib_loop(symbols: Symbols, names: Sequence[str]) -> dict[str, F64]:
    """Return the last values from a Python loop over TA-Lib: one call for all outputs of a function."""
    import talib

    from tapeline.bench.oracles import plan

    out = {name: np.full(len(symbols), np.nan) for name in names}
    calls = [
        (getattr(talib, call.function), call.fields, call.args, [(out[name], k) for name, k in outputs.items()])
        for call, outputs in plan(names).items()
    ]
    for column, rows in enumerate(symbols):
        for function, fields, args, outputs in calls:
            found = function(*[rows[each] for each in fields], *args)
            for target, k in outputs:
                target[column] = (found if k is None else found[k])[-1]
    return out


def polars_talib_s(symbols: Symbols, names: Sequence[str]) -> float:
    """Return the seconds polars-talib needs: one expression per function, grouped by symbol, on polars' threads."""
    import polars as pl
    import polars_talib

    from tapeline.bench.oracles import plan

    sizes = [len(rows["c"]) for rows in symbols]
    frame = pl.DataFrame(
        {"symbol": np.repeat(np.arange(len(symbols)), sizes)}
        | {each: np.concatenate([rows[each] for rows in symbols]) for each in "ohlcv"}
    )
    wanted = [
        getattr(polars_talib, call.function.lower())(*map(pl.col, call.fields), *call.args).last().alias(str(i))
        for i, call in enumerate(plan(names))
    ]
    grouped = frame.lazy().group_by("symbol", maintain_order=True).agg(wanted)
    return seconds(grouped.collect)


def pandas_ta_s(symbols: Symbols) -> float:
    """Return the seconds pandas-ta-classic's own code (not its door to TA-Lib) needs for the same 50 outputs."""
    import pandas as pd
    import pandas_ta_classic as ta

    frames = [pd.DataFrame(rows) for rows in symbols]

    def one(rows: Any) -> None:
        h, l, c, v = rows["h"], rows["l"], rows["c"], rows["v"]  # noqa: E741 - what everyone calls these fields
        for window in (5, 10, 12, 20, 50, 100, 200):
            ta.sma(c, window, talib=False)
        for span in (5, 10, 12, 20, 26, 50, 100, 200):
            ta.ema(c, span, talib=False)
        for name, window in (("wma", 20), ("dema", 20), ("tema", 20), ("rsi", 14), ("roc", 10), ("mom", 10)):
            getattr(ta, name)(c, length=window, talib=False)
        ta.trix(c, 15, talib=False), ta.kama(c, 10, talib=False), ta.macd(c, 12, 26, 9, talib=False)
        ta.stochrsi(c, 14, 14, 3, 3, talib=False), ta.stoch(h, l, c, 14, 3, 3, talib=False)
        ta.uo(h, l, c, 7, 14, 28, talib=False), ta.aroon(h, l, 14, talib=False), ta.adx(h, l, c, 14, talib=False)
        for name, window in (("willr", 14), ("cci", 20), ("atr", 14), ("natr", 14)):
            getattr(ta, name)(h, l, c, length=window, talib=False)
        ta.psar(h, l, c, 0.02, 0.02, 0.2, talib=False), ta.true_range(h, l, c, talib=False)
        ta.bbands(c, 20, 2.0, talib=False), ta.donchian(h, l, 20, 20)
        ta.obv(c, v, talib=False), ta.ad(h, l, c, v, talib=False), ta.mfi(h, l, c, v, 14, talib=False)

    def loop() -> None:
        for frame in frames:
            one(frame)

    return seconds(loop)


def talipp_step_s(symbols: Symbols) -> float:
    """Return the seconds talipp needs to take one more bar of each symbol in, after all bars but the newest.

    It has no mom, mfi and trange: 47 of the 50 outputs.
    """
    import talipp.indicators as ti
    from talipp.ohlcv import OHLCV

    def made() -> tuple[list[Any], list[Any]]:
        of_close = [ti.SMA(n) for n in (5, 10, 12, 20, 50, 100, 200)]
        of_close += [ti.EMA(n) for n in (5, 10, 12, 20, 26, 50, 100, 200)]
        of_close += [ti.WMA(20), ti.DEMA(20), ti.TEMA(20), ti.TRIX(15), ti.KAMA(10, 2, 30), ti.MACD(12, 26, 9)]
        of_close += [ti.RSI(14), ti.ROC(10), ti.StochRSI(14, 14, 3, 3), ti.BB(20, 2.0)]
        of_bar = [ti.Stoch(14, 3), ti.Williams(14), ti.CCI(20), ti.UO(7, 14, 28), ti.Aroon(14), ti.ADX(14, 14)]
        of_bar += [ti.ParabolicSAR(0.02, 0.02, 0.2), ti.ATR(14), ti.NATR(14), ti.DonchianChannels(20)]
        return of_close, [*of_bar, ti.OBV(), ti.AccuDist()]

    total = 0.0
    for rows in symbols:
        of_close, of_bar = made()
        bars = [OHLCV(*bar) for bar in zip(*(rows[each].tolist() for each in "ohlcv"), strict=True)]

        def add(bar: OHLCV, of_close: list[Any] = of_close, of_bar: list[Any] = of_bar) -> None:
            for each in of_close:
                each.add(bar.close)
            for each in of_bar:
                each.add(bar)

        for bar in bars[:-1]:
            add(bar)
        total += seconds(lambda add=add, bar=bars[-1]: add(bar))  # type: ignore[misc]
    return total
