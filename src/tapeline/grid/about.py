"""Names and sectors of the shipped universe, for those who watch.

In: the shipped file.  Out: symbol -> name and sector.  Refuses nothing but a damaged file; nobody decides by it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq

from tapeline.core.errors import DataError
from tapeline.data import UNIVERSE, shipped


@dataclass(frozen=True, slots=True)
class About:
    """What a symbol stands for; empty where nobody knows."""

    name: str = ""
    sector: str = ""


def load_about() -> dict[str, About]:
    """Return the shipped names by symbol. Raises DataError when the file cannot be read."""
    path = shipped(UNIVERSE)
    try:
        rows = pq.read_table(path, columns=["symbol", "name", "sector"]).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise DataError(f"cannot read the shipped universe {path}: {error}; reinstall tapeline") from error
    return {row["symbol"]: About(row["name"] or "", row["sector"] or "") for row in rows}
