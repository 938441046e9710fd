"""Files of ticks: every kind of time and name is read, what is missing is named; a replay is the same each time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from tests.live.rows_of import PLAIN

from tapeline.core.errors import DataError
from tapeline.live.tape import Replay, read_ticks

NS = 1_767_623_400_000_000_000


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize(
    "moment", ["1767623400", "1767623400000", "1767623400000000", str(NS), "1767623400.0", "2026-01-05T14:30:00Z"]
)
def test_a_csv_with_any_kind_of_time_is_read(tmp_path: Path, moment: str) -> None:
    path = write(tmp_path / "a.csv", f"tradingsymbol,last_price,volume,exchange_timestamp\nAAPL,270.5,10,{moment}\n")
    (rows,) = read_ticks(path)
    assert (rows.symbols, rows.event_ns.tolist(), rows.numbers[0, :2].tolist()) == (("AAPL",), [NS], [270.5, 10.0])


def test_a_parquet_of_one_symbol_is_named_by_the_caller(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    times = pa.array([NS, NS + 1], pa.timestamp("ns"))
    pq.write_table(pa.table({"price": [1.0, 2.0], "size": [3, 4], "time": times, "bid": [0.5, None]}), path)
    (rows,) = read_ticks(path, symbol="ES")
    assert (rows.symbols, rows.event_ns.tolist()) == (("ES",), [NS, NS + 1])
    np.testing.assert_equal(rows.numbers[:, :3], [[1.0, 3.0, 0.5], [2.0, 4.0, np.nan]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("price,volume\n1,2\n", "no column for time, symbol; it has price, volume"),
        (
            "symbol,price,volume,time\nA,2,1,1767623400\nA,x,1,1767623400\n",
            "row 2 has 'x' for its price, which is not a number",
        ),
        (
            "symbol,price,volume,time\nA,1,1,1767623400\nA,1,1,yesterday\n",
            "row 2 has 'yesterday' for its time, which is not",
        ),
        ("\x16,price,volume,time\n\x16,1\n", r"cannot be read: .* got 2: \?,1"),
    ],
)
def test_a_file_that_is_no_tape_says_why(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(DataError, match=reason):
        list(read_ticks(write(tmp_path / "a.csv", text)))


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="there is no file"):
        list(read_ticks(tmp_path / "none.csv"))


def test_a_replay_makes_the_same_of_the_same_ticks_however_they_are_cut(tmp_path: Path) -> None:
    lines = "".join(f"A,{100 + k % 5},1,{1767623400 + 20 * k}\n" for k in range(30))
    (rows,) = read_ticks(write(tmp_path / "a.csv", f"symbol,price,volume,time\n{lines}"))
    whole, parts = Replay(PLAIN), Replay(PLAIN)
    whole.apply(rows)
    for k in range(0, 30, 7):
        parts.apply(rows.take(np.arange(k, min(k + 7, 30))))
    assert (whole.bars, whole.digest) == (parts.bars, parts.digest)
    assert whole.bars > 9
