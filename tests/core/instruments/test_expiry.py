"""Days of expiry as the exchanges had them, holidays before and after each change of rule."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadInput
from tapeline.core.instruments import Cycle, ExpiryBasis, expiries, monthly_expiry, parse_symbol
from tapeline.core.instruments.expiry import calendar_of


def _days(name: str, cycle: Cycle, first: str, last: str, exchange: str = "US") -> list[str]:
    found = expiries(name, cycle, dt.date.fromisoformat(first), dt.date.fromisoformat(last), exchange=exchange)
    return [expiry.day.isoformat() for expiry in found]


@pytest.mark.parametrize(
    ("name", "exchange", "month", "day"),
    [
        ("NIFTY", "NFO", "2025-08", "2025-08-28"),  # the last Thursday of the old rule
        ("NIFTY", "NFO", "2025-09", "2025-09-30"),  # the first Tuesday of the new one
        ("NIFTY", "NFO", "2026-03", "2026-03-30"),  # Tuesday is a holiday: the session before, not the one behind
        ("NIFTY", "NFO", "2023-06", "2023-06-28"),  # Thursday was a holiday
        ("RELIANCE", "NFO", "2025-10", "2025-10-28"),
        ("BANKNIFTY", "NFO", "2024-01", "2024-01-25"),
        ("BANKNIFTY", "NFO", "2024-04", "2024-04-24"),
        ("BANKNIFTY", "NFO", "2025-01", "2025-01-30"),
        ("FINNIFTY", "NFO", "2024-06", "2024-06-25"),
        ("MIDCPNIFTY", "NFO", "2024-06", "2024-06-24"),
        ("SENSEX", "BFO", "2024-06", "2024-06-28"),
        ("SENSEX", "BFO", "2025-07", "2025-07-29"),
        ("SENSEX", "BFO", "2025-11", "2025-11-27"),
        ("RELIANCE", "BFO", "2025-11", "2025-11-27"),
    ],
)
def test_the_monthly_expiry_in_india(name: str, exchange: str, month: str, day: str) -> None:
    year, number = map(int, month.split("-"))
    assert monthly_expiry(name, year, number, exchange=exchange).day == dt.date.fromisoformat(day)


def test_the_result_says_which_calendar_stood_in() -> None:
    nse = monthly_expiry("NIFTY", 2025, 11, exchange="NFO")
    assert (nse.basis, nse.calendar) == (ExpiryBasis.STAND_IN, "XBOM")
    assert "XBOM" in nse.note
    bse = monthly_expiry("SENSEX", 2025, 11, exchange="BFO")
    assert (bse.basis, bse.note) == (ExpiryBasis.RULE, "")


def test_beyond_the_calendar_the_weekday_stands_alone_and_says_so() -> None:
    far = monthly_expiry("NIFTY", 2031, 7, exchange="NFO")
    assert (far.day, far.basis, far.calendar) == (dt.date(2031, 7, 29), ExpiryBasis.UNCHECKED, "")
    assert "does not reach" in far.note
    assert monthly_expiry("AAPL", 2040, 1).basis is ExpiryBasis.UNCHECKED


def test_a_holiday_that_keeps_its_date_is_heeded_even_there() -> None:
    assert monthly_expiry("NIFTY", 2032, 1, exchange="NFO").day == dt.date(2032, 1, 27)
    assert monthly_expiry("NIFTY", 2038, 1, exchange="NFO").day == dt.date(2038, 1, 25)


@pytest.mark.parametrize(
    ("name", "exchange", "year"), [("RELIANCE", "BFO", 2024), ("NIFTY", "NFO", 1999), ("GOLD", "MCX", 2025)]
)
def test_a_rule_that_is_not_known_is_not_made_up(name: str, exchange: str, year: int) -> None:
    with pytest.raises(BadInput, match="known"):
        monthly_expiry(name, year, 6, exchange=exchange)


def test_an_index_of_the_other_exchange_is_refused() -> None:
    with pytest.raises(BadInput, match="do not trade on NFO"):
        monthly_expiry("SENSEX", 2025, 11, exchange="NFO")


def test_a_symbol_of_an_unknown_rule_keeps_its_month_alone() -> None:
    contract = parse_symbol("BFO:RELIANCE24JUN1400CE")
    assert (contract.expiry, contract.delivery) == (None, dt.date(2024, 6, 1))
    assert contract.expiry_basis is ExpiryBasis.UNKNOWN


@pytest.mark.parametrize(
    ("month", "day"),
    [("2025-12", "2025-12-19"), ("2019-04", "2019-04-18"), ("2026-06", "2026-06-18"), ("2010-05", "2010-05-21")],
)
def test_new_york_expires_on_the_third_friday_or_the_session_before(month: str, day: str) -> None:
    year, number = map(int, month.split("-"))
    assert monthly_expiry("AAPL", year, number).day == dt.date.fromisoformat(day)


@pytest.mark.parametrize(
    ("month", "day"),
    [("2025-12", "2025-12-17"), ("2026-05", "2026-05-19"), ("2019-03", "2019-03-19"), ("2025-01", "2025-01-22")],
)
def test_vix_expires_thirty_days_before_the_options_it_is_made_of(month: str, day: str) -> None:
    year, number = map(int, month.split("-"))
    assert monthly_expiry("VIX", year, number).day == dt.date.fromisoformat(day)


def test_weeklies_move_from_thursday_to_tuesday() -> None:
    assert _days("NIFTY", Cycle.WEEKLY, "2025-08-18", "2025-09-12", "NFO") == [
        *("2025-08-21", "2025-08-28", "2025-09-02", "2025-09-09")
    ]


def test_a_weekly_on_a_holiday_expires_the_session_before() -> None:
    assert _days("NIFTY", Cycle.WEEKLY, "2025-10-13", "2025-10-31", "NFO") == ["2025-10-14", "2025-10-20", "2025-10-28"]


def test_a_holiday_just_behind_the_span_moves_its_expiry_into_it() -> None:
    assert _days("NIFTY", Cycle.WEEKLY, "2025-10-15", "2025-10-20", "NFO") == ["2025-10-20"]
    assert _days("AAPL", Cycle.WEEKLY, "2019-04-15", "2019-04-18") == ["2019-04-18"]


def test_in_the_week_of_the_monthly_contract_there_is_no_other() -> None:
    assert _days("BANKNIFTY", Cycle.WEEKLY, "2023-09-04", "2023-09-30", "NFO") == [
        *("2023-09-06", "2023-09-13", "2023-09-20", "2023-09-28")
    ]


def test_weeklies_that_were_ended_are_not_listed_any_more() -> None:
    assert _days("BANKNIFTY", Cycle.WEEKLY, "2024-11-04", "2024-12-31", "NFO") == ["2024-11-06", "2024-11-13"]


@pytest.mark.parametrize(("name", "first"), [("RELIANCE", "2025-11-01"), ("NIFTY", "2018-01-01")])
def test_weeklies_that_never_were_are_refused(name: str, first: str) -> None:
    with pytest.raises(BadInput, match="no weekly contracts"):
        _days(name, Cycle.WEEKLY, first, "2025-12-01", "NFO")


def test_new_york_s_weeklies_are_fridays_and_vix_s_wednesdays() -> None:
    assert _days("AAPL", Cycle.WEEKLY, "2025-06-23", "2025-07-11") == ["2025-06-27", "2025-07-03", "2025-07-11"]
    assert _days("VIX", Cycle.WEEKLY, "2026-05-04", "2026-05-29") == [
        *("2026-05-06", "2026-05-13", "2026-05-19", "2026-05-27")
    ]


def test_the_big_index_expires_every_session() -> None:
    assert _days("SPX", Cycle.DAILY, "2025-06-30", "2025-07-07") == [
        *("2025-06-30", "2025-07-01", "2025-07-02", "2025-07-03", "2025-07-07")
    ]


@pytest.mark.parametrize(
    ("name", "first", "exchange"),
    [("AAPL", "2025-06-30", "US"), ("SPX", "2021-01-04", "US"), ("NIFTY", "2025-06-30", "NFO")],
)
def test_daily_expiries_that_are_not_listed_are_refused(name: str, first: str, exchange: str) -> None:
    with pytest.raises(BadInput, match="no daily expiries"):
        _days(name, Cycle.DAILY, first, "2025-07-07", exchange)


@given(
    name=st.sampled_from(["NIFTY", "BANKNIFTY", "SENSEX", "BANKEX", "RELIANCE"]),
    year=st.integers(2026, 2030),
    month=st.integers(1, 12),
)
def test_a_monthly_expiry_lies_in_the_last_week_or_the_session_before(name: str, year: int, month: int) -> None:
    exchange = "BFO" if name in ("SENSEX", "BANKEX") else "NFO"
    expiry = monthly_expiry(name, year, month, exchange=exchange)
    last = dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)
    assert 0 <= (last - expiry.day).days <= 10
    if expiry.calendar:
        assert calendar_of(expiry.calendar).is_session(expiry.day)


@given(first=st.dates(dt.date(2010, 1, 1), dt.date(2026, 1, 1)), days=st.integers(0, 90))
def test_expiries_over_a_span_are_sorted_inside_it_and_do_not_depend_on_where_it_is_cut(
    first: dt.date, days: int
) -> None:
    last = first + dt.timedelta(days=days)
    middle = first + dt.timedelta(days=days // 2)
    whole = expiries("AAPL", Cycle.WEEKLY, first, last)
    assert list(whole) == sorted(whole, key=lambda e: e.day)
    assert all(first <= e.day <= last for e in whole)
    halves = expiries("AAPL", Cycle.WEEKLY, first, middle) + expiries(
        "AAPL", Cycle.WEEKLY, middle + dt.timedelta(days=1), last
    )
    assert whole == halves


@pytest.mark.parametrize("month", [0, 13])
def test_a_month_that_no_year_has_is_refused(month: int) -> None:
    with pytest.raises(BadInput, match="months 1 to 12"):
        monthly_expiry("NIFTY", 2025, month, exchange="NFO")
