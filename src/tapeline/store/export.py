"""The store as files that two runs of one seed write alike to the byte.

In: an open connection.  Out: bars, signals, the ledger, dossiers with what they rest on and how they came about.
Refuses to write anything of the run that made them: no wall time, no path, no host. Rows are sorted by their keys,
numbers are in their shortest exact form, missing ones are nothing (``null`` in JSON).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
from duckdb import DuckDBPyConnection

from tapeline.core.errors import StoreError
from tapeline.store import queries

BARS, SIGNALS, LEDGER = "bars.parquet", "signals.jsonl", "ledger.csv"
DOSSIERS, EVIDENCE, STAGES = "dossiers.jsonl", "evidence.jsonl", "stages.jsonl"

LEDGER_COLUMNS = (
    *("event_ns", "kind", "id", "order_id", "symbol", "side", "qty", "price", "fee"),
    *("equity", "cash", "realised_pnl", "status", "ended_ns", "label", "reason"),
)
_KINDS = ("split", "order", "fill", "equity", "holding")
"""Kinds of lines, in the order in which those of one moment are written."""

Line = dict[str, Any]


def export(connection: DuckDBPyConnection, folder: Path) -> dict[str, int]:
    """Write the files into ``folder``, which is made; older ones are replaced. Return the rows of each.

    Raises
    ------
    StoreError
        The folder cannot be written.
    """
    bars = queries.bar_rows(connection)
    lines: dict[str, Sequence[object]] = {
        SIGNALS: queries.signals(connection),
        DOSSIERS: queries.dossiers(connection),
        EVIDENCE: queries.evidence_steps(connection),
        STAGES: queries.stage_events(connection),
    }
    ledger = ledger_lines(connection)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The writer's settings are part of the bytes, so they are all named here.
        with _replacing(folder / BARS) as part:
            pq.write_table(bars, part, compression="zstd", compression_level=3, row_group_size=65_536, version="2.6")
        for name, rows in lines.items():
            with _replacing(folder / name) as part:
                part.write_bytes(b"".join(msgspec.json.encode(row) + b"\n" for row in rows))
        with _replacing(folder / LEDGER) as part:
            part.write_text(_csv(ledger), encoding="utf-8", newline="")
    except OSError as error:
        raise StoreError(f"cannot export to {folder}: {error.strerror}; choose a folder that can be written") from error
    counts = {name: len(rows) for name, rows in lines.items()}
    return {BARS: bars.num_rows, **counts, LEDGER: len(ledger)}


def ledger_lines(connection: DuckDBPyConnection) -> list[Line]:
    """Return orders (with how they ended), fills, splits and valuations with their holdings, by time, kind and id."""
    ended = {end.order_id: end for _, end in queries.ends(connection)}
    lines: list[Line] = []
    for _, order in queries.orders(connection):
        end = ended.get(order.order_id)
        lines.append(
            _line("order", order, id=order.order_id, event_ns=order.created_ns)
            | {"status": end.kind.value if end else "open", "ended_ns": end.event_ns if end else None}
        )
    lines += [_line("fill", fill, id=fill.fill_id) for _, fill in queries.fills(connection)]
    lines += [
        _line("split", split, id=f"{split.symbol}@{split.ex_ns}", event_ns=split.ex_ns, qty=split.new_per_old)
        for _, split in queries.splits(connection)
    ]
    for _, mark in queries.marks(connection):
        lines.append(_line("equity", mark, id=mark.mark_id, status="close" if mark.is_close else ""))
        lines += [
            _line("holding", held, id=f"{mark.mark_id}/{held.symbol}", event_ns=mark.event_ns) for held in mark.holdings
        ]
    return sorted(lines, key=lambda line: (line["event_ns"], _KINDS.index(line["kind"]), line["id"]))


def _line(kind: str, event: object, **given: object) -> Line:
    """Return the columns of the ledger that ``event`` has, and those that are given."""
    return {name: getattr(event, name, None) for name in LEDGER_COLUMNS} | {"kind": kind} | given


def _csv(lines: list[Line]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(LEDGER_COLUMNS)
    writer.writerows([_cell(line[name]) for name in LEDGER_COLUMNS] for line in lines)
    return text.getvalue()


def _cell(value: object) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    return repr(value) if isinstance(value, float) else str(value)


@contextmanager
def _replacing(path: Path) -> Iterator[Path]:
    """Give a name to write under; the file takes its place only when it is whole."""
    part = path.with_name(f"{path.name}.part")
    try:
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
