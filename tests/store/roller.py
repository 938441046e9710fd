"""A home that is tidied and killed: run as a script, told where the home is and when to die.

``roller.py HOME ROUNDS STEP...``: for each STEP a copy of HOME is tidied in a process of its own that kills itself, as
``kill -9`` does, at that effect on the disk, counted from 0; the line ``STEP died|done`` says what came of it.
Effects are statements of DuckDB, renames, deletions, syncs and truncations; a step dies before its effect.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import duckdb

from tapeline.core.config.retention import RetentionConfig
from tapeline.store import database, journal, rolled
from tapeline.store.journal import Journal
from tapeline.store.retention import tidy

CONFIG = RetentionConfig(journal_days=1, bar_days=3, evidence_days=2, log_mb=0.001)


class Doom:
    """Counts effects, and kills the process before one of them."""

    def __init__(self, step: int) -> None:
        self.left = step

    def __call__(self) -> None:
        """Count one effect."""
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        self.left -= 1

    def before(self, effect: Callable[..., Any]) -> Callable[..., Any]:
        """Return ``effect``, counted."""

        def counted(*args: Any, **kwargs: Any) -> Any:
            self()
            return effect(*args, **kwargs)

        return counted


class Doomed:
    """A connection whose statements are counted."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, doom: Doom) -> None:
        self._connection, self._doom = connection, doom

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        return self._doom.before(found) if name in ("execute", "begin", "commit", "close") else found


def curse(doom: Doom) -> None:
    """Count every effect of this process from now on."""
    opened = database.open_database
    setattr(journal, "open_database", lambda path: Doomed(opened(path), doom))  # noqa: B010
    os.truncate = doom.before(os.truncate)
    for name in ("rename", "replace", "unlink", "mkdir", "rmdir"):
        setattr(Path, name, doom.before(getattr(Path, name)))
    for module in (rolled, database):
        setattr(module, "sync", doom.before(rolled.sync))  # noqa: B010


async def tidied(home: Path) -> None:
    """Do one round."""
    async with await Journal.open(home / "journal.duckdb") as opened:
        await tidy(opened, CONFIG, compact=True)


def die_at(home: Path, step: int) -> bool:
    """Tidy a home in a child that dies at a step; return whether it did."""
    child = os.fork()
    if child == 0:
        curse(Doom(step))
        anyio.run(tidied, home)
        os._exit(0)
    return os.WIFSIGNALED(os.waitpid(child, 0)[1])


def main(home: Path, rounds: int, steps: list[int]) -> None:
    """Let copies of ``home`` die, the same copy ``rounds`` times."""
    for step in steps:
        copy = home.with_name(f"{home.name}-{step}")
        shutil.copytree(home, copy)
        died = [die_at(copy, step) for _ in range(rounds)]
        sys.stdout.write(f"{step} {'died' if any(died) else 'done'}\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [int(step) for step in sys.argv[3:]])
