"""The shipped market as the simulator sees it: what is there, what is absent, and nothing of the future."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tapeline.core.errors import BadInput, DataError
from tapeline.core.types import BAR_FIELDS, Label
from tapeline.sim.market import DAILY_FIELDS, Index, Market

CRASH = dt.date(2010, 5, 6)


@pytest.fixture(scope="module")
def market() -> Market:
    return Market.load()


def test_shipped_market_has_all_symbols_and_sessions_in_order(market: Market) -> None:
    assert len(market.symbols) == 524
    assert list(market.symbols) == sorted(market.symbols)
    assert list(market.sessions) == sorted(market.sessions)
    assert len(market.sessions) == 245
    assert all(panel.shape == (245, 524) and panel.dtype == np.float64 for panel in market.daily.values())


def test_known_bar_stands_where_it_belongs(market: Market) -> None:
    row, col = market.row_of(CRASH), market.symbols.index("AAPL")
    bar = tuple(market.daily[name][row, col] for name in DAILY_FIELDS)
    assert bar == (254.0, 258.25, 199.25, 246.25, 45_923_500.0)
    assert market.sectors[col] == "Information Technology"


def test_absent_bar_is_nan_in_every_field(market: Market) -> None:
    absent = np.isnan(market.daily["close"])
    assert absent.sum() == 245 * 524 - 122_574
    assert all(np.array_equal(np.isnan(panel), absent) for panel in market.daily.values())


def test_repaired_bar_says_so_and_its_neighbour_does_not(market: Market) -> None:
    row, col = market.row_of(CRASH), market.symbols.index("BIIB")
    assert market.label_at(row, col) is Label.REPAIRED
    assert market.label_at(row - 1, col) is Label.REAL


def test_minutes_start_at_half_past_nine_new_york_and_are_bridged(market: Market) -> None:
    minutes = market.minutes(CRASH)
    first = dt.datetime(2010, 5, 6, 13, 30, tzinfo=dt.UTC)
    assert minutes.event_ns[0] == int(first.timestamp()) * 10**9
    assert np.all(np.diff(minutes.event_ns) == 60 * 10**9)
    assert minutes.event_ns.shape == (390,)
    assert all(getattr(minutes, name).shape == (390, 524) for name in BAR_FIELDS)
    assert minutes.label is Label.BRIDGED


def test_half_day_has_210_minutes(market: Market) -> None:
    assert market.minutes(dt.date(2009, 12, 24)).event_ns.size == 210


def test_day_that_is_no_session_is_refused_in_one_sentence(market: Market) -> None:
    with pytest.raises(DataError, match="2010-05-08 is not a session of this market: it has 245 from 2009-08-21"):
        market.minutes(dt.date(2010, 5, 8))


def test_two_loads_of_one_seed_give_the_same_bytes(market: Market) -> None:
    now, again = market.minutes(CRASH), Market.load().minutes(CRASH)
    assert all(getattr(now, name).tobytes() == getattr(again, name).tobytes() for name in BAR_FIELDS)


def test_changing_the_future_changes_nothing_up_to_the_day(market: Market) -> None:
    row = market.row_of(CRASH)
    wild = {name: panel.copy() for name, panel in market.daily.items()}
    for panel in wild.values():
        panel[row + 1 :] = 1e9
    after = np.array([date > CRASH for date in market.index.dates])
    index = Index(market.index.dates, *(np.where(after, 1e9, getattr(market.index, name)) for name in DAILY_FIELDS))
    other = replace(market, daily=wild, index=index)
    now, then = market.until(CRASH), other.until(CRASH)
    assert now.sessions[-1] == CRASH == now.index.dates[-1]
    assert all(np.array_equal(now.daily[name], then.daily[name], equal_nan=True) for name in DAILY_FIELDS)
    assert all(np.array_equal(getattr(now.index, name), getattr(then.index, name)) for name in DAILY_FIELDS)
    assert now.minutes(CRASH).close.tobytes() == other.minutes(CRASH).close.tobytes()


def test_view_of_a_day_knows_no_later_session_and_no_later_corporate_action(market: Market) -> None:
    view = market.until(CRASH)
    assert [action.symbol for action in view.corporate_actions] == ["CAH"]
    assert len(market.corporate_actions) == 7
    assert view.open_ns.size == view.close_ns.size == view.label.shape[0] == len(view.sessions) == 172
    with pytest.raises(DataError, match="2010-05-07 is not a session"):
        view.minutes(dt.date(2010, 5, 7))


def test_few_symbols_are_the_most_traded_ones_and_keep_their_minutes(market: Market) -> None:
    few = Market.load(20)
    cols = [market.symbols.index(symbol) for symbol in few.symbols]
    assert {"AAPL", "BAC", "C", "GS"} <= set(few.symbols)
    assert list(few.symbols) == sorted(few.symbols)
    assert np.array_equal(few.minutes(CRASH).close, market.minutes(CRASH).close[:, cols], equal_nan=True)


def test_market_of_no_symbol_is_refused() -> None:
    with pytest.raises(BadInput, match="choose at least 1"):
        Market.load(0)


def test_more_symbols_than_real_ones_are_resampled_and_labelled(market: Market) -> None:
    many = Market.load(530)
    assert [symbol for symbol in many.symbols if symbol not in market.symbols] == [f"R0000{i}" for i in range(1, 7)]
    assert list(many.symbols) == sorted(many.symbols)
    row = many.row_of(CRASH)
    assert many.label_at(row, many.symbols.index("R00001")) is Label.RESAMPLED
    assert many.label_at(row, many.symbols.index("AAPL")) is Label.REAL


def test_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"there is no data file .*none\.parquet"):
        Market.load(universe=tmp_path / "none.parquet")


@pytest.mark.parametrize("content", [b"", b"PAR1 and then nothing", bytes(4096)])
def test_file_that_is_no_parquet_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.parquet"
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as Parquet") as caught:
        Market.load(universe=path)
    assert "\n" not in str(caught.value)


def test_cut_off_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "cut.parquet"
    table = pa.table({"symbol": ["A"] * 1000})
    pq.write_table(table, path)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        Market.load(universe=path)


def test_parquet_of_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.parquet"
    pq.write_table(pa.table({"symbol": ["A"]}), path)
    with pytest.raises(DataError, match="has no column 'name'"):
        Market.load(universe=path)
