"""Why a model thinks what it thinks of a symbol: the features that moved it, in words.

In: a forecast and some of its symbols.  Out: an ``Explanation`` each. A second call, as it costs more than the scan.
Refuses to explain an abstention, or a value that everybody has, as if it were an opinion on the symbol.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tapeline.core.errors import BadInput
from tapeline.core.types import F64
from tapeline.ml.features import F32
from tapeline.ml.forecast import Forecast

TOP = 3
"""Features named on each side."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What moved the models on one symbol.

    Attributes
    ----------
    shares
        Target to (feature, SHAP value), the largest move first; in units of the target's rank, or of the log-odds of
        its calibrated probability. Empty when the model says the same of every symbol.
    base
        Target to what the model says of nobody in particular; ``base`` and all SHAP values add up to the target's rank
        or log-odds.
    words
        A sentence per target.
    """

    symbol: str
    shares: dict[str, tuple[tuple[str, float], ...]]
    base: dict[str, float]
    words: tuple[str, ...]


def explain(forecast: Forecast, symbols: Sequence[str]) -> tuple[Explanation, ...]:
    """Return what moved the models on each of ``symbols``, in their order.

    Raises
    ------
    BadInput
        For a symbol that the forecast does not know.
    """
    place = {symbol: col for col, symbol in enumerate(forecast.symbols)}
    if unknown := [symbol for symbol in symbols if symbol not in place]:
        raise BadInput(f"{unknown[0]} is not in the universe that was forecast")
    cols = np.array([place[symbol] for symbol in symbols], np.intp)
    features = np.ascontiguousarray(forecast.features[cols])
    spoken = {name: forecast.models.contributions(name, features) for name in forecast.values} if len(cols) else {}
    return tuple(_of_symbol(forecast, symbol, int(cols[i]), i, spoken) for i, symbol in enumerate(symbols))


def _of_symbol(forecast: Forecast, symbol: str, col: int, i: int, spoken: dict[str, F64]) -> Explanation:
    silent = forecast.why_silent(col)
    if silent:
        return Explanation(symbol, {}, {}, (f"The models abstain on {symbol}: {silent}.",))
    names = [name for name, _ in forecast.models.file.definitions]
    shares, words = {}, []
    for target, values in spoken.items():
        moved = values[i, :-1]
        order = np.argsort(-np.abs(moved), kind="stable")
        shares[target] = tuple((names[j], float(moved[j])) for j in order if moved[j] != 0.0)
        value = float(forecast.values[target][col])
        words.append(_sentence(target, value, shares[target], forecast.features[col], names))
    return Explanation(
        symbol, shares, {target: float(values[i, -1]) for target, values in spoken.items()}, tuple(words)
    )


def _sentence(target: str, value: float, shares: tuple[tuple[str, float], ...], row: F32, names: list[str]) -> str:
    up = [_feature(name, row, names) for name, share in shares if share > 0.0][:TOP]
    down = [_feature(name, row, names) for name, share in shares if share < 0.0][:TOP]
    said = f"{target} {value:.1%} likely" if target.startswith("up") else f"{target} rank {value:+.3f}"
    parts = [f"{what} by {', '.join(which)}" for what, which in (("raised", up), ("lowered", down)) if which]
    return f"{said}: {'; '.join(parts) or 'the same for every symbol: no reasons'}"


def _feature(name: str, row: F32, names: list[str]) -> str:
    value = float(row[names.index(name)])
    return f"{name} unknown" if np.isnan(value) else f"{name} {value:.4g}"
