"""One writer, one transaction: all of a batch or nothing, and everything once."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import anyio
import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.store.batches import MINUTE_NS, bars_batch, fill, frame, full_batch, mark, order

from tapeline.core.errors import StoreError
from tapeline.core.types import Bar, BarFrame
from tapeline.store import queries
from tapeline.store.batch import JournalBatch
from tapeline.store.journal import Journal

pytestmark = pytest.mark.anyio

one_backend = pytest.mark.parametrize("anyio_backend", ["asyncio"])
"""For what is slow and is the same on any event loop: it is the disk that is tested."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


async def _bars(journal: Journal, timeframe_s: int = 60) -> list[Bar]:
    return [bar for part in await journal.read(lambda c: queries.bars(c, timeframe_s)) for bar in part.bars()]


async def test_offsets_move_with_the_bars(journal: Journal) -> None:
    await journal.write(bars_batch(1))
    await journal.write(replace(bars_batch(2), offsets={0: "2-0", 3: "9-9"}))
    assert await journal.read_offsets() == {0: "2-0", 3: "9-9"}


async def test_a_batch_written_twice_is_kept_once(journal: Journal) -> None:
    await journal.write(full_batch())
    once = await journal.read(queries.counts), await journal.read_ledger()
    await journal.write(full_batch())
    assert (await journal.read(queries.counts), await journal.read_ledger()) == once


async def test_a_higher_revision_replaces_a_bar_and_a_lower_one_does_not(journal: Journal) -> None:
    for revision, price in ((1, 11.0), (0, 10.0), (1, 12.0)):
        await journal.write(bars_batch(1, revision=revision, price=price))
        assert (await _bars(journal))[0].open == 11.0
    await journal.write(bars_batch(1, revision=2, price=13.0))
    assert (await _bars(journal))[0].open == 13.0


async def test_two_words_on_one_bar_in_one_batch_keep_the_higher_revision(journal: Journal) -> None:
    late = frame(1, revision=1, price=11.0)
    await journal.write(JournalBatch(frames=(late, frame(1))))
    await journal.write(
        JournalBatch(frames=(BarFrame.concat([frame(2), frame(2, revision=1, price=12.0)], as_of_ns=0),))
    )
    assert [bar.open for bar in await _bars(journal) if bar.symbol == "AAA"] == [11.0, 12.0]


async def test_a_batch_larger_than_one_transaction_is_kept_whole(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path / "small.duckdb", commit_rows=3) as journal:
        names = tuple(f"S{i}" for i in range(8))
        await journal.write(JournalBatch(frames=(frame(1, names), frame(2, names)), offsets={0: "2-0"}))
        assert (await journal.read(queries.counts))["bars"] == 16
        assert await journal.read_offsets() == {0: "2-0"}


async def test_the_ledger_comes_back_in_the_order_it_was_written_also_after_reopening(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    second, third = (
        JournalBatch(orders=(order(f"o{n}"),), fills=(fill(f"f{9 - n}", f"o{n}", minute=1),)) for n in (2, 3)
    )
    async with await Journal.open(path) as journal:
        await journal.write(full_batch())
        await journal.write(second)
    async with await Journal.open(path) as journal:
        await journal.write(third)
        events = [*full_batch().ledger(), *second.ledger(), *third.ledger()]
        closes_only = [event for event in events if event != mark()]
        assert await journal.read_ledger() == closes_only


@pytest.mark.parametrize(
    ("broken", "error"), [({"fill_id": None}, duckdb.ConstraintException), ({"qty": "many"}, pa.ArrowInvalid)]
)
async def test_a_failure_in_the_middle_keeps_nothing_of_the_batch_and_the_next_write_works(
    journal: Journal, broken: dict[str, Any], error: type[Exception]
) -> None:
    await journal.write(bars_batch(1))
    with pytest.raises(error):
        await journal.write(replace(full_batch(), fills=(replace(fill(), **broken),)))
    assert await journal.read_offsets() == {0: "1-0"}
    counts = await journal.read(queries.counts)
    assert (counts["bars"], counts["cycles"], counts["orders"]) == (2, 0, 0)
    await journal.write(full_batch())
    assert await journal.read_offsets() == {0: "2-0", 1: "2-1"}


async def test_a_cancelled_write_has_happened_whole_or_not_at_all(journal: Journal) -> None:
    with anyio.CancelScope() as scope:
        scope.cancel()
        await journal.write(bars_batch(1))
    async with anyio.create_task_group() as group:
        group.start_soon(journal.write, bars_batch(2))
        await anyio.lowlevel.checkpoint()
        group.cancel_scope.cancel()
    minutes = {bar.event_ns // MINUTE_NS for bar in await _bars(journal)}
    assert minutes == {int(entry.split("-")[0]) for entry in (await journal.read_offsets()).values()}


async def test_tasks_may_share_a_journal(journal: Journal) -> None:
    async with anyio.create_task_group() as group:
        for minute in range(8):
            group.start_soon(journal.write, JournalBatch(frames=(frame(minute),), fills=(fill(f"f{minute}"),)))
    counts = await journal.read(queries.counts)
    assert (counts["bars"], counts["fills"]) == (16, 8)


async def test_closing_twice_is_closing_once(tmp_path: Path) -> None:
    journal = await Journal.open(tmp_path / "t.duckdb")
    await journal.write(bars_batch(1))
    await journal.aclose()
    await journal.aclose()
    async with await Journal.open(tmp_path / "t.duckdb") as again:
        assert len(await _bars(again)) == 2


@one_backend
@settings(max_examples=15, deadline=None)
@given(words=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), min_size=1, max_size=12), cut=st.integers(0, 12))
async def test_however_words_on_bars_are_batched_the_first_of_the_highest_revision_stays(
    words: list[tuple[int, int]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    frames = [frame(minute, ("A",), revision=rev, price=100.0 + i) for i, (minute, rev) in enumerate(words)]
    expected: dict[int, tuple[int, float]] = {}
    for i, (minute, revision) in enumerate(words):
        if revision > expected.get(minute, (-1, 0.0))[0]:
            expected[minute] = (revision, 100.0 + i)
    async with await Journal.open(tmp_path_factory.mktemp("words") / "t.duckdb") as journal:
        for part in (frames[:cut], frames[cut:]):
            await journal.write(JournalBatch(frames=tuple(part)))
        kept = {bar.event_ns // MINUTE_NS: (bar.revision, bar.open) for bar in await _bars(journal)}
    assert kept == expected


WRITER = """
import sys, anyio, pathlib
from tapeline.store.journal import Journal
from tests.store.batches import bars_batch
async def main():
    journal = await Journal.open(pathlib.Path(sys.argv[1]))
    for minute in range(100_000):
        await journal.write(bars_batch(minute))
        print(minute, flush=True)
anyio.run(main)
"""


def _python(script: str, *args: str) -> subprocess.Popen[str]:
    path = ":".join(entry for entry in sys.path if entry)
    return subprocess.Popen(
        [sys.executable, "-c", script, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": path, "PATH": "/usr/bin:/bin"},
    )


@one_backend
@pytest.mark.process
async def test_a_second_process_is_refused_with_the_holder_and_a_killed_one_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with _python(WRITER, str(path)) as child:
        assert child.stdout is not None
        for _ in range(20):
            child.stdout.readline()
        with pytest.raises(StoreError, match=f"held by process {child.pid}: stop it"):
            await Journal.open(path)
        child.kill()
        said = [line for line in child.stdout.read().split("\n") if line]
    async with await Journal.open(path) as journal:
        minutes = sorted({bar.event_ns // MINUTE_NS for bar in await _bars(journal)})
        offset = int((await journal.read_offsets())[0].split("-")[0])
    assert minutes == list(range(offset + 1))
    assert offset >= (int(said[-1]) if said else 19)
    assert [kept async for kept in anyio.Path(tmp_path).glob("*.corrupt-*")] == []


FULL_DISK = """
import resource, sys, anyio, pathlib
from tapeline.core.errors import StoreError
from tapeline.store.journal import Journal
from tests.store.batches import bars_batch
names = tuple(f"S{i}" for i in range(500))
async def main():
    async with await Journal.open(pathlib.Path(sys.argv[1])) as journal:
        await journal.write(bars_batch(0, symbols=names))
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        for minute in range(1, 1000):
            try:
                await journal.write(bars_batch(minute, symbols=names))
            except StoreError as error:
                print(minute, error, flush=True)
                return
anyio.run(main)
"""


@one_backend
@pytest.mark.process
async def test_a_full_disk_is_one_sentence_and_keeps_nothing_of_the_batch(tmp_path: Path) -> None:
    path = tmp_path / "t.duckdb"
    with _python(FULL_DISK, str(path)) as child:
        out, err = child.communicate(timeout=60)
    failed, sentence = out.split(" ", 1)
    assert "probably full" in sentence
    assert sentence.count("\n") == 1
    assert "Traceback" not in err
    async with await Journal.open(path) as journal:
        assert await journal.read_offsets() == {0: f"{int(failed) - 1}-0"}
        assert (await journal.read(queries.counts))["bars"] == 500 * int(failed)
