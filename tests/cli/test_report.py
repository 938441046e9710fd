"""The tables at the end: what was traded and why, what is held, what it is worth, and what went wrong."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.loop.town import SYMBOLS, Town, run

from tapeline.cli.report import print_report
from tapeline.loop.session import run_session
from tapeline.loop.summary import Summary, summarise


@pytest.fixture
def printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> tuple[str, Summary]:
    """Return what is printed after a day with a stop, a buy and two errors, and the day's summary."""
    monkeypatch.setenv("COLUMNS", "250")
    town = Town(tmp_path)

    async def main() -> Summary:
        async with town.desk() as desk:
            book = await town.open_book(desk)
            await run_session(desk, book, lambda _done, _of, _note: None)
            book.tally.errors += ["the first thing", "the second thing"]
            summary = await summarise(desk, book, 1.5)
            await print_report(desk, book, summary)
            return summary

    summary = run(main)
    return capsys.readouterr().out, summary


def test_the_days_trades_stand_with_their_reason(printed: tuple[str, Summary]) -> None:
    out, _ = printed
    assert re.search(r"09:35\W+sell\W+1,575\W+AAA\W+[0-9.]+\W+stop", out)
    assert re.search(r"09:36\W+buy\W+1,180\W+CCC\W+[0-9.]+\W+news\.headlines \+1\.0", out)
    assert "2 of 2 fills on paper" in out
    assert "simulated minutes" in out


def test_what_is_held_stands_with_its_gain(printed: tuple[str, Summary]) -> None:
    out, _ = printed
    held = out[out.index("held at the close, 2010-05-06") :]
    assert [symbol for symbol in SYMBOLS if re.search(rf"{symbol}\W+[0-9,]+\W+[0-9.]+\W+[0-9.]+", held)] == [
        "BBB",
        "CCC",
    ]
    assert re.search(r"CCC.*\+1\.\d %", held)


def test_the_totals_are_those_of_the_summary(printed: tuple[str, Summary]) -> None:
    out, summary = printed
    assert f"{summary.equity:,.2f}" in out
    assert f"{summary.polls}, {summary.requests:,}" in out
    assert re.search(r"errors\W+2", out)


def test_errors_are_named(printed: tuple[str, Summary]) -> None:
    out, _ = printed
    assert out.endswith("error: the first thing\nerror: the second thing\n")
