"""A home in bounded disk: what happened long ago is rolled, compacted and, by its class, given up.

In: the open journal and ``[retention]``.  Out: a journal of the last days, older bars in files by date, and an account
of what was done. Days are those on which something happened, counted back from the newest: no clock is read.
Refuses to touch orders, fills, valuations, dossiers, what a person brought, and the last days: when these alone are
more than the cap, it says so.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import anyio.to_thread
from duckdb import DuckDBPyConnection

from tapeline.core.config.retention import RetentionConfig
from tapeline.store import rolled
from tapeline.store.journal import Journal
from tapeline.store.prune import prune_decisions, prune_evidence
from tapeline.store.usage import Part, expendable, measure, rotate

MB = 1_000_000
MIN_HOLES_BYTES = 16 << 20
"""Free room inside the journal's file below which it is not rewritten: new bars fill it."""


@dataclass(slots=True)
class Tidied:
    """What one round did.

    Attributes
    ----------
    rolled_bars, rolled_days
        Bars that left the journal, and for which days.
    dropped
        What was deleted, by class: files, days of rolled bars, or rows of the journal.
    compacted
        Whether the journal's file was rewritten without its holes.
    sizes
        Bytes by class afterwards.
    alert
        Why the cap is not kept, and what to do; empty when it is.
    """

    rolled_bars: int = 0
    rolled_days: list[str] = field(default_factory=list)
    dropped: dict[str, list[str]] = field(default_factory=dict)
    compacted: bool = False
    sizes: dict[Part, int] = field(default_factory=dict)
    alert: str = ""

    def drop(self, part: Part, what: str) -> None:
        """Note what was deleted."""
        self.dropped.setdefault(part.value, []).append(what)


async def tidy(journal: Journal, config: RetentionConfig, *, compact: bool = False) -> Tidied:
    """Roll, give up what is too old, rotate logs, compact, and keep the home below its cap.

    May be broken off anywhere, also by a kill: the next round goes on, and no bar is lost or doubled in between.

    Parameters
    ----------
    journal
        Its folder is the home.
    config
        What is kept.
    compact
        Rewrite the journal's file also when its holes are small.

    Raises
    ------
    StoreError
        The disk is full, or a file is damaged.
    """
    done = Tidied()
    await _roll(journal, config, done)
    await _age(journal, config, done)
    is_changed = bool(done.rolled_bars or done.dropped)
    if compact or (is_changed and await journal.read(_is_worn)):
        await _compact(journal, done)
    await _fit(journal, config, done)
    done.sizes = await anyio.to_thread.run_sync(measure, journal.path.parent)
    total, cap = sum(done.sizes.values()), config.home_mb * MB
    if total > cap:
        done.alert = _too_much(journal.path.parent, done.sizes, config.home_mb)
    return done


async def _roll(journal: Journal, config: RetentionConfig, done: Tidied) -> None:
    """Roll all but the newest days, a day at a time, and merge days that were left in pieces."""
    days = (await journal.read(rolled.journal_days))[: -config.journal_days]
    files = await anyio.to_thread.run_sync(rolled.rolled_days, journal.bars_folder)
    days += [day for day, paths in files.items() if len(paths) > 1 and day not in days]
    for day in days:
        done.rolled_bars += await journal.read(partial(rolled.roll_day, folder=journal.bars_folder, day=day))
        done.rolled_days.append(day.isoformat())


async def _age(journal: Journal, config: RetentionConfig, done: Tidied) -> None:
    """Give up what is older than it is kept."""
    if config.bar_days:
        days = await anyio.to_thread.run_sync(rolled.rolled_days, journal.bars_folder)
        for day in list(days)[: -config.bar_days]:
            await _drop_day(journal, day, done)
    if rows := await journal.read(partial(prune_evidence, days=config.evidence_days)):
        done.drop(Part.JOURNAL, f"{rows} rows of evidence")
    if rows := await journal.read(partial(prune_decisions, days=config.decision_days)):
        done.drop(Part.JOURNAL, f"{rows} rows of decisions")
    await anyio.to_thread.run_sync(_rotate, journal.path.parent, config)


def _rotate(home: Path, config: RetentionConfig) -> None:
    for log in (*home.glob("logs/*.log"), *home.glob("valkey/*.log")):
        rotate(log, round(config.log_mb * MB), config.log_files)


async def _fit(journal: Journal, config: RetentionConfig, done: Tidied) -> None:
    """Delete what may go, class by class and oldest first, until the home is below its cap or nothing of it is left."""
    home, cap = journal.path.parent, config.home_mb * MB

    async def over() -> float:
        return sum((await anyio.to_thread.run_sync(measure, home)).values()) - cap

    if (left := await over()) <= 0:
        return
    if not done.compacted:
        await _compact(journal, done)
        left = await over()
    for part, path, size in await anyio.to_thread.run_sync(expendable, home):
        if left <= 0:
            return
        path.unlink(missing_ok=True)
        done.drop(part, path.name)
        left -= size
    for day in await anyio.to_thread.run_sync(rolled.rolled_days, journal.bars_folder):
        if left <= 0:
            return
        left -= await _drop_day(journal, day, done)
    days = config.evidence_days
    while left > 0 and days > 1:
        days //= 2
        if rows := await journal.read(partial(prune_evidence, days=days)):
            done.drop(Part.JOURNAL, f"{rows} rows of evidence")
            await _compact(journal, done)
            left = await over()


async def _drop_day(journal: Journal, day: dt.date, done: Tidied) -> int:
    freed = await journal.read(partial(rolled.drop_day, folder=journal.bars_folder, day=day))
    done.drop(Part.BARS, day.isoformat())
    return freed


async def _compact(journal: Journal, done: Tidied) -> None:
    await journal.compact()
    done.compacted = True


def _is_worn(connection: DuckDBPyConnection) -> bool:
    """Return whether more than half of the file is holes, which new bars will not fill soon."""
    connection.execute("CHECKPOINT")
    size, free, total = connection.execute(
        "SELECT block_size, free_blocks, total_blocks FROM pragma_database_size()"
    ).fetchall()[0]
    return bool(free * size > MIN_HOLES_BYTES and 2 * free > total)


def _too_much(home: Path, sizes: dict[Part, int], home_mb: float) -> str:
    """Return the sentence for a home whose must-stay is more than its cap."""
    total = sum(sizes.values())
    largest = sorted(sizes.items(), key=lambda each: -each[1])[:3]
    named = ", ".join(f"{part.value} {size / MB:,.1f} MB" for part, size in largest if size)
    return (
        f"the home {home} takes {total / MB:,.1f} MB, more than retention.home_mb = {home_mb:,.1f}, and all that is "
        f"left must stay ({named}): raise the cap, lower retention.journal_days or streams.max_entries, or move files "
        "away"
    )
