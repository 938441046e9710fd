"""A watchlist that changes while two markets are polled: each takes its own, and who is polled by nobody is named."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tapeline.cli.poll_watch import listed_in
from tapeline.cli.vendor import Market
from tapeline.core.calendar import SessionCalendar
from tapeline.feed.watchlist import WatchedList, write_watchlist


class _Nobody:
    """A source that nobody asks."""


def _market(mic: str) -> Market:
    source = _Nobody()
    return Market((), source, source, SessionCalendar(mic))  # type: ignore[arg-type]


def _changed(path: Path, mic: str, *, is_alone: bool) -> Sequence[str] | None:
    """Return what one market takes of a list that gains a stock and a pair."""
    write_watchlist(path, ["AAPL"])
    file = WatchedList(path)
    write_watchlist(path, ["AAPL", "BTC/USD", "IBM"])
    return listed_in(_market(mic), is_alone, file)


def test_each_market_takes_its_own_symbols_of_a_list_that_has_changed(tmp_path: Path) -> None:
    assert _changed(tmp_path / "list", "XNYS", is_alone=False) == ("AAPL", "IBM")
    assert _changed(tmp_path / "list", "24/7", is_alone=False) == ("BTC/USD",)
    assert listed_in(_market("XNYS"), True, WatchedList(tmp_path / "list")) is None
    assert listed_in(_market("XNYS"), True, None) is None


def test_symbols_of_a_market_that_is_not_polled_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _changed(tmp_path / "list", "XNYS", is_alone=True) == ("AAPL", "IBM")
    assert "begin with the next start" in (told := capsys.readouterr().err)
    assert told.endswith(": BTC/USD\n")
