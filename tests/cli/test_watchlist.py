"""``watchlist``: add, remove, list, import."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.shell import Shell


def test_symbols_are_added_removed_and_listed(shell: Shell) -> None:
    assert shell("watchlist", "list").out == "nothing is watched\n"
    assert shell("watchlist", "add", "msft", "AAPL", "ibm").out == "3 symbols watched\n"
    assert shell("watchlist", "remove", "IBM").out == "2 symbols watched\n"
    answer = shell("watchlist", "remove", "ibm", "XOM")
    assert (answer.out, answer.err, answer.code) == ("2 symbols watched\n", "not watched anyway: IBM, XOM\n", 0)
    assert shell("watchlist", "list").out == "AAPL\nMSFT\n"
    assert json.loads(shell("watchlist", "list", "--json").out) == {"symbols": ["AAPL", "MSFT"]}


def test_a_file_is_read_in_and_a_bad_one_is_refused(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_text("symbol\nAAPL\nTSLA\n", encoding="utf-8")
    assert shell("watchlist", "import", str(file)).out == "2 symbols read, 2 watched\n"
    assert "No such file" in shell.refuses("watchlist", "import", str(tmp_path / "absent"))
    assert "cannot be a symbol" in shell.refuses("watchlist", "add", "A B")
