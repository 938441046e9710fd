"""How long work is shown: a bar with the time left on a terminal, plain lines elsewhere. All on standard error."""

from __future__ import annotations

import sys
import time
from types import TracebackType

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

LINE_EVERY = 0.2
"""Share of the work between two plain lines."""


class Progress:
    """Progress of one piece of work with a known end.

    Parameters
    ----------
    title
        What is being done.
    quiet
        Show nothing.
    """

    def __init__(self, title: str, *, quiet: bool = False) -> None:
        self.title = title
        self._quiet = quiet
        self._started = time.perf_counter()
        self._next_line = 0.0
        self._bar: RichProgress | None = None
        if not quiet and sys.stderr.isatty():
            self._bar = RichProgress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                TextColumn("[dim]{task.fields[note]}"),
                console=Console(stderr=True),
            )
            self._task = self._bar.add_task(title, total=None, note="")

    def update(self, done: int, total: int, note: str = "") -> None:
        """Say that ``done`` of ``total`` is done; ``note`` is a few words on what is happening."""
        if self._bar is not None:
            self._bar.update(self._task, completed=done, total=total, note=note)
        elif not self._quiet and (done >= total or done / max(total, 1) >= self._next_line):
            self._next_line = done / max(total, 1) + LINE_EVERY - 1e-9  # 0.4 + 0.2 lies above 0.6
            seconds = time.perf_counter() - self._started
            left_s = seconds * (total - done) / done if done else 0.0
            tail = f", about {left_s:.0f} s left" if 0 < done < total else ""
            typer.echo(f"{self.title}: {done}/{total} in {seconds:.1f} s{tail} {note}".rstrip(), err=True)

    def __enter__(self) -> Progress:
        if self._bar is not None:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
