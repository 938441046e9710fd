"""The user's own parts: they run as ours do, and what is wrong with them is one sentence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from tests.scan.markets import day_grid, make_bars, open_ns

from tapeline.core.config import ScanConfig
from tapeline.core.errors import BadInput, ConfigError
from tapeline.grid import indicators
from tapeline.scan.own import load_own
from tapeline.scan.scan import scan

FILE = '''
import math
from tapeline.kernels.catalogue import Kernel
from tapeline.kernels.engine import CLOSE, FIELDS, TILE, carray

def twice(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Twice the close."""
    bars = carray(bars, (FIELDS, depth, TILE))
    out = carray(out, (1, out_rows, TILE))
    for r in range(rows - out_rows, rows):
        for j in range(TILE):
            out[0, r - rows + out_rows, j] = 2.0 * bars[CLOSE, r, j]

KERNELS = [Kernel(twice, ("own_twice_close",), (CLOSE,))]
FACTORS = {"calm": "-natr_14", "doubled": "own_twice_close / close"}
SCREENS = {"not_wild": "natr_14 < 1000", "dear": "own_twice_close > 60"}
'''
GRID = day_grid(make_bars())
CONFIG = ScanConfig(min_price=1.0, min_dollar_volume=0.0, weights={"calm": 1.0}, history_sessions=170)


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.py"
    path.write_text(text)
    return path


def test_own_factor_ranks_own_screen_refuses_and_own_kernel_computes(tmp_path: Path) -> None:
    own = load_own(written(tmp_path, FILE))
    result = scan(GRID, None, CONFIG, open_ns(89), own=own)
    found = indicators(GRID, ["natr_14", "own_twice_close"])
    wanted = found["own_twice_close"] > 60
    assert {c.symbol for c in result.candidates} == {GRID.symbols[i] for i in np.flatnonzero(wanted)}
    assert np.array_equal(result.factors["calm"], -found["natr_14"])
    assert (result.factors["doubled"] == 2.0).all()
    order = [c.symbol for c in result.candidates]
    assert order == sorted(order, key=lambda s: found["natr_14"][GRID.column(s)])
    cheap = next(symbol for symbol, met in zip(GRID.symbols, wanted, strict=True) if not met)
    assert "dear" in result.exclusions[cheap].reason


def test_the_same_file_may_be_loaded_again(tmp_path: Path) -> None:
    path = written(tmp_path, FILE)
    assert load_own(path).factors.keys() == load_own(path).factors.keys()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("FACTORS = {'trend': 'close / sma_20'}", "a factor 'trend' is there already"),
        ("FACTORS = {'mine': 'close > 3'}", "put it into SCREENS"),
        ("SCREENS = {'mine': 'close'}", "compare it with something"),
        ("FACTORS = {'mine': 'rsi14'}", "the nearest is 'rsi_14'"),
        ("FACTORS = {'mine': 3}", "expected an expression in quotes"),
        ("FACTORS = {'not a name': 'close'}", "FACTORS is a table"),
        ("KERNELS = ['x']", "KERNELS holds 'x'"),
        ("KERNELS = 7", "KERNELS is a list"),
        ("FACTOR = {}", "defines FACTOR, which nobody reads: FACTORS is meant"),
        ("1 / 0", "ZeroDivisionError"),
        ("STRATEGIES = {'dip': 'calm'}", "the strategy dip is a table of settings"),
        ("STRATEGIES = {'dip': {'plugins': 'other.py'}}", "but for plugins and strategy"),
        ("STRATEGIES = {'dip': {'tops': 3}}", "the strategy dip: .*tops"),
        ("STRATEGIES = {'dip': {'top': 'many'}}", "the strategy dip: .*top"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(BadInput, match=says):
        load_own(written(tmp_path, text))


def test_absent_file_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="there is no Python file"):
        load_own(tmp_path / "none.py")


def test_weight_of_a_factor_that_is_not_loaded_is_refused() -> None:
    with pytest.raises(ConfigError, match="'calm'"):
        scan(GRID, None, CONFIG, open_ns(89))


def test_strategy_takes_the_place_of_settings_and_leaves_the_others(tmp_path: Path) -> None:
    dip = "STRATEGIES = {'dip': {'weights': {'calm': 1.0}, 'where': 'close > 40', 'top': 2}}"
    own = load_own(written(tmp_path, FILE + dip))
    plain = ScanConfig(min_price=1.0, min_dollar_volume=0.0, strategy="dip")
    config = own.settings(plain)
    assert (config.weights, config.top, config.min_price) == ({"calm": 1.0}, 2, 1.0)
    assert len(scan(GRID, None, config, open_ns(89), own=own).candidates) == 2
    assert own.settings(CONFIG) is CONFIG


def test_strategy_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    own = load_own(written(tmp_path, "STRATEGIES = {'dip': {}}"))
    with pytest.raises(ConfigError, match=r"no strategy 'dips'; STRATEGIES in scan\.plugins has dip"):
        own.settings(ScanConfig(strategy="dips"))
