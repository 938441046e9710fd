"""The benchmark: the shipped daily closes of the S&P 500 index since 1990, real.

Out: dates and closes.  Refuses nothing but a damaged file; whoever decides must look at the past of its day only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapeline.core.errors import DataError
from tapeline.core.types import F64
from tapeline.data import shipped


@dataclass(frozen=True, slots=True)
class Index:
    """Daily closes of the index.

    Attributes
    ----------
    days
        datetime64[D] (n,), rising.
    close
        float64 (n,) points.
    """

    days: NDArray[np.datetime64]
    close: F64


def load_index() -> Index:
    """Return the shipped index. Raises DataError when its file cannot be read."""
    path = shipped("index_daily.parquet")
    try:
        table = pq.read_table(path, columns=["session", "close"])
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot read the shipped index {path}: {error}; reinstall tapeline") from error
    days = table["session"].to_numpy().astype("datetime64[D]")
    return Index(days, table["close"].to_numpy().astype(np.float64))
