"""The moment of expiry: half days, summer time, Saturdays of old, settlement at the open, Bombay."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from tapeline.core.errors import BadInput
from tapeline.core.instruments import expiry_close_ns, parse_symbol


def _utc(text: str) -> int:
    return int(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * 10**9


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("AAPL251219C00150000", "2025-12-19T21:00"),  # winter
        ("AAPL250620C00150000", "2025-06-20T20:00"),  # summer
        ("AAPL251128C00150000", "2025-11-28T18:00"),  # the half day behind Thanksgiving
        ("AAPL  100522C00250000", "2010-05-21T20:00"),  # expired on a Saturday, last traded on Friday
        ("SPXW251219C06000000", "2025-12-19T21:00"),  # settled at the close
        ("SPX251219C06000000", "2025-12-19T14:30"),  # settled at the open
        ("VIX251217C00020000", "2025-12-17T14:30"),
        ("ESZ25", "2025-12-19T14:30"),
        ("VXZ25", "2025-12-17T14:30"),
        ("AAPL350119C00150000", "2035-01-19T21:00"),  # beyond the calendar: regular hours
        ("SPX350720C06000000", "2035-07-20T13:30"),
        ("NFO:NIFTY25NOV24000CE", "2025-11-25T10:00"),
        ("NIFTY25N1124000CE", "2025-11-11T10:00"),
        ("BFO:SENSEX25NOVFUT", "2025-11-27T10:00"),
        ("CDS:USDINR2590588.25CE", "2025-09-05T07:00"),
    ],
)
def test_the_close_on_the_day_of_expiry(text: str, moment: str) -> None:
    assert expiry_close_ns(parse_symbol(text)) == _utc(moment)


@pytest.mark.parametrize(("day", "moment"), [("2025-12-05", "2025-12-05T18:25"), ("2025-06-05", "2025-06-05T18:00")])
def test_mcx_closes_with_new_york_s_clock(day: str, moment: str) -> None:
    gold = replace(parse_symbol("GOLD25DECFUT"), expiry=dt.date.fromisoformat(day))
    assert expiry_close_ns(gold) == _utc(moment)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("AAPL", "does not expire"),
        ("NSE:NIFTY 50", "does not expire"),
        ("CLF26", "day of expiry of CLF26 is not known"),
        ("GOLD25DECFUT", "not known"),
        ("USDINR25NOVFUT", "not known"),
    ],
)
def test_what_has_no_known_day_is_refused(text: str, reason: str) -> None:
    with pytest.raises(BadInput, match=reason):
        expiry_close_ns(parse_symbol(text))


def test_what_has_no_known_hours_is_refused() -> None:
    crude = replace(parse_symbol("CLF26"), expiry=dt.date(2025, 12, 19))
    with pytest.raises(BadInput, match="hours of NYMEX"):
        expiry_close_ns(crude)
