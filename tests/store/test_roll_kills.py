"""A home killed at any step of its tidying loses no bar and doubles none, and the next round puts it in order."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos import kills
from tests.store import roller
from tests.store.batches import fill, frame
from tests.store.test_retention import DAY_MINUTES, DAY_NS, day_batch, days_on_disk, evidence_of

from tapeline.store import queries
from tapeline.store.batch import JournalBatch
from tapeline.store.journal import Journal
from tapeline.store.retention import tidy

pytestmark = [pytest.mark.anyio, pytest.mark.process]

STEPS = 130
"""As many effects as a round has, and a few more."""
Row = tuple[str, int, int, float, int]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def seen(journal: Journal) -> list[Row]:
    """Return every bar that a reader sees: symbol, length, start, open, revision."""
    names = ("symbol", "timeframe_s", "event_ns", "open", "revision")
    return [tuple(row[name] for name in names) for row in (await journal.read(queries.bar_rows)).to_pylist()]


async def make(home: Path) -> list[Row]:
    """Fill a home with three rolled days, a late word on the last of them, and days to roll; return its bars."""
    for folder in (home, home / "logs"):
        folder.mkdir()
    async with await Journal.open(home / "journal.duckdb") as journal:
        for day in range(4):
            await journal.write(day_batch(day))
            await journal.write(evidence_of(day))
        await tidy(journal, roller.CONFIG)
        for day in (4, 5):
            await journal.write(day_batch(day, price=20.0))
        late = frame(2 * DAY_MINUTES, ("AAA",), revision=1, price=30.0)
        await journal.write(JournalBatch(frames=(late,), fills=(fill(),)))
        found = await seen(journal)
    (home / "logs" / "worker-0.log").write_bytes(b"x" * 2_000)
    return found


async def check(home: Path, before: list[Row]) -> None:
    """Open what a kill left, find all that is kept once, tidy it, and find the same in its place."""
    kept = [row for row in before if row[2] >= 2 * DAY_NS]
    async with await Journal.open(home / "journal.duckdb") as journal:
        found = await seen(journal)
        assert len(set(found)) == len(found)
        assert [row for row in found if row[2] >= 2 * DAY_NS] == kept
        await tidy(journal, roller.CONFIG)
        assert await seen(journal) == kept
        counts = await journal.read(queries.counts)
        assert (counts["dossiers"], counts["evidence_steps"], counts["fills"]) == (4, 2, 1)
        assert days_on_disk(journal) == ["1970-01-03", "1970-01-04", "1970-01-05"]
    assert worn_out(home) == []


def worn_out(home: Path) -> list[str]:
    """Return files of work that was broken off, which nobody needs any more."""
    return [path.name for path in home.rglob("*") if path.suffix in (".part", ".fresh", ".wal")]


async def test_killed_at_any_step_and_again_no_bar_is_lost_or_doubled(tmp_path: Path) -> None:
    home = tmp_path / "home"
    before = await make(home)
    every = range(STEPS)
    steps = sorted(random.Random(7).sample(every, kills(6, STEPS)))
    argv = [sys.executable, str(roller.__file__), str(home), str(kills(1, 2)), *map(str, steps)]
    env = {"PYTHONPATH": ":".join(entry for entry in sys.path if entry), "PATH": "/usr/bin:/bin"}
    told = subprocess.run(argv, env=env, capture_output=True, text=True, check=False)  # noqa: ASYNC221
    said = dict(line.split() for line in told.stdout.splitlines())
    assert list(said) == [str(step) for step in steps], told.stderr
    assert "died" in said.values()
    for step in steps:
        await check(tmp_path / f"home-{step}", before)
