"""What a person hands to the grid is taken as meant, or refused with a sentence and a type to catch."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.kernels.market import Panel, grid_of, random_panel, symbols_of

from tapeline.core.errors import BadArgument, TapelineError
from tapeline.grid import BarGrid, UnknownIndicator, indicators

FIELDS = ("open", "high", "low", "close", "volume")


def grid_at(event_ns: Any, panel: Panel | None = None, **options: Any) -> BarGrid:
    panel = random_panel(3, 2) if panel is None else panel
    return BarGrid.from_arrays(symbols_of(2), event_ns, **{name: panel[name] for name in FIELDS}, **options)


@pytest.mark.parametrize("unit", ["D", "h", "s", "us", "ns"])
def test_times_of_any_unit_become_nanoseconds(unit: str) -> None:
    days = np.array(["2025-11-19", "2025-11-20", "2025-11-21"], f"datetime64[{unit}]")
    assert grid_at(days).event_ns.tolist() == [1_763_510_400 * 10**9 + day * 86_400 * 10**9 for day in range(3)]


@pytest.mark.parametrize(
    "event_ns",
    [
        np.arange(3) / 1.0,
        ["a", "b", "c"],
        np.array(["2025-11-19", "NaT", "2025-11-21"], "datetime64[D]"),
        np.array(["1500-01-01", "2025-11-20", "2025-11-21"], "datetime64[D]"),
        [3, 2, 1],
        [[1, 2, 3]],
    ],
)
def test_what_is_no_row_of_rising_times_is_refused(event_ns: Any) -> None:
    with pytest.raises(BadArgument, match="event_ns"):
        grid_at(event_ns)


@pytest.mark.parametrize(
    ("wrong", "reason"),
    [
        (lambda: grid_at([1, 2, 3], timeframe_s=0), "timeframe_s"),
        (lambda: grid_at([1, 2, 3], timeframe_s=0.5), "timeframe_s"),
        (lambda: grid_at([1, 2, 3], day_begins_s=86_400), "day_begins_s"),
        (lambda: grid_at([1, 2, 3], n_bars=0), "at least 2"),
        (lambda: BarGrid.empty("AAPL", 5), "list of names"),
        (lambda: BarGrid.empty([1, 2], 5), "text"),  # type: ignore[list-item]
        (lambda: indicators({}, ["rsi_14"]), "BarGrid"),  # type: ignore[arg-type]
        (lambda: indicators(grid_at([1, 2, 3]), "rsi_14"), "list"),
        (lambda: indicators(grid_at([1, 2, 3]), [14]), "14"),  # type: ignore[list-item]
    ],
)
def test_wrong_kinds_are_refused_with_a_sentence(wrong: Callable[[], object], reason: str) -> None:
    with pytest.raises(TapelineError, match=reason):
        wrong()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("vwap", "vwap_session"),
        ("rsi", "rsi_14"),
        ("RSI_14", "rsi_14"),
        ("macd", "macd_12_26_9"),
        ("bbands_20_upper", "bbands_20_2_upper"),
        ("garman_klass_20", "garman_klass_vol_20"),
    ],
)
def test_unknown_name_is_answered_with_the_nearest(name: str, meant: str) -> None:
    with pytest.raises(UnknownIndicator, match=f"did you mean .*{meant}") as caught:
        indicators(grid_at([1, 2, 3]), [name])
    assert isinstance(caught.value, ValueError)
    assert isinstance(caught.value, TapelineError)


def test_fewer_bars_kept_than_given_are_the_newest_and_the_others_are_remembered() -> None:
    panel, names = random_panel(200, 4, gaps=0.1), ["ema_12", "rsi_14", "obv", "sma_5"]
    whole, kept = (
        grid_of(panel),
        BarGrid.from_arrays(
            symbols_of(4), panel["event_ns"], **{name: panel[name] for name in FIELDS}, n_bars=20, track=names
        ),
    )
    assert (kept.n_bars, kept.capacity, kept.dropped) == (20, 20, 180)
    np.testing.assert_array_equal(kept.field("close"), panel["close"][-20:])
    for name, values in indicators(kept, names, "all").items():
        known = ~np.isnan(values)
        np.testing.assert_array_equal(values[known], indicators(whole, [name], "all")[name][-20:][known], name)
        assert known[4:].any()


def test_bar_with_its_high_below_its_low_has_not_traded() -> None:
    panel = random_panel(3, 2)
    panel["high"][1, 0] = panel["low"][1, 0] - 1.0
    close = grid_at([1, 2, 3], panel).field("close")
    assert np.isnan(close[1, 0])
    assert np.isnan(close).sum() == 1


def test_grid_says_what_it_is_and_travels_between_processes() -> None:
    grid = grid_of(random_panel(30, 4))
    assert repr(grid) == "<BarGrid: 4 symbols x 30 of 30 bars of 86400 s, 0 dropped>"
    assert pickle.loads(pickle.dumps(grid)).snapshot() == grid.snapshot()
