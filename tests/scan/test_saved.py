"""Scans kept by name: what is new, what is gone, who moved."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.scan.test_market import run

from tapeline.core.errors import BadInput, DataError
from tapeline.scan.saved import Saved, difference, load, save, to_saved


def kept(*symbols: str) -> Saved:
    return Saved(as_of_ns=0, ranked=tuple((symbol, 0.0) for symbol in symbols))


def test_difference_names_entrants_leavers_and_the_largest_moves_first() -> None:
    found = difference(kept("A", "B", "C", "D"), kept("D", "B", "E", "C"))
    assert (found.new, found.dropped) == (("E",), ("A",))
    assert found.moved == (("D", 4, 1), ("C", 3, 4))


def test_scan_is_kept_and_compared_the_next_time(tmp_path: Path) -> None:
    result = run().result
    assert save(result, tmp_path / "scans", "morning") is None
    again = save(result, tmp_path / "scans", "morning")
    assert again is not None
    assert (again.new, again.dropped, again.moved) == ((), (), ())
    assert load(tmp_path / "scans", "morning") == to_saved(result.candidates, result.as_of_ns)


@pytest.mark.parametrize("name", ["../x", "", "a b", "x/y", "." * 3, "a" * 65])
def test_name_that_is_no_word_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match="cannot be called"):
        save(run().result, tmp_path, name)


def test_damaged_file_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(DataError, match="holds no saved scan"):
        load(tmp_path, "x")
