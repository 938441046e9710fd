"""Session totals: an anchor plus what the panel still holds."""

from __future__ import annotations

import numpy as np
import pytest
from tests.live.rows_of import MINUTE_NS, START_NS, frame_of, minute, session

from tapeline.core.types import NS_PER_S, BarFrame
from tapeline.live.panel import BarPanel
from tapeline.live.session import DAY_NS, Session, Totals

DAY_MINUTES = 1440
ALL = np.arange(3)


def fill(panel: BarPanel, frames: list[BarFrame]) -> None:
    for frame in frames:
        panel.fold(frame, panel.columns_of(frame.symbols), 0)


def as_lists(totals: Totals) -> object:
    return totals.table.tolist()


@pytest.mark.parametrize("gone", [0, 1, 30, 59])
def test_letting_rows_go_changes_no_bit_of_the_totals(gone: int) -> None:
    whole, cut = BarPanel(MINUTE_NS), BarPanel(MINUTE_NS)
    kept, split = Session(18_000), Session(18_000)
    fill(whole, session(60, "ABC"))
    fill(cut, session(60, "ABC"))
    split.let_go(cut, START_NS + gone * MINUTE_NS)
    cut.drop_before(START_NS + gone * MINUTE_NS)
    assert (cut.times() >= START_NS + gone * MINUTE_NS).all()
    np.testing.assert_equal(as_lists(split.totals(cut, ALL)), as_lists(kept.totals(whole, ALL)))


def test_what_went_in_an_older_session_is_forgotten() -> None:
    panel, totals = BarPanel(MINUTE_NS), Session(18_000)
    fill(panel, session(60, "ABC"))
    totals.let_go(panel, START_NS + 50 * MINUTE_NS)
    panel.drop_before(START_NS + 50 * MINUTE_NS)
    fill(panel, [frame_of([minute("A", DAY_MINUTES, close=20.0)], START_NS)])
    found = totals.totals(panel, ALL)
    opened, _, low, volume, *_ = found.table
    assert (volume[0], opened[0], low[0], found.vwap[0]) == (100.0, 20.0, 19.0, 20.0)
    assert np.isnan(opened[1])
    assert volume[1] == 0.0


def test_a_bar_whose_vwap_is_missing_counts_as_volume_and_not_as_price() -> None:
    panel = BarPanel(MINUTE_NS)
    known, unknown = minute("A", 0, close=10.0), (*minute("A", 1, close=30.0)[:7], float("nan"))
    fill(panel, [frame_of([known, unknown], START_NS)])
    found = Session(18_000).totals(panel, ALL)
    assert (found.table[3, 0], found.vwap[0]) == (200.0, 10.0)


def test_a_session_begins_at_its_hour() -> None:
    totals = Session(18_000)
    midnight_ns = START_NS // DAY_NS * DAY_NS
    assert totals.start_of(START_NS) == midnight_ns + 18_000 * NS_PER_S
    assert totals.start_of(midnight_ns + 17_999 * NS_PER_S) == midnight_ns - DAY_NS + 18_000 * NS_PER_S


def test_an_empty_panel_has_no_totals() -> None:
    assert np.isnan(Session(0).totals(BarPanel(MINUTE_NS), ALL).vwap).all()
