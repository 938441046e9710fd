"""Two stores with the same content export the same bytes, however they came to it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import anyio
import pyarrow.parquet as pq
import pytest
from tests.store.batches import NAN, frame, full_batch, mark

from tapeline.core.errors import StoreError
from tapeline.store.batch import JournalBatch
from tapeline.store.export import BARS, DOSSIERS, EVIDENCE, LEDGER, SIGNALS, STAGES
from tapeline.store.journal import Journal

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _exported(folder: Path, batches: list[JournalBatch]) -> dict[str, bytes]:
    home = anyio.Path(folder)
    await home.mkdir()
    async with await Journal.open(folder / "t.duckdb") as journal:
        for batch in batches:
            await journal.write(batch)
        await journal.export(folder / "out")
    return {file.name: await file.read_bytes() async for file in (home / "out").iterdir()}


async def test_the_same_content_in_another_order_and_other_pieces_exports_the_same_bytes(tmp_path: Path) -> None:
    frames = [frame(minute, ("ZZZ", "MMM")) for minute in range(30)]
    one = [JournalBatch(frames=tuple(frames)), full_batch()]
    other = [full_batch(), *(JournalBatch(frames=(part,)) for part in reversed(frames)), full_batch()]
    assert await _exported(tmp_path / "one", one) == await _exported(tmp_path / "other", other)


async def test_one_other_bar_exports_other_bytes(tmp_path: Path) -> None:
    one = await _exported(tmp_path / "one", [JournalBatch(frames=(frame(1),))])
    other = await _exported(tmp_path / "other", [JournalBatch(frames=(frame(1, price=10.000001),))])
    assert one[BARS] != other[BARS]


async def test_the_files_hold_what_the_store_holds(tmp_path: Path) -> None:
    files = await _exported(tmp_path / "one", [full_batch()])
    assert set(files) == {BARS, SIGNALS, LEDGER, DOSSIERS, EVIDENCE, STAGES}
    bars = pq.read_table(io.BytesIO(files[BARS]))
    assert bars.column("symbol").to_pylist() == ["AAA", "BBB"] * 2
    (signal,) = [json.loads(line) for line in files[SIGNALS].splitlines()]
    assert (signal["signal_id"], signal["votes"][0]["group"], signal["silent"]) == ("s1", "tape", [["x", "timed out"]])
    (kept,) = [json.loads(line) for line in files[DOSSIERS].splitlines()]
    assert (kept["run_id"], kept["dossier"]["dossier_id"], kept["dossier"]["atr"]) == ("run@1", "d1", None)
    assert [json.loads(line)["outcome"]["kind"] for line in files[EVIDENCE].splitlines()] == ["value", "error"]
    assert [json.loads(line)["stage"] for line in files[STAGES].splitlines()] == ["collecting"]
    lines = list(csv.DictReader(io.StringIO(files[LEDGER].decode())))
    assert [line["kind"] for line in lines] == ["split", "order", "fill", "equity", "holding", "equity", "holding"]
    order = lines[1]
    assert (order["status"], order["symbol"], order["qty"], order["price"]) == ("filled", "AAA", "5.0", "")


async def test_an_unknown_equity_is_an_empty_cell(tmp_path: Path) -> None:
    files = await _exported(tmp_path / "one", [JournalBatch(marks=(mark(equity=NAN),))])
    line = next(csv.DictReader(io.StringIO(files[LEDGER].decode())))
    assert line["equity"] == ""


async def test_a_folder_that_can_not_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    async with await Journal.open(tmp_path / "t.duckdb") as journal:
        with pytest.raises(StoreError, match="choose a folder"):
            await journal.export(tmp_path / "file" / "out")
