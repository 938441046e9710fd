"""Resampled universes: as many as asked for, alike in what matters, and never to be mistaken for real ones."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tapeline.core.errors import BadInput, DataError
from tapeline.core.types import BAR_FIELDS, F64, Label
from tapeline.sim import resample
from tapeline.sim.market import DAILY_FIELDS, Market

CRASH = dt.date(2010, 5, 6)


@pytest.fixture(scope="module")
def real() -> Market:
    return Market.load()


@pytest.fixture(scope="module")
def made(real: Market) -> Market:
    return resample.resample(real, 1500, seed=3)


def _same(one: Market, other: Market) -> bool:
    same_bars = all(np.array_equal(one.daily[name], other.daily[name], equal_nan=True) for name in DAILY_FIELDS)
    return same_bars and one.symbols == other.symbols and one.sectors == other.sectors


def _mean_correlation(market: Market) -> float:
    moves = np.diff(np.log(market.daily["close"]), axis=0)
    whole: F64 = moves[:, np.isfinite(moves).all(axis=0)][:, :200]
    return float(np.asarray(np.corrcoef(whole.T))[np.triu_indices(whole.shape[1], 1)].mean())


def test_no_name_is_a_real_one_and_every_bar_is_labelled(real: Market, made: Market) -> None:
    assert made.symbols[0] == "R00001"
    assert len(set(made.symbols)) == 1500
    assert not set(made.symbols) & set(real.symbols)
    assert made.label_at(0, 0) is Label.RESAMPLED
    assert np.unique(made.label).size == 1
    assert set(made.sectors) <= set(real.sectors)


def test_bars_are_sound(made: Market) -> None:
    open_, high, low, close, volume = (made.daily[name][np.isfinite(made.daily["close"])] for name in DAILY_FIELDS)
    assert np.all((low <= open_) & (open_ <= high) & (low <= close) & (close <= high))
    assert np.all((volume >= 16) & (volume == np.rint(volume)))
    assert low.min() >= resample.MIN_PRICE
    assert all(np.array_equal(np.isnan(p), np.isnan(made.daily["close"])) for p in made.daily.values())


def test_no_two_symbols_are_copies(made: Market) -> None:
    assert len({made.daily["close"][:, col].tobytes() for col in range(1500)}) == 1500


def test_moves_are_stretched_beyond_those_of_any_lender(real: Market, made: Market) -> None:
    deepest = [np.nanmin(np.log(market.daily["low"] / market.daily["open"]), axis=1) for market in (made, real)]
    assert np.mean(deepest[0] < 1.05 * deepest[1]) > 0.4


def test_what_moves_together_still_does(real: Market, made: Market) -> None:
    assert _mean_correlation(made) == pytest.approx(_mean_correlation(real), abs=0.08)


def test_the_flash_crash_is_still_on_its_day(made: Market) -> None:
    fall = np.nanmedian(made.daily["low"] / made.daily["open"], axis=1)
    assert made.sessions[int(np.argmin(fall))] == CRASH


def test_splits_of_lenders_leave_no_step(made: Market) -> None:
    overnight = np.log(made.daily["open"][1:] / made.daily["close"][:-1])
    assert np.nanmin(overnight) > np.log(0.65)


def test_a_symbol_is_the_same_in_a_universe_of_any_size(real: Market, made: Market) -> None:
    assert _same(resample.resample(real, 40, seed=3), made.take(np.arange(40)))


def test_same_seed_same_universe_other_seed_another(real: Market, made: Market) -> None:
    assert _same(resample.resample(real, 1500, seed=3), made)
    assert not _same(resample.resample(real, 1500, seed=4), made)


def test_changing_a_late_bar_of_the_real_market_leaves_the_shape_of_earlier_days(real: Market) -> None:
    late = {name: panel.copy() for name, panel in real.daily.items()}
    for name in ("open", "high", "low", "close"):
        late[name][-1] *= 3.0
    one = resample.resample(real, 50, seed=1).daily
    other = resample.resample(replace(real, daily=late), 50, seed=1).daily
    with np.errstate(invalid="ignore"):
        assert np.nanmax(np.abs((other["close"] / one["close"])[:-1] - 1.0)) < 0.02


def test_minutes_of_resampled_days_add_up_exactly(made: Market) -> None:
    few = made.take(np.arange(100))
    minutes, row = few.minutes(CRASH), few.row_of(CRASH)
    traded = np.isfinite(few.daily["close"][row])
    assert np.array_equal(np.nansum(minutes.volume, axis=0)[traded], few.daily["volume"][row, traded])
    assert np.array_equal(np.nanmax(minutes.high[:, traded], axis=0), few.daily["high"][row, traded])
    assert np.array_equal(np.nanmin(minutes.low[:, traded], axis=0), few.daily["low"][row, traded])


def test_universe_file_reads_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "universe.parquet"
    written = resample.sample_universe(path, 600, seed=5)
    read = resample.read_universe(path, seed=5)
    known = np.isfinite(written.daily["close"])
    assert len(read.symbols) == 600
    assert _same(read, written)
    assert read.names == written.names
    assert read.industries == written.industries
    assert np.array_equal(read.label[known], written.label[known])
    assert read.corporate_actions == written.corporate_actions
    now, then = read.minutes(CRASH), written.minutes(CRASH)
    assert all(np.array_equal(getattr(now, name), getattr(then, name), equal_nan=True) for name in BAR_FIELDS)


def test_two_files_of_one_seed_have_the_same_bytes(real: Market, tmp_path: Path) -> None:
    for name in ("one", "two"):
        resample.write_universe(resample.extend(real, 530, seed=2), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_universe_with_a_day_that_is_no_session_is_refused(real: Market, tmp_path: Path) -> None:
    path = tmp_path / "strange.parquet"
    sessions = (*real.sessions[:-1], dt.date(2010, 8, 22))
    resample.write_universe(replace(real, sessions=sessions), path)
    with pytest.raises(DataError, match="2010-08-22, which is no session"):
        resample.read_universe(path)


def test_universe_with_an_unknown_label_is_refused(real: Market, tmp_path: Path) -> None:
    path = tmp_path / "label.parquet"
    resample.write_universe(real.take(np.arange(3)), path)
    table = pq.read_table(path)
    column = table.column_names.index("label")
    pq.write_table(table.set_column(column, "label", [["guessed"] * table.num_rows]), path)
    with pytest.raises(DataError, match="label 'guessed'"):
        resample.read_universe(path)


def test_folder_that_is_not_there_is_refused_in_one_sentence(real: Market, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="cannot be written to"):
        resample.write_universe(real.take(np.arange(3)), tmp_path / "no" / "u.parquet")


@pytest.mark.parametrize("n_symbols", [0, -1, 100_001])
def test_absurd_sizes_are_refused(real: Market, n_symbols: int) -> None:
    with pytest.raises(BadInput, match="choose 1 to 100,000"):
        resample.resample(real, n_symbols, seed=1)


def test_market_that_ends_early_lends_what_it_has(real: Market) -> None:
    view = resample.resample(real.until(CRASH), 20, seed=1)
    assert view.sessions[-1] == CRASH
    assert np.isfinite(view.daily["close"]).mean() > 0.9


def test_market_of_resampled_symbols_only_lends_nothing(made: Market) -> None:
    with pytest.raises(BadInput, match="nothing to resample"):
        resample.resample(made, 5, seed=1)
