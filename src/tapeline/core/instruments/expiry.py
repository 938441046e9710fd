"""When contracts expire: the exchanges' rules, and the holidays that move them to the session before.

In: a name and a month, or a span of days.  Out: ``Expiry``, the day and how it is known.
Says so when it had to take BSE's calendar (XBOM) for NSE, or when the calendar does not reach. Refuses names and times
whose rule it does not know.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache

from tapeline.core.calendar import SessionCalendar
from tapeline.core.errors import BadInput
from tapeline.core.instruments.model import ExpiryBasis, Instrument
from tapeline.core.instruments.tables import BSE_NAMES, DAILY_SINCE, FUTURES

MON, TUE, WED, THU, FRI = range(5)
_DAY = dt.timedelta(days=1)

Schedule = tuple[tuple[dt.date, int | None], ...]
"""(from this day on, weekday of expiry), oldest first; None where there are no such contracts any more."""

_MOVED = dt.date(2025, 9, 1)
_SAME = dt.date(2025, 1, 1)
_NSE_START = dt.date(2000, 6, 12)
_BSE_START = dt.date(2023, 5, 15)


def _monthly(*before: tuple[dt.date, int]) -> Schedule:
    """NSE's indices: each its own weekday for a while, then Thursday again, then Tuesday."""
    return (*before, (_SAME, THU), (_MOVED, TUE))


MONTHLY: dict[str, Schedule] = {
    "NIFTY": ((_NSE_START, THU), (_MOVED, TUE)),
    "BANKNIFTY": _monthly((_NSE_START, THU), (dt.date(2024, 3, 1), WED)),
    "FINNIFTY": _monthly((dt.date(2022, 1, 1), TUE)),
    "MIDCPNIFTY": _monthly((dt.date(2023, 8, 21), MON)),
    "NIFTYNXT50": _monthly((dt.date(2024, 4, 24), FRI)),
    "SENSEX": ((_BSE_START, FRI), (_SAME, TUE), (_MOVED, THU)),
    "BANKEX": ((_BSE_START, FRI), (dt.date(2023, 10, 16), MON), (_SAME, TUE), (_MOVED, THU)),
    "SENSEX50": ((_BSE_START, THU), (_SAME, TUE), (_MOVED, THU)),
}
"""Indian indices, by the exchanges' circulars. The monthly contract expires on the last such weekday of its month."""

WEEKLY: dict[str, Schedule] = {
    "NIFTY": ((dt.date(2019, 2, 11), THU), (_MOVED, TUE)),
    "BANKNIFTY": ((dt.date(2016, 5, 27), THU), (dt.date(2023, 9, 4), WED), (dt.date(2024, 11, 14), None)),
    "FINNIFTY": ((dt.date(2022, 1, 1), TUE), (dt.date(2024, 11, 20), None)),
    "MIDCPNIFTY": ((dt.date(2023, 8, 21), MON), (dt.date(2024, 11, 19), None)),
    "SENSEX": ((_BSE_START, FRI), (_SAME, TUE), (_MOVED, THU)),
    "BANKEX": ((_BSE_START, FRI), (dt.date(2023, 10, 16), MON), (dt.date(2024, 11, 19), None)),
}
"""Since November 2024 each exchange has one index with weekly contracts."""

_STOCKS: dict[str, Schedule] = {
    "NFO": ((dt.date(2001, 7, 2), THU), (_MOVED, TUE)),
    "BFO": ((_MOVED, THU),),
}


_INDIA_ALWAYS_SHUT = {(1, 26), (4, 14), (5, 1), (8, 15), (10, 2), (12, 25)}
"""Holidays that keep their date, for the years that no calendar has yet."""


class Cycle(StrEnum):
    """How often a name's contracts expire."""

    MONTHLY = "monthly"
    WEEKLY = "weekly"
    """Every week; in the week of the monthly contract it is that one's day."""
    DAILY = "daily"


@dataclass(frozen=True, slots=True)
class Expiry:
    """A day of expiry, and how it is known: ``calendar`` names the one whose holidays were heeded, or is empty."""

    day: dt.date
    basis: ExpiryBasis
    calendar: str

    @property
    def note(self) -> str:
        """One sentence for a person, empty when there is nothing to add."""
        if self.basis is ExpiryBasis.STAND_IN:
            return "There is no calendar of NSE: BSE's (XBOM) stands in for its holidays."
        if self.basis is ExpiryBasis.UNCHECKED:
            return "The calendar does not reach this day: if it is a holiday, the contract expires a session earlier."
        return ""


def monthly_expiry(name: str, year: int, month: int, *, exchange: str = "US") -> Expiry:
    """Return when the monthly contract expires.

    Parameters
    ----------
    name
        The underlying: NIFTY, RELIANCE. In New York all are alike, the third Friday, but for VIX: the Wednesday 30 days
        before the next month's third Friday.
    exchange
        ``US``, ``NFO`` or ``BFO``.

    Raises
    ------
    BadInput
        When the rule of that exchange, name or time is not known.
    """
    if not 1 <= month <= 12:
        raise BadInput(f"a year has the months 1 to 12, not {month}")
    last = (dt.date(year + month // 12, month % 12 + 1, 1)) - _DAY
    if exchange == "US":
        return _vix(last + _DAY) if name == "VIX" else _settled(_third_friday(last.replace(day=1)), "XNYS")
    weekday = _in_force(_schedule(name, exchange, MONTHLY), last)
    if weekday is None:
        raise BadInput(f"the day of monthly expiry of {name} on {exchange} in {year:04d}-{month:02d} is not known")
    return _settled(last - dt.timedelta(days=(last.weekday() - weekday) % 7), "XBOM", stand_in=exchange == "NFO")


def expiries(name: str, cycle: Cycle, first: dt.date, last: dt.date, *, exchange: str = "US") -> tuple[Expiry, ...]:
    """Return the days from ``first`` to ``last``, both included, on which contracts of that cycle expire.

    Weekly in New York is every Friday, for VIX every Wednesday; daily is every session, for the few names that have it.
    Raises BadInput for a name without that cycle, for a time before its rule is known, and for daily expiries beyond
    the calendar.
    """
    if cycle is Cycle.MONTHLY:
        found = _months(name, first, last, exchange)
    elif cycle is Cycle.WEEKLY:
        found = _weeks(name, first, last, exchange)
    else:
        found = _days(name, first, last, exchange)
    return tuple(sorted((e for e in found if first <= e.day <= last), key=lambda e: e.day))


def with_expiry(instrument: Instrument) -> Instrument:
    """Return the instrument with its day of expiry by rule, where only its month was known and the rule is."""
    delivery = instrument.delivery
    if instrument.expiry is not None or delivery is None:
        return instrument
    if instrument.exchange in _STOCKS:
        exchange = instrument.exchange
    elif instrument.root in FUTURES and FUTURES[instrument.root].rule:
        exchange = "US"
    else:
        return instrument
    try:
        name = FUTURES[instrument.root].rule if exchange == "US" else instrument.underlying
        expiry = monthly_expiry(name, delivery.year, delivery.month, exchange=exchange)
    except BadInput:  # a rule that nobody knows any more: the basis stays UNKNOWN, and says so
        return instrument
    return replace(instrument, expiry=expiry.day, expiry_basis=expiry.basis)


@cache
def calendar_of(mic: str) -> SessionCalendar:
    """Return the sessions of an exchange; loading them takes half a second once."""
    return SessionCalendar(mic)


def _settled(day: dt.date, mic: str, *, stand_in: bool = False) -> Expiry:
    """Move a holiday to the session before, as far as the calendar knows."""
    calendar = calendar_of(mic)
    if not calendar.knows(day):
        while mic == "XBOM" and (day.month, day.day) in _INDIA_ALWAYS_SHUT:
            day -= _DAY
        return Expiry(day, ExpiryBasis.UNCHECKED, "")
    basis = ExpiryBasis.STAND_IN if stand_in else ExpiryBasis.RULE
    return Expiry(calendar.session_until(day).day, basis, mic)


def _third_friday(first: dt.date) -> dt.date:
    return first + dt.timedelta(days=(FRI - first.weekday()) % 7 + 14)


def _vix(next_month: dt.date) -> Expiry:
    """Return the day 30 days before the S&P 500 options it is computed from; a session earlier when those move."""
    friday = _third_friday(next_month)
    calendar = calendar_of("XNYS")
    moves = calendar.knows(friday) and not calendar.is_session(friday)
    expiry = _settled(friday - 30 * _DAY - (_DAY if moves else 0 * _DAY), "XNYS")
    return expiry if calendar.knows(friday) else replace(expiry, basis=ExpiryBasis.UNCHECKED, calendar="")


def _schedule(name: str, exchange: str, named: dict[str, Schedule]) -> Schedule:
    if exchange not in _STOCKS:
        raise BadInput(f"no rule of expiry is known for {exchange}: an instruments file names the days")
    if name in named:
        if (name in BSE_NAMES) != (exchange == "BFO"):
            raise BadInput(f"contracts on the index {name} do not trade on {exchange}")
        return named[name]
    return _STOCKS[exchange] if named is MONTHLY else ()


def _in_force(schedule: Schedule, day: dt.date) -> int | None:
    weekday: int | None = None
    for since, value in schedule:
        if since <= day:
            weekday = value
    return weekday


def _months(name: str, first: dt.date, last: dt.date, exchange: str) -> list[Expiry]:
    months = range(first.year * 12 + first.month - 1, last.year * 12 + last.month)
    return [monthly_expiry(name, m // 12, m % 12 + 1, exchange=exchange) for m in months]


def _weeks(name: str, first: dt.date, last: dt.date, exchange: str) -> list[Expiry]:
    if exchange == "US":
        return _us_weeks(name, first, last)
    schedule = _schedule(name, exchange, WEEKLY)
    if not schedule or first < schedule[0][0]:
        since = f"before {schedule[0][0]}" if schedule else f"on {exchange}"
        raise BadInput(f"no weekly contracts of {name} are known {since}")
    by_week: dict[dt.date, Expiry] = {}
    for weekday in range(5):
        for day in _weekdays(first, last, weekday):
            if _in_force(schedule, day) == weekday:
                by_week[_monday(day)] = _settled(day, "XBOM", stand_in=exchange == "NFO")
    for expiry in _months(name, first, last, exchange):
        if _in_force(schedule, expiry.day) is not None:
            by_week[_monday(expiry.day)] = expiry
    return list(by_week.values())


def _us_weeks(name: str, first: dt.date, last: dt.date) -> list[Expiry]:
    if name != "VIX":
        return [_settled(day, "XNYS") for day in _weekdays(first, last, FRI)]
    # The monthly one may fall on a Tuesday that is no holiday, so it takes the place of its week's Wednesday.
    by_week = {_monday(day): _settled(day, "XNYS") for day in _weekdays(first, last, WED)}
    by_week |= {_monday(expiry.day): expiry for expiry in _months(name, first, last, "US")}
    return list(by_week.values())


def _days(name: str, first: dt.date, last: dt.date, exchange: str) -> list[Expiry]:
    since = DAILY_SINCE.get(name) if exchange == "US" else None
    if since is None or first < since:
        raise BadInput(f"no daily expiries of {name} are known {f'before {since}' if since else f'on {exchange}'}")
    return [Expiry(day, ExpiryBasis.RULE, "XNYS") for day in calendar_of("XNYS").sessions(first, last)]


def _weekdays(first: dt.date, last: dt.date, weekday: int) -> list[dt.date]:
    """Return those weekdays in the span and in the week behind it, whose holiday could move a day into the span."""
    start = first + dt.timedelta(days=(weekday - first.weekday()) % 7)
    return [start + dt.timedelta(days=7 * i) for i in range((last - start).days // 7 + 2)]


def _monday(day: dt.date) -> dt.date:
    return day - dt.timedelta(days=day.weekday())
