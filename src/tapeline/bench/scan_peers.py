"""What ``bench scan`` measures beside ours: the document's way, plain pandas, and a loop over TA-Lib.

In: one symbol's bars after another, and trained models.  Out: seconds, indicators and predictions both.
None of them ranks, screens or explains: the comparison leaves that to ours.
"""

# mypy: disable-error-code="import-untyped"

from __future__ import annotations

from typing import Any

import numpy as np

from tapeline.bench.kernel_peers import Symbols, pandas_ta_s, seconds, talib_loop
from tapeline.ml.features import F32
from tapeline.ml.fold_file import Models


def ask_library(features: F32, models: Models) -> None:
    """Ask XGBoost itself about rows, all models."""
    for target in models.targets:
        is_chance = models.file.targets[target].calibration is not None
        models.trees[target].predict_by_library(features, margin=is_chance)


def document_s(symbols: Symbols, features: F32, models: Models) -> float:
    """Return the seconds of pandas-ta-classic, symbol by symbol, and one prediction a row and model."""

    def predict() -> None:
        for row in range(len(symbols)):
            ask_library(features[row : row + 1], models)

    return pandas_ta_s(symbols) + seconds(predict)


def talib_s(symbols: Symbols, names: list[str], features: F32, models: Models) -> float:
    """Return the seconds of a loop over TA-Lib for 50 outputs, and one batched prediction a model."""

    def work() -> None:
        talib_loop(symbols, names)
        ask_library(features, models)

    return seconds(work)


def pandas_s(symbols: Symbols) -> float:
    """Return the seconds of plain pandas, symbol by symbol: 30 of the outputs by rolling, ewm and shift."""
    import pandas as pd

    frames = [pd.DataFrame(rows) for rows in symbols]

    def one(rows: Any) -> None:
        close, high, low, volume = rows["c"], rows["h"], rows["l"], rows["v"]
        change = close.diff()
        reach = np.maximum(high, close.shift()) - np.minimum(low, close.shift())
        for window in (1, 5, 10, 21, 63, 126):
            close.pct_change(window)
        for window in (5, 10, 20, 50, 100):
            close.rolling(window).mean()
        for span in (12, 26):
            close.ewm(span=span, adjust=False).mean()
        for window in (10, 20, 63):
            np.log(close).diff().rolling(window).std()
        for window in (20, 63, 126):
            high.rolling(window).max(), low.rolling(window).min()
        for window in (5, 14):
            gain = change.clip(lower=0.0).ewm(alpha=1.0 / window, adjust=False).mean()
            100.0 * gain / (gain - change.clip(upper=0.0).ewm(alpha=1.0 / window, adjust=False).mean())
        reach.ewm(alpha=1.0 / 14, adjust=False).mean()
        volume / volume.rolling(20).mean()
        (close * volume).rolling(20).mean()
        2.0 * close.rolling(20).std()

    def loop() -> None:
        for frame in frames:
            one(frame)

    return seconds(loop)
