"""Progress: plain lines now and then where nobody watches, a bar on a terminal, nothing when quiet."""

from __future__ import annotations

import io
import sys

import pytest

from tapeline.cli.show import Progress


def test_plain_lines_come_every_fifth_of_the_work_and_at_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("history") as progress:
        for done in range(1, 17):
            progress.update(done, 16, "bars")
    out, err = capsys.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert [line.split()[1] for line in lines] == ["1/16", "5/16", "9/16", "13/16", "16/16"]
    assert all(line.startswith("history: ") and line.endswith(" bars") for line in lines)
    assert ["left" in line for line in lines] == [True] * 4 + [False]


def test_work_of_unknown_or_no_size_is_shown_without_harm(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("nothing") as progress:
        progress.update(0, 0)
    assert capsys.readouterr().err.startswith("nothing: 0/0 in 0.0 s")


def test_quiet_shows_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Progress("history", quiet=True) as progress:
        progress.update(1, 1)
    assert capsys.readouterr() == ("", "")


class _Terminal(io.StringIO):
    """A screen."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_there_is_a_bar_with_the_note(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = _Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    with Progress("history") as progress:
        progress.update(3, 4, "three of four")
    shown = screen.getvalue()
    assert "history" in shown
    assert "3/4" in shown
    assert "three of four" in shown
    assert "about" not in shown
