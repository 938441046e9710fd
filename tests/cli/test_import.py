"""``import``: a person's own bars and ticks reach the journal once."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.shell import Shell

BARS = "symbol,date,open,high,low,close,volume\nIBM,2010-05-06,1,2,1,2,5\nMSFT,2010-05-06,1,2,1,2,5\n"
TICKS = "symbol,time,price,size\nIBM,1273104000,1,5\nIBM,1273104001,2,5\n"


def test_bars_and_ticks_are_taken_and_twice_is_once(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(BARS, encoding="utf-8")
    (tmp_path / "ticks.csv").write_text(TICKS, encoding="utf-8")
    assert shell("import", "bars", "bars.csv").out == "2 bars of 86400 s, 2 symbols, are in the journal\n"
    told = json.loads(shell("import", "ticks", "ticks.csv", "--json").out)
    assert told == {"file": "ticks.csv", "bars": 1, "symbols": 1, "timeframe_s": 60}
    assert shell("import", "bars", "bars.csv").code == 0

    from tapeline.store.database import open_database

    connection = open_database(shell.home / "journal.duckdb")
    kept = connection.execute("SELECT symbol, timeframe_s, close, feed FROM bars ORDER BY ALL").fetchall()
    connection.close()
    assert kept == [("IBM", 60, 2.0, "import"), ("IBM", 86400, 2.0, "import"), ("MSFT", 86400, 2.0, "import")]


def test_what_cannot_be_taken_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "bars.csv").write_text(BARS.replace("1,2,1,2,5\nMSFT", "1,2,1,9,5\nMSFT"), encoding="utf-8")
    assert "row 1 of bars.csv has an open or close outside low to high" in shell.refuses("import", "bars", "bars.csv")
    assert "choose 1min, 5min" in shell.refuses("import", "bars", "bars.csv", "--timeframe", "2min")
