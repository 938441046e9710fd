"""Names, sectors and kinds of symbols, for those who watch, and for screens.

In: the shipped file, and a universe file if there is one.  Out: symbol -> what is known of it.
Refuses nothing but a damaged file.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tapeline.core.errors import DataError
from tapeline.data import UNIVERSE, shipped
from tapeline.grid.history import STOCK


@dataclass(frozen=True, slots=True)
class About:
    """What a symbol stands for; empty where nobody knows."""

    name: str = ""
    sector: str = ""
    kind: str = STOCK


def load_about(universe: str = "") -> dict[str, About]:
    """Return what is known of the shipped symbols, and of those of a universe file, whose word counts more.

    Raises
    ------
    DataError
        When a file cannot be read.
    """
    return _read(shipped(UNIVERSE)) | (_read(Path(universe)) if universe else {})


def _read(path: Path) -> dict[str, About]:
    try:
        columns = [name for name in ("symbol", "name", "sector", "kind") if name in pq.read_schema(path).names]
        table = pq.read_table(path, columns=columns)
        rows = table.group_by(columns, use_threads=False).aggregate([]).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"cannot read the symbols of {path}: {str(error).splitlines()[0]}") from error
    return {
        row["symbol"]: About(row.get("name") or "", row.get("sector") or "", row.get("kind") or STOCK) for row in rows
    }
