"""The real samples: they are what ``PROVENANCE.md`` says, in the right zone; option quotes agree with their vols."""

from __future__ import annotations

import datetime as dt
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow.parquet as pq
import pytest
import QuantLib as ql  # noqa: N813 - its own documentation abbreviates it so

from tapeline import data
from tapeline.core.calendar import SessionCalendar
from tapeline.core.instruments import InstrumentKind, expiry_close_ns, parse_symbol
from tapeline.core.types import NS_PER_S
from tapeline.data.samples import F64, SAMPLES, OptionQuotes, load_minutes, load_option_quotes, load_trades
from tapeline.kernels.greeks import greeks_76, implied_vol_76, years_to

CHICAGO = ZoneInfo("America/Chicago")
MINUTE_NS = 60 * NS_PER_S


@pytest.fixture(scope="module")
def quotes() -> OptionQuotes:
    return load_option_quotes()


def chicago(event_ns: int) -> str:
    return dt.datetime.fromtimestamp(event_ns // NS_PER_S, CHICAGO).strftime("%a %d %H:%M:%S")


def test_every_sample_is_a_file_with_symbol_and_time() -> None:
    for sample in SAMPLES.values():
        assert {"symbol", "time"} <= set(pq.read_schema(sample.path).names)


def test_the_trades_are_half_a_million_in_order_and_in_quarters() -> None:
    trades = load_trades()
    assert (trades.event_ns.size, trades.price.size, trades.size.size) == (500_000,) * 3
    assert np.all(np.diff(trades.event_ns) >= 0)
    assert np.all(trades.price * 4 % 1 == 0)
    assert (trades.price.min(), trades.price.max()) == (1630.75, 1650.0)
    assert (trades.size.min(), trades.size.max(), int(trades.size.sum())) == (1, 1150, 1_844_058)
    assert parse_symbol(trades.symbol).kind is InstrumentKind.FUTURE


def test_the_trades_keep_the_hours_of_chicago_and_the_halt_of_labor_day() -> None:
    times = load_trades().event_ns
    halts = np.flatnonzero(np.diff(times) > 4 * MINUTE_NS)
    seen = [chicago(int(times[i])) for i in (0, *halts, *(halts + 1), -1)]
    assert seen == ["Sun 01 17:00:00", "Mon 02 10:29:59", "Mon 02 17:00:00", "Tue 03 13:51:44"]


def test_the_trades_are_of_the_contract_whose_high_is_the_basis_under_the_index() -> None:
    trades = load_trades()
    rows = pq.read_table(data.shipped(data.INDEX_DAILY)).to_pylist()
    day = next(row for row in rows if row["session"] == dt.date(2013, 9, 3))
    opened = SessionCalendar("XNYS", dt.date(2013, 1, 2)).session(dt.date(2013, 9, 3)).open_ns
    high = trades.price[trades.event_ns >= opened].max()
    assert -3.0 < high - day["high"] < 0.0


def test_the_minutes_are_four_sessions_and_their_closing_auctions() -> None:
    minutes, calendar = load_minutes(), SessionCalendar("XNYS", dt.date(2020, 1, 2))
    sessions = [calendar.session(dt.date(2020, 12, day)) for day in (15, 16, 17, 18)]
    expected = [s.open_ns + k * MINUTE_NS for s in sessions for k in range(s.minutes + 1)]
    assert minutes.symbol == "SPY"
    assert minutes.event_ns.tolist() == expected
    assert np.all(minutes.low <= np.minimum(minutes.open, minutes.close))
    assert np.all(np.maximum(minutes.open, minutes.close) <= minutes.high)
    assert np.all(minutes.volume > 0)
    auction = minutes.event_ns == sessions[-1].close_ns
    assert minutes.volume[auction].tolist() == [8_422_909]


def test_the_quotes_are_out_of_the_money_and_two_sided(quotes: OptionQuotes) -> None:
    counts = {name: int(np.sum(quotes.underlying == name)) for name in ("SPY", "SQQQ", "GLD", "VIX", "BTC")}
    assert counts == {"SPY": 427, "SQQQ": 232, "GLD": 183, "VIX": 92, "BTC": 49}
    assert len(set(quotes.symbol.tolist())) == quotes.symbol.size == 983
    assert np.all((quotes.bid > 0) & (quotes.bid <= quotes.ask))
    assert np.all((quotes.right == "P") == (quotes.strike <= quotes.forward))


def test_a_symbol_says_what_its_row_says(quotes: OptionQuotes) -> None:
    for i in np.flatnonzero(quotes.underlying != "BTC").tolist():
        option = parse_symbol(str(quotes.symbol[i]))
        assert (option.underlying, option.expiry) == (str(quotes.underlying[i]), quotes.expiry[i].item())
        assert (float(option.strike or 0), option.right) == (quotes.strike[i], quotes.right[i])


def test_time_to_expiry_is_that_to_new_yorks_close_by_the_clock_on_the_wall(quotes: OptionQuotes) -> None:
    for name in ("SPY", "SQQQ", "GLD"):
        mine = quotes.of(name)
        close_ns = [expiry_close_ns(parse_symbol(str(symbol))) for symbol in mine.symbol]
        off_s = (years_to(close_ns, mine.event_ns) - mine.years_365) * 365 * 86_400
        winter = (mine.expiry > np.datetime64("2022-11-06")) & (mine.expiry < np.datetime64("2023-03-12"))
        # The source subtracts local times, and rounds when the quote stood to some ten seconds.
        np.testing.assert_allclose(off_s, np.where(winter, 3600, 0), atol=30)


def test_prices_lie_on_the_grid_of_the_exchange(quotes: OptionQuotes) -> None:
    listed = quotes.underlying != "BTC"
    for side in (quotes.bid, quotes.ask):
        np.testing.assert_allclose(side[listed] * 100, np.round(side[listed] * 100), atol=1e-9)
        coins = side[~listed] / quotes.forward[~listed] / 0.0005
        np.testing.assert_allclose(coins, np.round(coins), atol=1e-4)


@pytest.mark.parametrize("side", ["bid", "ask"])
def test_volatility_of_a_price_made_from_a_volatility_is_that_volatility(quotes: OptionQuotes, side: str) -> None:
    vol: F64 = getattr(quotes, f"{side}_vol")
    terms = (quotes.right, quotes.forward, quotes.strike, quotes.years, quotes.rate)
    price = greeks_76(*terms, vol)["price"]
    found, status = implied_vol_76(quotes.right, price, *terms[1:])
    assert not status.any()
    np.testing.assert_allclose(found, vol, rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("side", "name", "most"), [("bid", "listed", 1e-6), ("ask", "listed", 1e-6), ("bid", "BTC", 2e-3)]
)
def test_volatility_of_a_shipped_price_is_the_shipped_volatility(
    quotes: OptionQuotes, side: str, name: str, most: float
) -> None:
    mine = (quotes.underlying == "BTC") == (name == "BTC")
    terms = (quotes.forward, quotes.strike, quotes.years, quotes.rate)
    found, status = implied_vol_76(quotes.right[mine], getattr(quotes, side)[mine], *(term[mine] for term in terms))
    assert not status.any()
    np.testing.assert_allclose(found, getattr(quotes, f"{side}_vol")[mine], rtol=0, atol=most)


def test_calls_less_puts_are_worth_the_discounted_forward_less_strike(quotes: OptionQuotes) -> None:
    terms = (quotes.forward, quotes.strike, quotes.years, quotes.rate, quotes.bid_vol)
    call, put = (greeks_76(right, *terms)["price"] for right in "CP")
    parity = quotes.discount * (quotes.forward - quotes.strike)
    np.testing.assert_allclose((call - put) / quotes.forward, parity / quotes.forward, rtol=0, atol=1e-13)


def test_greeks_of_the_quotes_are_quantlibs(quotes: OptionQuotes) -> None:
    vol = (quotes.bid_vol + quotes.ask_vol) / 2
    found = greeks_76(quotes.right, quotes.forward, quotes.strike, quotes.years, quotes.rate, vol, raw=True)
    for i in range(0, quotes.symbol.size, 7):
        deviation = float(vol[i] * np.sqrt(quotes.years[i]))
        side = ql.Option.Call if quotes.right[i] == "C" else ql.Option.Put
        payoff = ql.PlainVanillaPayoff(side, float(quotes.strike[i]))
        oracle = ql.BlackCalculator(payoff, float(quotes.forward[i]), deviation, float(quotes.discount[i]))
        theirs = (oracle.value(), oracle.deltaForward(), oracle.gammaForward(), oracle.vega(float(quotes.years[i])))
        ours = [float(found[name][i]) for name in ("price", "delta", "gamma", "vega")]
        np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-14, err_msg=str(quotes.symbol[i]))
