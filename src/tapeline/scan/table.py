"""The result of a scan as a table, and on disk. The one module of this house that hands out Polars frames.

In: a ``ScanResult``.  Out: a frame with a row per candidate, a file, a frame of who was left out and why.
"""

from __future__ import annotations

from pathlib import Path

import polars as pl

from tapeline.core.errors import BadInput
from tapeline.scan.result import ScanResult

WRITERS = {
    ".parquet": lambda frame, path: frame.write_parquet(path),
    ".csv": lambda frame, path: frame.write_csv(path),
    ".json": lambda frame, path: frame.write_json(path),
}


def build_table(result: ScanResult) -> pl.DataFrame:
    """Return the candidates, best first.

    Columns: rank, symbol, sector, score; entry, stop, target and atr in dollars; freshness_s; ``<factor>_points`` of
    everything that made the score; the models' own values. Null where a model abstains.
    """
    cols = [result.symbols.index(candidate.symbol) for candidate in result.candidates] if result.candidates else []
    named = [dict(candidate.contributions) for candidate in result.candidates]
    parts = list(dict.fromkeys(name for each in named for name in each))
    rows = result.candidates
    columns: dict[str, pl.Series] = {
        "rank": pl.Series([row.rank for row in rows], dtype=pl.Int64),
        "symbol": pl.Series([row.symbol for row in rows], dtype=pl.String),
        "sector": pl.Series([result.sectors[col] if result.sectors else "" for col in cols], dtype=pl.String),
        "score": pl.Series([row.score for row in rows], dtype=pl.Float64),
        "entry": pl.Series([row.price for row in rows], dtype=pl.Float64),
        "stop": pl.Series([float(result.stop[col]) for col in cols], dtype=pl.Float64),
        "target": pl.Series([float(result.target[col]) for col in cols], dtype=pl.Float64),
        "atr": pl.Series([row.atr for row in rows], dtype=pl.Float64),
        "freshness_s": pl.Series([row.freshness_s for row in rows], dtype=pl.Float64),
    }
    for name in parts:
        columns[f"{name}_points"] = pl.Series([each.get(name) for each in named], dtype=pl.Float64)
    for name, values in result.values.items():
        columns[name] = pl.Series([float(values[col]) for col in cols], dtype=pl.Float64).fill_nan(None)
    return pl.DataFrame(columns)


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
