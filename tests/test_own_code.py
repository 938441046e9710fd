"""The user's own file in a whole node: its strategy opens the account as it ranks in `tapeline scan`, its indicator is
kept live by the workers."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tapeline.sim.market import Market
from tapeline.sim.resample import write_universe

pytestmark = pytest.mark.process

OWN = '''
from tapeline.kernels.catalogue import Kernel
from tapeline.kernels.engine import CLOSE, FIELDS, TILE, carray


def twice(bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Twice the close."""
    bars = carray(bars, (FIELDS, depth, TILE))
    out = carray(out, (1, out_rows, TILE))
    for r in range(rows - out_rows, rows):
        for j in range(TILE):
            out[0, r - rows + out_rows, j] = 2.0 * bars[CLOSE, r, j]


KERNELS = [Kernel(twice, ("my_twice_close",), (CLOSE,))]
FACTORS = {"my_calm": "-natr_14"}
SCREENS = {"my_dear": "my_twice_close > 60"}
STRATEGIES = {"calm": {"weights": {"my_calm": 1.0}, "model_weights": {}, "top": 8}}
'''


def tapeline(folder: Path, *words: str) -> str:
    """Run the command with the settings of ``folder`` and return what it says."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(("TAPELINE_", "APCA_"))}
    command = [sys.executable, "-m", "tapeline.cli", *words, "--config", str(folder / "tapeline.toml")]
    environ = {**kept, "HOME": str(folder)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_strategy_of_a_users_file_chooses_alike_in_scan_and_replay(tmp_path: Path) -> None:
    universe = tmp_path / "universe.parquet"
    write_universe(Market.load().most_traded(24), universe)
    (tmp_path / "mine.py").write_text(OWN)
    (tmp_path / "tapeline.toml").write_text(
        f'[scan]\nplugins = "{tmp_path}/mine.py"\nstrategy = "calm"\nevery_min = 30\nsecond_every_min = 120\n'
        f'[replay]\nday = "2009-11-27"\nuniverse = "{universe}"\n[live]\nindicators = ["sma_20", "my_twice_close"]\n'
        '[llm]\nkind = "none"\n[loop]\nmax_tickers = 0\n[web]\nenabled = false\n'
    )
    scanned = json.loads(tapeline(tmp_path, "scan", "--json", "--as-of", "2009-11-25", "--universe", str(universe)))
    ranked = [row["symbol"] for row in scanned["rows"]]
    assert len(ranked) == 8
    assert [name for name in scanned["rows"][0] if name.endswith("_points")] == ["my_calm_points"]
    told = json.loads(tapeline(tmp_path, "demo", "--exit", "--json", "--export", str(tmp_path / "out")))
    assert (told["errors"], told["degraded"]) == (0, [])
    with (tmp_path / "out" / "ledger.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["symbol"] for row in rows if row["reason"] == "opening"} == set(ranked)
