"""Every indicator equals TA-Lib where TA-Lib has it, and its naive twin elsewhere, gaps or none."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from tests.kernels.market import Panel, grid_of, random_panel, series_of
from tests.naive import TWINS

from tapeline.bench.oracles import TALIB
from tapeline.core.types import F64
from tapeline.grid import indicator_names, indicators

NUMBER = re.compile(r"(?<=_)\d+(?:\.\d+)?(?=_|$)")
DAILY = Path("src/tapeline/data/daily.parquet")


def real_panel(n_bars: int = 245) -> Panel:
    """Return shipped daily bars of names that traded throughout, and of some that did not."""
    names = ["AAPL", "XOM", "GS", "ETFC", "F", "PCLN"]
    table = pq.read_table(DAILY, filters=[("symbol", "in", names)]).to_pydict()
    days = {day: i for i, day in enumerate(sorted(set(table["session"])))}
    panel: Panel = {
        name: np.full((len(days), len(names)), np.nan) for name in ("open", "high", "low", "close", "volume")
    }
    for name, field in panel.items():
        for symbol, day, value in zip(table["symbol"], table["session"], table[name], strict=True):
            field[days[day], names.index(symbol)] = value
    panel["vwap"] = panel["trades"] = np.full(panel["close"].shape, np.nan)
    panel["event_ns"] = np.arange(len(days)) * 86_400 * 10**9 + 14 * 3_600 * 10**9
    return {name: field[-n_bars:] for name, field in panel.items()}


def oracle_of(name: str, panel: Panel, column: int) -> F64:
    """Return the values of TA-Lib, or of the twin, on one column's traded bars."""
    template, numbers = NUMBER.sub("#", name), [float(number) for number in NUMBER.findall(name)]
    if template not in TALIB:
        return np.array(TWINS[template](series_of(panel, column), *numbers))
    traded = ~np.isnan(panel["close"][:, column])
    fields = (panel[field][traded, column] for field in ("open", "high", "low", "close", "volume"))
    return np.asarray(TALIB[template](*map(np.ascontiguousarray, fields), *numbers))


BEGIN_EARLIER = {"macd_#_#_#", "stoch_#_#_#_k", "stochrsi_#_#_#_k"}
"""TA-Lib tells these only where their signal line is known too; all others warm up in as many bars as there."""


def check(panel: Panel, name: str) -> None:
    found = indicators(grid_of(panel), [name], "all")[name]
    for column in range(panel["close"].shape[1]):
        traded = ~np.isnan(panel["close"][:, column])
        ours, theirs = found[traded, column], oracle_of(name, panel, column)
        assert np.isnan(found[~traded, column]).all()
        known = np.isfinite(theirs)
        assert np.isfinite(ours[known]).all()
        assert np.isnan(ours[~known]).all() or NUMBER.sub("#", name) in BEGIN_EARLIER
        if known.any():
            scale = np.maximum(np.abs(theirs[known]), np.abs(theirs[known]).max())
            assert (np.abs(ours[known] - theirs[known]) <= 1e-9 * scale).all()


@pytest.mark.parametrize("name", indicator_names())
def test_indicator_equals_its_oracle_on_a_random_market_with_gaps(name: str) -> None:
    check(random_panel(300, 4, gaps=0.1), name)


@pytest.mark.parametrize("name", indicator_names())
def test_indicator_equals_its_oracle_on_real_days(name: str) -> None:
    check(real_panel(), name)


@pytest.mark.parametrize("template", sorted(set(TWINS) & set(TALIB)))
def test_twin_agrees_with_talib_where_both_exist(template: str) -> None:
    panel = random_panel(80, 1, seed=5)
    numbers = {"aroon_#_osc": [14.0]}.get(template, [9.0])
    fields = (np.ascontiguousarray(panel[f][:, 0]) for f in ("open", "high", "low", "close", "volume"))
    theirs = TALIB[template](*fields, *numbers)
    np.testing.assert_allclose(TWINS[template](series_of(panel, 0), *numbers), theirs, rtol=1e-10, atol=1e-10)


def test_every_indicator_has_an_oracle() -> None:
    assert {NUMBER.sub("#", name) for name in indicator_names()} == set(TALIB) | set(TWINS)
