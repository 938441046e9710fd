"""The result of a scan as a table, and on disk. The one module of this house that hands out Polars frames.

In: a ``ScanResult``.  Out: a frame with a row per candidate, a file, a frame of who was left out and why.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from tapeline.core.errors import BadInput
from tapeline.scan.result import ScanResult
from tapeline.scan.second import TEXTS

WRITERS = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".json": lambda frame, path: frame.write_json(path),
}


def build_table(result: ScanResult) -> pl.DataFrame:
    """Return the candidates, best first: ``result.columns()`` as a frame."""
    whole: dict[str, Any] = {"rank": pl.Int64, **dict.fromkeys(("symbol", "sector", *TEXTS), pl.String)}
    columns = result.columns()
    return pl.DataFrame(
        {name: pl.Series(values, dtype=whole.get(name, pl.Float64)) for name, values in columns.items()}
    )


def excluded_table(result: ScanResult) -> pl.DataFrame:
    """Return who was not ranked: symbol, kind, reason; by symbol."""
    rows = [(symbol, str(each.kind), each.reason) for symbol, each in result.exclusions.items()]
    return pl.DataFrame(rows, schema={"symbol": pl.String, "kind": pl.String, "reason": pl.String}, orient="row")


def write_table(result: ScanResult, path: Path) -> None:
    """Write ``result.table`` as Parquet, CSV or JSON, by the ending of ``path``.

    Raises
    ------
    BadInput
        For another ending, or a place that cannot be written.
    """
    if path.suffix not in WRITERS:
        raise BadInput(f"{path}: a scan is written as {', '.join(WRITERS)}; give the file one of these endings")
    try:
        WRITERS[path.suffix](result.table, path)
    except OSError as error:
        raise BadInput(f"the scan cannot be written to {path}: {error.strerror or error}") from None
