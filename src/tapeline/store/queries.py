"""What can be asked of the store: functions of a connection, run through ``Journal.read``.

In: an open connection.  Out: the nouns of the core, or plain numbers.
Refuses to write, and to invent: what is not there comes back empty.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
from duckdb import DuckDBPyConnection

from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import (
    BAR_FIELDS,
    BarFrame,
    CycleRecord,
    Dossier,
    Evidence,
    Fill,
    Label,
    Order,
    Side,
    Signal,
    Vote,
)
from tapeline.store.batch import (
    DossierRecord,
    EndKind,
    EquityMark,
    Holding,
    LedgerEvent,
    OrderEnd,
    Split,
    StageEvent,
    StepRecord,
)

T = TypeVar("T")

ROW_TABLES = (
    *("bars", "cycles", "signals", "votes", "headlines", "orders", "fills", "order_ends", "splits", "marks"),
    *("dossiers", "evidence_steps", "pipeline_events"),
)


def _value(connection: DuckDBPyConnection, sql: str) -> Any:
    """Return the one number of a query. All rows are fetched: DuckDB refuses further work on a half-read answer."""
    return connection.execute(sql).fetchall()[0][0]


def counts(connection: DuckDBPyConnection) -> dict[str, int]:
    """Return the number of rows of every table; of bars, those that were rolled too."""
    views = {"bars": "every_bar"}
    return {name: int(_value(connection, f"SELECT count(*) FROM {views.get(name, name)}")) for name in ROW_TABLES}


def offsets(connection: DuckDBPyConnection) -> dict[int, str]:
    """Return, for each lane, the last id of its closed stream whose bars are kept."""
    return dict(connection.execute("SELECT lane, entry_id FROM offsets ORDER BY lane").fetchall())


def meta(connection: DuckDBPyConnection) -> dict[str, str]:
    """Return the facts of the run."""
    return dict(connection.execute("SELECT key, value FROM meta ORDER BY key").fetchall())


def last_cycle_ns(connection: DuckDBPyConnection) -> int | None:
    """Return the moment of the last decision that was kept; None when there was none."""
    found = _value(connection, "SELECT max(as_of_ns) FROM cycles")
    return None if found is None else int(found)


def next_seq(connection: DuckDBPyConnection) -> int:
    """Return the number of the next ledger event."""
    tables = ("orders", "fills", "order_ends", "splits", "marks")
    union = " UNION ALL ".join(f"SELECT max(seq) AS seq FROM {name}" for name in tables)
    return int(_value(connection, f"SELECT coalesce(max(seq), 0) FROM ({union})")) + 1


def bar_rows(connection: DuckDBPyConnection, where: str = "true", values: tuple[Any, ...] = ()) -> pa.Table:
    """Return bars as one Arrow table, ordered by timeframe, start and symbol; those that were rolled are among them."""
    columns = ", ".join(("symbol", "timeframe_s", "event_ns", *BAR_FIELDS, "feed", "label", "revision"))
    order = "ORDER BY timeframe_s, event_ns, symbol"
    answer = connection.sql(f"SELECT {columns} FROM every_bar WHERE {where} {order}", params=list(values))
    table: pa.Table = answer.to_arrow_table()
    return table.combine_chunks()


def bars(connection: DuckDBPyConnection, timeframe_s: int, since_ns: int = 0) -> list[BarFrame]:
    """Return the bars of one length that start at ``since_ns`` or later, a frame for each feed and label.

    Rows are ordered by start, then symbol. ``as_of_ns`` of a frame is the end of its last bar.
    """
    # The date says which files need not be opened.
    where = "timeframe_s = ? AND event_ns >= ? AND date >= make_timestamp_ns(?)::DATE"
    table = bar_rows(connection, where, (timeframe_s, since_ns, since_ns))
    heads = sorted(set(zip(table["feed"].to_pylist(), table["label"].to_pylist(), strict=True)))
    feed, label = (np.array(table[name].to_pylist(), dtype=object) for name in ("feed", "label"))
    return [_frame(table.take(np.flatnonzero((feed == a) & (label == b))), timeframe_s, a, b) for a, b in heads]


def _frame(table: pa.Table, timeframe_s: int, feed: str, label: str) -> BarFrame:
    columns = {name: table[name].to_numpy().copy() for name in ("event_ns", *BAR_FIELDS, "revision")}
    end_ns = int(columns["event_ns"].max()) + timeframe_s * 1_000_000_000
    return BarFrame(timeframe_s, feed, Label(label), end_ns, tuple(table["symbol"].to_pylist()), **columns)


def cycles(connection: DuckDBPyConnection, since_ns: int = 0) -> list[CycleRecord]:
    """Return every record of a decision from a moment on, oldest first, equal to what was written."""
    ordered = "SELECT record FROM cycles WHERE as_of_ns >= ? ORDER BY as_of_ns, cycle_id"
    rows = connection.execute(ordered, [since_ns]).fetchall()
    return [_from_record(row[0], CycleRecord) for row in rows]


def _from_record(record: str, kind: type[T]) -> T:
    """Return a record as it was before it became JSON."""
    return msgspec.convert(_with_nan(msgspec.json.decode(record)), kind)


def _with_nan(tree: Any) -> Any:
    """Give NaN back where JSON, which has no NaN, says null. No record of ours holds any other null."""
    if isinstance(tree, dict):
        return {key: _with_nan(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [_with_nan(value) for value in tree]
    return math.nan if tree is None else tree


def signals(connection: DuckDBPyConnection) -> list[Signal]:
    """Return every signal with its votes, by time, symbol and id."""
    columns = "source, family, side, confidence, as_of_ns, reason"
    votes: dict[str, list[tuple[Any, ...]]] = {}
    for signal_id, *rest in connection.execute(
        f"SELECT signal_id, {columns} FROM votes ORDER BY signal_id, place"
    ).fetchall():
        votes.setdefault(signal_id, []).append(tuple(rest))
    rows = connection.execute(
        "SELECT signal_id, symbol, side, strength, as_of_ns, expires_ns, regime FROM signals "
        "ORDER BY as_of_ns, symbol, signal_id"
    ).fetchall()
    return [_signal(row, votes.get(row[0], [])) for row in rows]


def _signal(row: tuple[Any, ...], said: list[tuple[Any, ...]]) -> Signal:
    signal_id, symbol, side, strength, as_of_ns, expires_ns, regime = row
    votes = tuple(Vote(*line) for line in said if line[2] is not None)
    silent = tuple((line[0], line[5]) for line in said if line[2] is None)
    return Signal(signal_id, symbol, Side(side), strength, as_of_ns, expires_ns, regime, votes, silent)


def dossiers(connection: DuckDBPyConnection, since_ns: int = 0) -> list[DossierRecord]:
    """Return the dossiers that were ready at ``since_ns`` or later, by that moment and symbol."""
    rows = connection.execute(
        "SELECT run_id, ready_ns, record FROM dossiers WHERE ready_ns >= ? ORDER BY ready_ns, symbol, dossier_id",
        [since_ns],
    ).fetchall()
    return [DossierRecord(run_id, ready_ns, _from_record(record, Dossier)) for run_id, ready_ns, record in rows]


def evidence_steps(connection: DuckDBPyConnection) -> list[StepRecord]:
    """Return what came of every step of every collection, by run, symbol and step."""
    rows = connection.execute(
        "SELECT run_id, symbol, step, kind, source, reason, as_of_ns, record FROM evidence_steps "
        "ORDER BY run_id, symbol, step"
    ).fetchall()
    return [StepRecord(run_id, symbol, step, _outcome(*rest)) for run_id, symbol, step, *rest in rows]


def _outcome(kind: str, source: str, reason: str, as_of_ns: int | None, record: str | None) -> Outcome[Evidence]:
    value = None if record is None else _from_record(record, Evidence)
    return Outcome(Kind(kind), source, value, reason, as_of_ns)


def stage_events(connection: DuckDBPyConnection, since_ns: int = 0) -> list[StageEvent]:
    """Return the stages that symbols entered at ``since_ns`` or later, by run, moment, symbol and stage."""
    rows = connection.execute(
        "SELECT run_id, symbol, stage, event_ns, detail FROM pipeline_events WHERE event_ns >= ? "
        "ORDER BY run_id, event_ns, symbol, stage",
        [since_ns],
    ).fetchall()
    return [StageEvent(*row) for row in rows]


def orders(connection: DuckDBPyConnection) -> list[tuple[int, Order]]:
    """Return every order with its place in the ledger."""
    rows = connection.execute(
        "SELECT seq, order_id, symbol, side, qty, created_ns, reason, signal_id FROM orders ORDER BY seq"
    ).fetchall()
    return [(seq, Order(key, symbol, Side(side), *rest)) for seq, key, symbol, side, *rest in rows]


def fills(connection: DuckDBPyConnection) -> list[tuple[int, Fill]]:
    """Return every fill with its place in the ledger."""
    rows = connection.execute(
        "SELECT seq, fill_id, order_id, symbol, side, qty, price, fee, event_ns, label FROM fills ORDER BY seq"
    ).fetchall()
    return [
        (seq, Fill(key, order_id, symbol, Side(side), qty, price, fee, event_ns, Label(label)))
        for seq, key, order_id, symbol, side, qty, price, fee, event_ns, label in rows
    ]


def ends(connection: DuckDBPyConnection) -> list[tuple[int, OrderEnd]]:
    """Return every end of an order with its place in the ledger."""
    rows = connection.execute("SELECT seq, order_id, kind, event_ns FROM order_ends ORDER BY seq").fetchall()
    return [(seq, OrderEnd(order_id, EndKind(kind), event_ns)) for seq, order_id, kind, event_ns in rows]


def splits(connection: DuckDBPyConnection) -> list[tuple[int, Split]]:
    """Return every split with its place in the ledger."""
    rows = connection.execute("SELECT seq, symbol, new_per_old, ex_ns FROM splits ORDER BY seq").fetchall()
    return [(seq, Split(*rest)) for seq, *rest in rows]


def marks(connection: DuckDBPyConnection, *, closes_only: bool = False) -> list[tuple[int, EquityMark]]:
    """Return the valuations of the account, with their place in the ledger and their lines by symbol."""
    where = "WHERE is_close" if closes_only else ""
    lines: dict[str, list[Holding]] = {}
    for mark_id, *line in connection.execute(
        f"SELECT mark_id, symbol, qty, avg_price, price FROM holdings JOIN marks USING (mark_id) {where} "
        "ORDER BY mark_id, symbol"
    ).fetchall():
        lines.setdefault(mark_id, []).append(Holding(*line))
    rows = connection.execute(
        f"SELECT seq, mark_id, event_ns, equity, cash, realised_pnl, fees, is_close FROM marks {where} ORDER BY seq"
    ).fetchall()
    return [
        (seq, EquityMark(mark_id, event_ns, equity, cash, realised_pnl, fees, tuple(lines.get(mark_id, ())), is_close))
        for seq, mark_id, event_ns, equity, cash, realised_pnl, fees, is_close in rows
    ]


def ledger(connection: DuckDBPyConnection) -> list[LedgerEvent]:
    """Return everything that changed the account, in order; folded, it is the account (``trade.portfolio.fold``).

    Of the valuations only the closes are in it: no other changes anything.
    """
    events: list[tuple[int, LedgerEvent]] = [*orders(connection), *fills(connection), *ends(connection)]
    events += [*splits(connection), *marks(connection, closes_only=True)]
    return [event for _, event in sorted(events, key=lambda pair: pair[0])]
