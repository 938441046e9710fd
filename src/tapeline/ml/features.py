"""The contract of features: what a model sees of a symbol, by name, in one order, under one hash.

In: a grid of sessions and each symbol's sector.  Out: float32 (n_symbols, n_features), NaN where too little is known.
Every feature is an expression over kernels and bars; all are free of the price's level and of the currency. A model
keeps the contract that it was trained on; ``difference`` says in words how another one differs, and loading refuses it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import BAR_FIELDS, F64
from tapeline.grid import BarGrid, indicators_at
from tapeline.kernels.catalogue import find
from tapeline.ml.expression import Expression, parse

F32 = NDArray[np.float32]
ReadColumns = Callable[[BarGrid, Sequence[str], int], dict[str, F64]]
"""(grid, names, n_rows) to the columns by name: ``read_columns``, or whoever knows them already."""
VERSION = 1

_SKIP_MONTH = "(1 + roc_126 / 100) / (1 + roc_21 / 100) - 1"
DEFINITIONS: tuple[tuple[str, str], ...] = (
    *((name, name) for name in ("roc_1", "roc_5", "roc_10", "roc_21", "roc_63", "roc_126")),
    ("momentum_126_21", _SKIP_MONTH),
    ("momentum_63_5", "(1 + roc_63 / 100) / (1 + roc_5 / 100) - 1"),
    ("reversal_1", "-roc_1 / natr_14"),
    ("reversal_5", "-roc_5 / natr_14"),
    *((f"from_sma_{w}", f"close / sma_{w} - 1") for w in (5, 10, 20, 50, 100)),
    *((f"from_ema_{w}", f"close / ema_{w} - 1") for w in (12, 26)),
    ("sma_20_over_50", "sma_20 / sma_50 - 1"),
    ("sma_50_over_100", "sma_50 / sma_100 - 1"),
    *((name, name) for name in ("sma_slope_20_5", "sma_slope_50_5", "trix_15", "adx_14", "aroon_14_osc")),
    ("macd_of_price", "macd_12_26_9 / close"),
    ("macd_hist_of_price", "macd_12_26_9_hist / close"),
    ("di_14", "plus_di_14 - minus_di_14"),
    *((f"{side}_{w}", f"{side}_{w}") for w in (20, 63, 126) for side in ("from_high", "from_low", "rank")),
    *((f"realized_vol_{w}", f"realized_vol_{w}") for w in (10, 20, 63)),
    *((name, name) for name in ("parkinson_vol_20", "garman_klass_vol_20", "natr_14")),
    *((name, name) for name in ("bbands_20_2_pctb", "bbands_20_2_width")),
    ("vol_10_over_63", "realized_vol_10 / realized_vol_63"),
    ("range_over_vol", "parkinson_vol_20 / realized_vol_20"),
    ("range_in_atr", "trange / atr_14_before"),
    ("relative_volume_20", "relative_volume_20"),
    ("dollars_5_over_63", "dollar_volume_5 / dollar_volume_63"),
    *((name, name) for name in ("cmf_20", "mfi_14", "gap_20", "gap_20_mean", "gap_20_std")),
    *((name, name) for name in ("rsi_5", "rsi_14", "stochrsi_14_14_3_k", "stoch_14_3_3_k", "stoch_14_3_3_d")),
    *((name, name) for name in ("willr_14", "cci_20", "ultosc_7_14_28", "robust_z_20")),
    ("body", "close / open - 1"),
    ("close_in_range", "(close - low) / (high - low)"),
    *((f"rank_of_roc_{w}", f"rank(roc_{w})") for w in (1, 5, 21, 63)),
    ("rank_of_momentum_126_21", f"rank({_SKIP_MONTH})"),
    ("rank_of_vol", "rank(realized_vol_20)"),
    ("rank_of_dollars", "rank(dollar_volume_20)"),
    ("rank_of_relative_volume", "rank(relative_volume_20)"),
    *((f"z_of_roc_{w}", f"z(roc_{w})") for w in (1, 5)),
    *((f"roc_{w}_vs_sector", f"vs_sector(roc_{w})") for w in (5, 21)),
    ("vol_vs_sector", "vs_sector(realized_vol_20)"),
    ("sector_rank_of_roc_21", "sector_rank(roc_21)"),
)
"""(name, expression) in the order of the matrix. Changing any of it makes another contract."""


@dataclass(frozen=True)
class Contract:
    """A list of features and everything that follows from it.

    Attributes
    ----------
    definitions
        (name, expression), in the order of the matrix.
    """

    definitions: tuple[tuple[str, str], ...]
    version: int = VERSION

    @property
    def names(self) -> tuple[str, ...]:
        """The features' names."""
        return tuple(name for name, _ in self.definitions)

    @cached_property
    def digest(self) -> str:
        """Hash of version, names, expressions and order; two contracts are the same if and only if this is."""
        lines = [f"{self.version}", *(f"{name} = {text}" for name, text in self.definitions)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]

    @cached_property
    def expressions(self) -> tuple[Expression, ...]:
        """The parsed definitions."""
        return tuple(parse(text) for _, text in self.definitions)

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Fields and indicators that the expressions need, each once."""
        return tuple(dict.fromkeys(name for expression in self.expressions for name in expression.names))

    @cached_property
    def indicators(self) -> tuple[str, ...]:
        """The indicators among ``columns``; a ring must track them from its first bar on (``BarGrid.empty``)."""
        return tuple(name for name in self.columns if name not in BAR_FIELDS)

    @cached_property
    def bars(self) -> int:
        """Traded sessions without which a feature is NaN."""
        found = (find(name)[0] for name in self.indicators)
        return max((instance.kernel.lookback(instance.params) for instance in found), default=1)

    def difference(self, other: Contract) -> str:
        """Say in one line how ``other`` differs from this contract; "" when it does not."""
        ours, theirs = dict(self.definitions), dict(other.definitions)
        parts = [
            ("version", [f"{other.version}, not {self.version}"] if self.version != other.version else []),
            ("it lacks", [name for name in ours if name not in theirs]),
            ("it adds", [name for name in theirs if name not in ours]),
            ("defined otherwise", [name for name in ours if name in theirs and ours[name] != theirs[name]]),
        ]
        if not any(names for _, names in parts) and self.definitions != other.definitions:
            parts.append(("the order differs from", [next(a for a, b in zip(ours, theirs, strict=True) if a != b)]))
        return "; ".join(f"{what} {_some(names)}" for what, names in parts if names)


CONTRACT = Contract(DEFINITIONS)


def read_columns(grid: BarGrid, names: Sequence[str], n_rows: int) -> dict[str, F64]:
    """Return bar fields and indicators of the row that is the newest of ``n_rows``, each float64 (n_symbols,)."""
    found = indicators_at(grid, [name for name in names if name not in BAR_FIELDS], n_rows)
    for name in set(names) & set(BAR_FIELDS):
        found[name] = np.array(grid.field(name)[n_rows - 1]) if n_rows else np.full(len(grid.symbols), np.nan)
    return found


def refresh_columns(grid: BarGrid, columns: Mapping[str, F64], changed: NDArray[np.intp], n_rows: int) -> None:
    """Write the values of some symbols over the old ones; a symbol has the same bits in a grid of its own."""
    if changed.size:
        part = grid.with_symbols([grid.symbols[int(col)] for col in changed])
        for name, values in read_columns(part, tuple(columns), n_rows).items():
            columns[name][changed] = values


def build_features(columns: Mapping[str, F64], sectors: NDArray[np.intp], contract: Contract = CONTRACT) -> F32:
    """Return the features of one row, float32 (n_symbols, n_features).

    Parameters
    ----------
    columns
        Each of ``contract.columns``, float64 (n_symbols,).
    sectors
        Sector of each symbol, int (n_symbols,), -1 where unknown (``cross.group_codes``).
    """
    matrix = np.empty((len(contract.definitions), len(sectors)), np.float32)
    for row, expression in zip(matrix, contract.expressions, strict=True):
        row[:] = expression.value(columns, sectors)
    return np.ascontiguousarray(matrix.T)


def feature_matrix(grid: BarGrid, sectors: NDArray[np.intp], n_rows: int, contract: Contract = CONTRACT) -> F32:
    """Return the features of the row that is the newest of ``n_rows``; later rows change nothing."""
    return build_features(read_columns(grid, contract.columns, n_rows), sectors, contract)


def feature_history(grid: BarGrid, sectors: NDArray[np.intp], contract: Contract = CONTRACT) -> F32:
    """Return the features of every row, float32 (n_bars, n_symbols, n_features); for training and for audits."""
    columns = {**grid.indicators(contract.indicators, "all"), **{name: grid.field(name) for name in BAR_FIELDS}}
    out = np.empty((grid.n_bars, len(grid.symbols), len(contract.definitions)), np.float32)
    for row in range(grid.n_bars):
        out[row] = build_features({name: column[row] for name, column in columns.items()}, sectors, contract)
    return out


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
