"""A home in bounded disk: rolled bars are seen as if nothing had moved, what must stay stays, and the cap is kept."""

from __future__ import annotations

import datetime as dt
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import anyio
import duckdb
import pytest
from tests.chaos import kills
from tests.store.batches import MINUTE_NS, cycle, dossier, fill, frame, full_batch, mark, order

from tapeline.core.config.retention import RetentionConfig
from tapeline.core.errors import StoreError
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import DAY_S, Evidence, Headline, Label
from tapeline.store import queries, rolled
from tapeline.store.batch import IMPORTED, JournalBatch, StageEvent, StepRecord
from tapeline.store.database import open_database
from tapeline.store.journal import Journal
from tapeline.store.retention import tidy

pytestmark = pytest.mark.anyio

DAY_NS = DAY_S * 1_000_000_000
DAY_MINUTES = DAY_S // 60
KEEP_ONE = RetentionConfig(journal_days=1)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def day_batch(day: int, minutes: int = 2, **changes: object) -> JournalBatch:
    """Return bars of the first minutes of a day since 1970, and of five minutes."""
    start = day * DAY_MINUTES
    frames = [frame(start + minute, **changes) for minute in range(minutes)]  # type: ignore[arg-type]
    return JournalBatch(frames=(*frames, frame(start, timeframe_s=300)), offsets={0: f"{day + 1}-0"})


async def every(journal: Journal) -> list[str]:
    """Return every bar, as a reader sees it; as text, in which NaN equals NaN."""
    return [repr(row) for row in (await journal.read(queries.bar_rows)).to_pylist()]


def days_on_disk(journal: Journal) -> list[str]:
    return [day.isoformat() for day in rolled.rolled_days(journal.bars_folder)]


async def test_rolled_bars_are_read_as_if_they_had_never_moved(journal: Journal) -> None:
    for day in range(4):
        await journal.write(day_batch(day, price=10.0 + day))
    before, counts = await every(journal), await journal.read(queries.counts)
    late = partial(queries.bars, timeframe_s=60, since_ns=2 * DAY_NS + MINUTE_NS)
    late_before = repr(await journal.read(late))
    done = await tidy(journal, KEEP_ONE)
    assert (done.rolled_bars, done.rolled_days) == (18, ["1970-01-01", "1970-01-02", "1970-01-03"])
    assert days_on_disk(journal) == done.rolled_days
    assert await journal.read(lambda c: c.execute("SELECT count(*) FROM bars").fetchall()) == [(6,)]
    assert await every(journal) == before
    assert await journal.read(queries.counts) == counts
    assert repr(await journal.read(late)) == late_before
    assert await journal.read_offsets() == {0: "4-0"}


async def test_an_export_has_the_same_bytes_before_and_after(journal: Journal, tmp_path: Path) -> None:
    await journal.write(full_batch())
    for day in range(3):
        await journal.write(day_batch(day))
    await journal.export(tmp_path / "before")
    await tidy(journal, KEEP_ONE, compact=True)
    await journal.export(tmp_path / "after")
    for file in (tmp_path / "before").iterdir():
        assert (tmp_path / "after" / file.name).read_bytes() == file.read_bytes()


async def test_rolled_bars_are_there_after_reopening_and_a_second_round_does_nothing(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path / "journal.duckdb") as journal:
        for day in range(3):
            await journal.write(day_batch(day))
        before = await every(journal)
        await tidy(journal, KEEP_ONE)
    async with await Journal.open(tmp_path / "journal.duckdb") as journal:
        assert await every(journal) == before
        again = await tidy(journal, KEEP_ONE)
        assert (again.rolled_bars, again.rolled_days, again.dropped, again.compacted) == (0, [], {}, False)


@pytest.mark.parametrize(("revision", "price", "seen"), [(0, 99.0, 10.0), (1, 99.0, 99.0)])
async def test_a_late_word_on_a_rolled_bar_is_heard_by_its_revision_before_and_after_it_is_rolled_too(
    journal: Journal, revision: int, price: float, seen: float
) -> None:
    for day in range(2):
        await journal.write(day_batch(day))
    await tidy(journal, KEEP_ONE)
    await journal.write(JournalBatch(frames=(frame(0, ("AAA",), revision=revision, price=price),)))
    first = partial(queries.bar_rows, where="symbol = 'AAA' AND timeframe_s = 60 AND event_ns = 0")
    assert (await journal.read(first))["open"].to_pylist() == [seen]
    await tidy(journal, KEEP_ONE)
    assert (await journal.read(first))["open"].to_pylist() == [seen]
    assert [path.name for path in (journal.bars_folder / "date=1970-01-01").iterdir()] == ["bars-0002.parquet"]
    assert len(await every(journal)) == 12


async def test_daily_bars_and_those_a_person_brought_stay_in_the_journal(journal: Journal) -> None:
    for day in range(3):
        start = day * DAY_MINUTES
        own = frame(start, ("OWN",), feed=IMPORTED)
        await journal.write(JournalBatch(frames=(frame(start, timeframe_s=DAY_S), frame(start), own)))
    before = await every(journal)
    done = await tidy(journal, RetentionConfig(journal_days=1, bar_days=1))
    assert done.dropped == {"bars": ["1970-01-01"]}
    after = await every(journal)
    assert len([row for row in after if f"'timeframe_s': {DAY_S}" in row]) == 6
    assert len([row for row in after if f"'feed': '{IMPORTED}'" in row]) == 3
    assert len(after) == len(before) - 2


async def test_only_the_newest_days_of_rolled_bars_stay(journal: Journal) -> None:
    for day in (0, 1, 40, 400, 401):  # a node that was off for a year has lost no day by it
        await journal.write(day_batch(day))
    done = await tidy(journal, RetentionConfig(journal_days=1, bar_days=3))
    assert done.dropped == {"bars": ["1970-01-01"]}
    assert days_on_disk(journal) == ["1970-01-02", "1970-02-10", "1971-02-05"]
    kept = await tidy(journal, RetentionConfig(journal_days=1, bar_days=0))
    assert kept.dropped == {}


async def test_the_last_rolled_day_may_go_and_come_again(journal: Journal) -> None:
    for day in range(2):
        await journal.write(day_batch(day))
    await tidy(journal, KEEP_ONE)
    await journal.read(partial(rolled.drop_day, folder=journal.bars_folder, day=dt.date(1970, 1, 1)))
    assert len(await every(journal)) == 6
    await journal.write(day_batch(0))
    assert len(await every(journal)) == 12


def evidence_of(day: int) -> JournalBatch:
    """Return a run's evidence, stages and headlines on a day."""
    run, moment_ns = f"run@{day}", day * DAY_NS + MINUTE_NS
    found: Outcome[Evidence] = nothing(Kind.NO_DATA, source="rss", reason="nothing")
    return JournalBatch(
        headlines=(Headline("AAA", moment_ns, f"day {day}", "Wire", "https://example.org/a", Label.SIMULATED),),
        steps=(StepRecord(run, "AAA", "news", found),),
        stages=(StageEvent(run, "AAA", "collecting", moment_ns, ""),),
        dossiers=(replace(dossier(f"d{day}", ready_ns=moment_ns), run_id=run),),
    )


async def test_old_evidence_goes_and_its_dossiers_stay(journal: Journal) -> None:
    for day in range(5):
        await journal.write(evidence_of(day))
    done = await tidy(journal, RetentionConfig(evidence_days=2))
    assert done.dropped == {"journal": ["9 rows of evidence"]}
    assert [step.run_id for step in await journal.read(queries.evidence_steps)] == ["run@3", "run@4"]
    assert [stage.run_id for stage in await journal.read(queries.stage_events)] == ["run@3", "run@4"]
    counts = await journal.read(queries.counts)
    assert (counts["headlines"], counts["dossiers"]) == (2, 5)


async def test_an_old_decision_goes_unless_an_order_came_of_it(journal: Journal) -> None:
    for day in range(4):
        moment_ns = day * DAY_NS
        signal = replace(cycle().signals[0], signal_id=f"s{day}", as_of_ns=moment_ns)
        orders = (replace(order(f"o{day}"), signal_id=f"s{day}", created_ns=moment_ns),) if day == 1 else ()
        record = replace(cycle(f"c{day}"), as_of_ns=moment_ns, signals=(signal,), orders=orders)
        await journal.write(JournalBatch(cycles=(record,)))
    ledger = await journal.read_ledger()
    done = await tidy(journal, RetentionConfig(decision_days=2))
    assert done.dropped == {"journal": ["5 rows of decisions"]}
    assert [kept.cycle_id for kept in await journal.read(queries.cycles)] == ["c1", "c2", "c3"]
    signals = await journal.read(queries.signals)
    assert [(kept.signal_id, len(kept.votes)) for kept in signals] == [("s1", 2), ("s2", 2), ("s3", 2)]
    assert await journal.read_ledger() == ledger


async def test_compacting_shrinks_the_file_and_changes_nothing(journal: Journal) -> None:
    await journal.write(full_batch())
    names = tuple(f"S{i}" for i in range(2_000))
    for day in range(3):
        await journal.write(JournalBatch(frames=tuple(frame(day * DAY_MINUTES + m, names) for m in range(8))))
    before, counts = await every(journal), await journal.read(queries.counts)
    ledger = await journal.read_ledger()
    await journal.read(lambda c: c.execute("CHECKPOINT"))
    full = journal.path.stat().st_size
    done = await tidy(journal, KEEP_ONE, compact=True)
    assert done.compacted
    assert journal.path.stat().st_size < 0.95 * full
    assert await every(journal) == before
    assert await journal.read(queries.counts) == counts
    assert await journal.read_ledger() == ledger
    await journal.write(full_batch())  # its keys are still keys
    await journal.write(JournalBatch(fills=(fill("f9"),)))
    assert await journal.read(queries.counts) == counts | {"fills": counts["fills"] + 1}


async def test_above_the_cap_what_can_be_had_again_goes_first_and_bars_oldest_first(journal: Journal) -> None:
    names = tuple(f"S{i}" for i in range(500))
    for day in range(4):
        await journal.write(day_batch(day, 8, symbols=names))
    await tidy(journal, KEEP_ONE)
    home = journal.path.parent
    for name in ("logs/worker-0.log", "logs/worker-0.log.1", "recordings/a", "cache/models/b", "notes.txt"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_bytes(bytes(100_000))
    total = sum((await tidy(journal, KEEP_ONE, compact=True)).sizes.values())
    cap_mb = (total - 300_000 - 1) / 1e6  # a byte more than the three that go first
    done = await tidy(journal, RetentionConfig(journal_days=1, home_mb=cap_mb))
    assert done.dropped == {
        "logs": ["worker-0.log.1"], "recordings": ["a"], "cache": ["b"], "bars": ["1970-01-01"],
    }  # fmt: skip
    assert done.alert == ""
    assert sum(done.sizes.values()) <= cap_mb * 1e6
    assert days_on_disk(journal) == ["1970-01-02", "1970-01-03"]
    assert (home / "notes.txt").exists()
    assert (home / "logs/worker-0.log").exists()


async def test_a_cap_below_what_must_stay_is_told_and_deletes_nothing_of_it(journal: Journal) -> None:
    await journal.write(full_batch())
    await journal.write(replace(evidence_of(9), marks=(mark("m9", is_close=True),)))
    for day in range(3):
        await journal.write(day_batch(day))
    ledger, counts = await journal.read_ledger(), await journal.read(queries.counts)
    (journal.path.parent / "watchlist.txt").write_text("AAA")
    done = await tidy(journal, RetentionConfig(journal_days=1, home_mb=0.1))
    assert done.dropped["bars"] == ["1970-01-01", "1970-01-02"]
    assert "more than retention.home_mb = 0.1, and all that is left must stay (journal " in done.alert
    assert "raise the cap" in done.alert
    assert await journal.read_ledger() == ledger
    after = await journal.read(queries.counts)
    assert {name: after[name] for name in ("orders", "fills", "dossiers", "marks", "cycles", "signals")} == {
        name: counts[name] for name in ("orders", "fills", "dossiers", "marks", "cycles", "signals")
    }
    assert (journal.path.parent / "watchlist.txt").read_text() == "AAA"
    again = await tidy(journal, RetentionConfig(journal_days=1, home_mb=0.1))
    assert again.dropped == {}
    assert again.alert == done.alert


async def test_what_a_broken_off_round_left_is_cleared_up_and_seen_once(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path / "journal.duckdb") as journal:
        for day in range(3):
            await journal.write(day_batch(day))
        before = await every(journal)
        await journal.read(lambda c: c.execute("CHECKPOINT"))
        shutil.copy(journal.path, tmp_path / "copy")  # the journal before its rows were deleted
        await tidy(journal, KEEP_ONE)
    shutil.copy(tmp_path / "copy", tmp_path / "journal.duckdb")
    folder = tmp_path / "bars" / "date=1970-01-01"
    shutil.copy(folder / "bars-0001.parquet", folder / "bars-0002.parquet")
    (folder / "bars-0003.part").write_bytes(b"half a file")
    async with await Journal.open(tmp_path / "journal.duckdb") as journal:
        assert await every(journal) == before
        done = await tidy(journal, KEEP_ONE)
        assert done.rolled_days == ["1970-01-01", "1970-01-02"]
        assert await every(journal) == before
    assert [path.name for path in folder.iterdir()] == ["bars-0003.parquet"]


async def test_days_in_pieces_are_merged_though_the_journal_has_nothing_of_them(journal: Journal) -> None:
    for day in range(2):
        await journal.write(day_batch(day))
    await tidy(journal, KEEP_ONE)
    before = await every(journal)
    folder = journal.bars_folder / "date=1970-01-01"
    shutil.copy(folder / "bars-0001.parquet", folder / "extra.parquet")
    assert (await tidy(journal, KEEP_ONE)).rolled_days == ["1970-01-01"]
    assert [path.name for path in folder.iterdir()] == ["bars-0002.parquet"]
    assert await every(journal) == before


async def test_a_home_may_be_called_anything(tmp_path: Path) -> None:
    home = tmp_path / "o'clock [1] *"
    await anyio.Path(home).mkdir()
    async with await Journal.open(home / "journal.duckdb") as journal:
        for day in range(3):
            await journal.write(day_batch(day))
        before = await every(journal)
        assert (await tidy(journal, KEEP_ONE, compact=True)).rolled_bars == 12
        assert await every(journal) == before


async def test_a_journal_that_cannot_be_rewritten_goes_on_as_it_is(
    journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path) -> None:
        path.with_name(f"{path.name}.fresh").write_bytes(b"half a copy")
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    await journal.write(full_batch())
    counts = await journal.read(queries.counts)
    monkeypatch.setattr("tapeline.store.journal.rewrite", full)
    with pytest.raises(StoreError, match="the disk is probably full"):
        await journal.compact()
    assert await journal.read(queries.counts) == counts
    await journal.write(day_batch(1))
    assert not journal.path.with_name("journal.duckdb.fresh").exists()


async def test_a_damaged_file_of_bars_is_named_and_the_journal_is_left_alone(tmp_path: Path) -> None:
    async with await Journal.open(tmp_path / "journal.duckdb") as journal:
        for day in range(3):
            await journal.write(day_batch(day))
        await tidy(journal, KEEP_ONE)
        last = tmp_path / "bars" / "date=1970-01-02" / "bars-0001.parquet"
        whole = last.read_bytes()
        last.write_bytes(whole[: len(whole) // 2])
        with pytest.raises(StoreError, match=r"rolled bars in .* cannot be read \(.*bars-0001\.parquet.*move it away"):
            await every(journal)
        last.write_bytes(whole)
        assert len(await every(journal)) == 18
    first = tmp_path / "bars" / "date=1970-01-01" / "bars-0001.parquet"
    first.write_bytes(b"no Parquet at all, and corrupt")
    with pytest.raises(StoreError, match="rolled bars"):
        open_database(tmp_path / "journal.duckdb")
    assert [kept async for kept in anyio.Path(tmp_path).glob("*.corrupt-*")] == []


async def test_day_after_day_the_home_stays_in_bounded_disk(tmp_path: Path) -> None:
    days = kills(30, 200)
    config = RetentionConfig(journal_days=2, bar_days=8, evidence_days=5, decision_days=5, home_mb=50.0)
    names = tuple(f"S{i}" for i in range(40))
    sizes: list[int] = []
    async with await Journal.open(tmp_path / "journal.duckdb") as journal:
        for day in range(days):
            record = replace(cycle(f"c{day}"), as_of_ns=day * DAY_NS, signals=(), orders=(), clamps=())
            batch = day_batch(day, 6, symbols=names, price=10.0 + day)
            await journal.write(replace(batch, cycles=(record,)))
            await journal.write(evidence_of(day))
            done = await tidy(journal, config, compact=day % 10 == 9)
            sizes.append(sum(done.sizes.values()))
        assert done.alert == ""
        counts = await journal.read(queries.counts)
        newest = await journal.read(partial(queries.bars, timeframe_s=60, since_ns=(days - 10) * DAY_NS))
    assert max(sizes[days // 2 :]) <= 1.25 * max(sizes[: days // 2])
    assert counts["bars"] == 10 * (6 * 40 + 2)
    assert sum(len(part) for part in newest) == 10 * 6 * 40
    assert (counts["dossiers"], counts["cycles"], counts["headlines"]) == (days, 5, 5)
    assert len(rolled.rolled_days(tmp_path / "bars")) == 8
