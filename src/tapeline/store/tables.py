"""Rows of a batch as Arrow tables, and the statement that keeps each of them once.

In: a ``JournalBatch``.  Out: (table name, Arrow table) pairs, and ``INSERT`` by table name.
Refuses nothing; ``executemany`` is a hundred times slower than Arrow and is not used anywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from tapeline.core.types import BAR_FIELDS, BarFrame, CycleRecord, Fill, Order
from tapeline.store.batch import DossierRecord, EquityMark, JournalBatch, OrderEnd, Split, StepRecord

_TEXT, _INT, _FLOAT = pa.string(), pa.int64(), pa.float64()


def _schema(text: str = "", whole: str = "", number: str = "", flag: str = "") -> pa.Schema:
    kinds = ((text, _TEXT), (whole, _INT), (number, _FLOAT), (flag, pa.bool_()))
    return pa.schema([(name, kind) for names, kind in kinds for name in names.split()])


SCHEMAS: dict[str, pa.Schema] = {
    "bars": _schema("symbol feed label", "timeframe_s event_ns revision", " ".join(BAR_FIELDS)),
    "offsets": _schema("entry_id", "lane"),
    "meta": _schema("key value"),
    "cycles": _schema("cycle_id regime record", "as_of_ns", "equity cash"),
    "signals": _schema("signal_id symbol side regime", "as_of_ns expires_ns", "strength"),
    "votes": _schema("signal_id source family reason", "place as_of_ns", "side confidence"),
    "headlines": _schema("symbol title publisher url label", "event_ns"),
    "orders": _schema("order_id symbol side reason signal_id", "seq created_ns", "qty"),
    "fills": _schema("fill_id order_id symbol side label", "seq event_ns", "qty price fee"),
    "order_ends": _schema("order_id kind", "seq event_ns"),
    "splits": _schema("symbol", "seq ex_ns", "new_per_old"),
    "marks": _schema("mark_id", "seq event_ns", "equity cash realised_pnl fees", "is_close"),
    "holdings": _schema("mark_id symbol", "", "qty avg_price price"),
    "dossiers": _schema(
        "dossier_id run_id symbol action model label record",
        "as_of_ns ready_ns llm_calls",
        "conviction prior model_part",
    ),
    "evidence_steps": _schema("run_id symbol step kind source reason record", "as_of_ns"),
    "pipeline_events": _schema("run_id symbol stage detail", "event_ns"),
}
"""Columns of every table, by name; the order of the columns in the file is of no matter."""

_KEYS = {"offsets": "lane", "meta": "key"}
"""Tables whose rows are replaced by a later word on the same key. In all others but the bars the first word stays."""

BAR_KEY = ("symbol", "timeframe_s", "event_ns")


def _insert(name: str) -> str:
    keep = f"INSERT INTO {name} BY NAME SELECT * FROM incoming ON CONFLICT DO"
    if name not in _KEYS:
        return f"{keep} NOTHING"
    columns = [column for column in SCHEMAS[name].names if column not in _KEYS[name].split()]
    return f"{keep} UPDATE SET {', '.join(f'{column} = excluded.{column}' for column in columns)}"


def _merge_bars() -> str:
    """Return the statement that keeps bars. They have no index, which would take six times their room and have to be
    mended row by row when a day is rolled; a join with the few blocks of the same time does as well.
    """
    same = " AND ".join(f"bars.{name} = incoming.{name}" for name in BAR_KEY)
    values = ", ".join(f"{name} = incoming.{name}" for name in SCHEMAS["bars"].names if name not in BAR_KEY)
    return (
        f"MERGE INTO bars USING incoming ON ({same}) WHEN MATCHED AND incoming.revision > bars.revision "
        f"THEN UPDATE SET {values} WHEN NOT MATCHED THEN INSERT BY NAME"
    )


INSERT: dict[str, str] = {name: _insert(name) for name in SCHEMAS} | {"bars": _merge_bars()}
"""Takes the rows of the registered view ``incoming``, which holds no bar twice."""


def bar_table(frames: Sequence[BarFrame]) -> pa.Table:
    """Return the rows of all frames, each (symbol, timeframe, start) once: the highest revision, the first of equals.

    One table and one statement for all lanes, and no key twice in it, as one statement can not replace a row twice.
    """
    table = pa.concat_tables([SCHEMAS["bars"].empty_table(), *(_frame_rows(frame) for frame in frames)])
    keys = list(zip(*(table[name].to_pylist() for name in BAR_KEY), strict=True))
    if len(set(keys)) == len(keys):
        return table
    revision = table["revision"].to_numpy()
    best: dict[tuple[Any, ...], int] = {}
    for row, key in enumerate(keys):
        if key not in best or revision[row] > revision[best[key]]:
            best[key] = row
    return table.take(list(best.values()))


def _frame_rows(frame: BarFrame) -> pa.Table:
    n = len(frame)
    columns = {
        "symbol": frame.symbols,
        "feed": [frame.feed] * n,
        "label": [frame.label.value] * n,
        "timeframe_s": np.full(n, frame.timeframe_s, np.int64),
        **{name: getattr(frame, name) for name in ("event_ns", "revision", *BAR_FIELDS)},
    }
    return pa.table({name: columns[name] for name in SCHEMAS["bars"].names}, schema=SCHEMAS["bars"])


def row_tables(batch: JournalBatch, first_seq: int) -> Iterator[tuple[str, pa.Table]]:
    """Yield every table but the bars that ``batch`` has rows for.

    ``first_seq`` numbers the ledger's events; their order is the order of ``batch.ledger()``.
    """
    rows: dict[str, list[dict[str, Any]]] = {
        "offsets": [{"lane": lane, "entry_id": entry_id} for lane, entry_id in batch.offsets.items()],
        "meta": [{"key": key, "value": value} for key, value in batch.meta.items()],
        "headlines": [asdict(headline) for headline in batch.headlines],
        "cycles": [_cycle(cycle) for cycle in batch.cycles],
        "signals": [asdict(signal) for cycle in batch.cycles for signal in cycle.signals],
        "votes": list(_votes(batch.cycles)),
        "dossiers": [_dossier(kept) for kept in batch.dossiers],
        "evidence_steps": [_step(step) for step in batch.steps],
        "pipeline_events": [asdict(event) for event in batch.stages],
        "holdings": [{"mark_id": mark.mark_id, **asdict(line)} for mark in batch.marks for line in mark.holdings],
    }
    names = {Split: "splits", Order: "orders", Fill: "fills", OrderEnd: "order_ends", EquityMark: "marks"}
    for seq, event in enumerate(batch.ledger(), start=first_seq):
        rows.setdefault(names[type(event)], []).append({"seq": seq, **asdict(event)})
    for name, lines in rows.items():
        if lines:
            yield name, pa.Table.from_pylist(lines, schema=SCHEMAS[name])


def _cycle(cycle: CycleRecord) -> dict[str, Any]:
    head = {name: getattr(cycle, name) for name in ("cycle_id", "as_of_ns", "regime", "equity", "cash")}
    return {**head, "record": msgspec.json.encode(cycle).decode()}


def _dossier(kept: DossierRecord) -> dict[str, Any]:
    names = ("dossier_id", "symbol", "as_of_ns", "conviction", "prior", "model_part", "action", "model", "llm_calls")
    head = {name: getattr(kept.dossier, name) for name in names}
    record = msgspec.json.encode(kept.dossier).decode()
    label = kept.dossier.label.value
    return {**head, "run_id": kept.run_id, "ready_ns": kept.ready_ns, "label": label, "record": record}


def _step(step: StepRecord) -> dict[str, Any]:
    outcome = step.outcome
    head = {name: getattr(step, name) for name in ("run_id", "symbol", "step")}
    said = {
        "kind": outcome.kind.value,
        "source": outcome.source,
        "reason": outcome.reason,
        "as_of_ns": outcome.as_of_ns,
    }
    record = None if outcome.value is None else msgspec.json.encode(outcome.value).decode()
    return {**head, **said, "record": record}


def _votes(cycles: Iterable[CycleRecord]) -> Iterator[dict[str, Any]]:
    """Yield what each source said of each signal; a silent one has its reason and no side."""
    for signal in (signal for cycle in cycles for signal in cycle.signals):
        for place, vote in enumerate(signal.votes):
            yield {"signal_id": signal.signal_id, "place": place, "family": vote.group, **asdict(vote)}
        for place, (source, reason) in enumerate(signal.silent, start=len(signal.votes)):
            yield {"signal_id": signal.signal_id, "place": place, "source": source, "reason": reason}
