"""Minutes inside a day add up to it exactly, for real days and for any bar there can be."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeline.core.types import BAR_FIELDS, F64
from tapeline.sim import bridge
from tapeline.sim.market import DAILY_FIELDS, Index, Market

CRASH = dt.date(2010, 5, 6)
CALM = dt.date(2010, 3, 16)
HALF_DAY = dt.date(2009, 11, 27)
FOUR = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def market() -> Market:
    return Market.load()


def _day(market: Market, day: dt.date) -> dict[str, F64]:
    return {name: market.daily[name][market.row_of(day)] for name in DAILY_FIELDS}


def _assert_exact(bars: Mapping[str, F64], minutes: Mapping[str, F64]) -> None:
    """Each symbol's minutes are sound, and add up to its bar to the bit; a symbol without a bar has none."""
    traded = np.isfinite(minutes["close"])
    assert all(np.array_equal(np.isfinite(minutes[name]), traded) for name in BAR_FIELDS)
    assert np.array_equal(traded.any(axis=0), np.isfinite(bars["close"]))
    for col in np.flatnonzero(traded.any(axis=0)):
        open_, high, low, close, volume, vwap, trades = (minutes[name][traded[:, col], col] for name in BAR_FIELDS)
        folded = (open_[0], high.max(), low.min(), close[-1], volume.sum())
        assert folded == tuple(bars[name][col] for name in DAILY_FIELDS)
        for inner in (open_, close, vwap):
            assert np.all((low <= inner) & (inner <= high))
        assert np.all((trades >= 1) & (volume >= trades))
        assert np.array_equal(volume, np.rint(volume))
        assert np.array_equal(trades, np.rint(trades))


@pytest.mark.parametrize("day", [CRASH, CALM, HALF_DAY, dt.date(2010, 5, 25)])
def test_all_real_symbols_of_a_day_add_up_exactly(market: Market, day: dt.date) -> None:
    minutes = market.minutes(day)
    _assert_exact(_day(market, day), {name: getattr(minutes, name) for name in BAR_FIELDS})


@st.composite
def _bars(draw: st.DrawFn) -> dict[str, F64]:
    digits = draw(st.sampled_from([0, 2, 4]))
    price = st.floats(0.01, 5_000.0).map(lambda value: round(value, digits) + 0.01)
    rows = draw(st.lists(st.tuples(price, price, price, price, st.integers(1, 10**10)), min_size=1, max_size=6))
    columns = []
    for a, b, c, d, volume in rows:
        low, *middle, high = sorted((a, b, c, d))
        open_, close = draw(st.permutations(middle)) if draw(st.booleans()) else (low, high)
        columns.append((open_, high, low, close, float(volume)))
    return dict(zip(DAILY_FIELDS, np.array(columns).T.copy(), strict=True))


@settings(max_examples=80, deadline=None)
@given(bars=_bars(), seed=st.integers(0, 2**31), n_minutes=st.sampled_from([210, 390]), plunge=st.none() | st.just(100))
def test_any_bar_adds_up_exactly(bars: dict[str, F64], seed: int, n_minutes: int, plunge: int | None) -> None:
    symbols = [f"S{i}" for i in range(bars["close"].size)]
    minutes = bridge.minutes_of(bars, symbols, CALM, n_minutes=n_minutes, seed=seed, plunge=plunge)
    _assert_exact(bars, minutes)


def test_flat_day_is_flat_and_a_day_of_three_shares_is_one_minute() -> None:
    bars = {name: np.array([12.345, 10.0]) for name in FOUR} | {"volume": np.array([1e6, 3.0])}
    bars["high"] = np.array([12.345, 11.0])
    minutes = bridge.minutes_of(bars, ["FLAT", "TINY"], CALM, n_minutes=390, seed=1)
    _assert_exact(bars, minutes)
    assert np.isfinite(minutes["close"][:, 1]).sum() == 1


def test_minutes_of_a_symbol_do_not_depend_on_the_others_or_their_order(market: Market) -> None:
    whole = market.minutes(CRASH)
    few = market.take(np.array([3, 300, 411]))
    alone = few.minutes(CRASH)
    turned = bridge.minutes_of(
        {name: panel[::-1] for name, panel in _day(few, CRASH).items()},
        few.symbols[::-1],
        CRASH,
        n_minutes=390,
        seed=market.seed,
        plunge=bridge.FLASH_CRASH_MINUTE,
    )
    for name in BAR_FIELDS:
        assert np.array_equal(getattr(whole, name)[:, [3, 300, 411]], getattr(alone, name), equal_nan=True)
        assert np.array_equal(getattr(alone, name), turned[name][:, ::-1], equal_nan=True)


def test_another_seed_or_day_or_name_gives_another_course() -> None:
    bars = dict(zip(DAILY_FIELDS, np.array([[10.0], [11.0], [9.0], [10.5], [1e6]]), strict=True))

    def course(symbol: str, day: dt.date, seed: int) -> bytes:
        return bridge.minutes_of(bars, [symbol], day, n_minutes=390, seed=seed)["close"].tobytes()

    assert len({course("A", CALM, 1), course("B", CALM, 1), course("A", HALF_DAY, 1), course("A", CALM, 2)}) == 4


def test_lows_of_the_flash_crash_fall_together_at_a_quarter_to_three(market: Market) -> None:
    bars, minutes = _day(market, CRASH), market.minutes(CRASH)
    inside = bars["low"] < np.minimum(bars["open"], bars["close"])
    around = slice(bridge.FLASH_CRASH_MINUTE - 3, bridge.FLASH_CRASH_MINUTE + 4)
    assert inside.sum() > 450
    assert np.array_equal(np.nanmin(minutes.low[around][:, inside], axis=0), bars["low"][inside])
    early = np.nanmin(minutes.low[: around.start - bridge.FALL_MINUTES][:, inside], axis=0)
    # A symbol of few cents' range may touch its low before; hardly any other does.
    assert np.mean(early > bars["low"][inside]) > 0.98


def test_lows_of_an_ordinary_day_are_scattered(market: Market) -> None:
    minutes = market.minutes(CALM)
    traded = np.isfinite(minutes.low).any(axis=0)
    lowest = np.array([np.nanargmin(minutes.low[:, col]) for col in np.flatnonzero(traded)])
    assert np.bincount(lowest // 30, minlength=13).max() < 0.5 * lowest.size


def test_volume_is_heavier_at_open_and_close_than_at_noon(market: Market) -> None:
    volume = np.nansum(market.minutes(CALM).volume, axis=1)
    assert volume[:30].mean() > 1.5 * volume[180:210].mean()
    assert volume[-30:].mean() > 1.5 * volume[180:210].mean()
    assert volume[0] > 2.0 * volume[1:30].mean()
    assert volume[-1] > 2.0 * volume[-30:-1].mean()


def test_thin_symbol_has_minutes_without_trade() -> None:
    bars = dict(zip(DAILY_FIELDS, np.array([[10.0], [11.0], [9.0], [10.5], [5_000.0]]), strict=True))
    minutes = bridge.minutes_of(bars, ["THIN"], CALM, n_minutes=390, seed=1)
    _assert_exact(bars, minutes)
    assert 4 <= np.isfinite(minutes["close"]).sum() < 200


def test_days_with_just_enough_shares_add_up_exactly() -> None:
    bars = {name: np.full(400, price) for name, price in zip(FOUR, (10.0, 11.0, 9.0, 10.5), strict=True)}
    bars["volume"] = 16.0 + np.arange(400) % 8
    _assert_exact(bars, bridge.minutes_of(bars, [f"S{i}" for i in range(400)], CALM, n_minutes=390, seed=1))


def test_a_path_turns_at_its_extremes_and_does_not_stick_to_them(market: Market) -> None:
    bars, minutes = _day(market, CALM), market.minutes(CALM)
    wide = bars["high"] - bars["low"] > 1.0
    at_an_end = (minutes.high == bars["high"]) | (minutes.low == bars["low"])
    assert at_an_end[:, wide].mean() < 0.06


def test_prices_inside_a_day_are_whole_cents(market: Market) -> None:
    close = market.minutes(CALM).close[:-1]
    known = close[np.isfinite(close)]
    # The day's own extremes may have half cents; everything between them was rounded.
    assert np.mean(known == np.round(known, 2)) > 0.99


def _index(n_days: int, last: tuple[float, float, float, float]) -> Index:
    dates = tuple(dt.date(2009, 1, 1) + dt.timedelta(days=i) for i in range(n_days))
    calm = np.tile([100.0, 100.5, 99.5, 100.0], (n_days, 1))
    calm[-1] = last
    return Index(dates, *np.column_stack([calm, np.ones(n_days)]).T.copy())


@pytest.mark.parametrize(
    ("last", "n_days", "plunges"),
    [
        ((100.0, 100.2, 96.0, 99.5), 61, True),
        ((100.0, 100.2, 96.0, 96.1), 61, False),  # closed at its low: fell, and did not come back
        ((100.0, 104.0, 99.9, 100.1), 61, False),  # a spike upward
        ((100.0, 100.2, 98.5, 99.5), 61, False),  # not wide enough
        ((100.0, 100.2, 96.0, 99.5), 60, False),  # too little known of the days before
    ],
)
def test_a_day_plunges_when_the_index_fell_far_and_came_back(
    last: tuple[float, float, float, float], n_days: int, plunges: bool
) -> None:
    index = _index(n_days, last)
    assert (bridge.plunge_minute(index, index.dates[-1], 390, 7) is not None) == plunges


def test_plunge_depends_on_nothing_later() -> None:
    index = _index(61, (100.0, 100.2, 96.0, 99.5))
    day = index.dates[-1]
    later = (np.append(getattr(index, name), 1e6) for name in DAILY_FIELDS)
    longer = Index((*index.dates, day + dt.timedelta(days=1)), *later)
    assert bridge.plunge_minute(longer, day, 390, 7) == bridge.plunge_minute(index, day, 390, 7)


def test_index_that_lacks_the_day_makes_no_plunge() -> None:
    index = _index(61, (100.0, 100.2, 96.0, 99.5))
    assert bridge.plunge_minute(index, dt.date(2020, 1, 1), 390, 7) is None
