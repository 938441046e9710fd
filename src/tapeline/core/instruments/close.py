"""The moment at which a contract's payoff is fixed, for the time to expiry.

In: an ``Instrument``.  Out: UTC nanoseconds of the exchange's close on its day of expiry, half days and summer time
heeded. Refuses what does not expire, and what it knows no day or no hours of.
"""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from zoneinfo import ZoneInfo

from tapeline.core.errors import BadInput
from tapeline.core.instruments.expiry import calendar_of
from tapeline.core.instruments.model import Instrument
from tapeline.core.instruments.tables import FUTURES, MCX_METALS_ENERGY, SETTLED_AT_OPEN
from tapeline.core.types import NS_PER_S

_NEW_YORK = ZoneInfo("America/New_York")
_BOMBAY = ZoneInfo("Asia/Kolkata")
_INDIA_CLOSE = {"NFO": dt.time(15, 30), "BFO": dt.time(15, 30), "CDS": dt.time(12, 30)}
"""Currency contracts stop at half past twelve on their last day."""


def expiry_close_ns(instrument: Instrument) -> int:
    """Return the exchange's close on the day of expiry.

    Options and futures on an index that settle on opening prices (roots SPX, NDX, RUT, DJX, VIX; the ES family, VX) are
    worth what they are worth at the open of that day, so for these it is the open. When the day itself is no session
    (before 2015 American options expired on Saturdays), the session before counts. Beyond New York's calendar the
    regular hours are taken.

    Raises
    ------
    BadInput
        When it does not expire, its day is not known, or the hours of its exchange are not.
    """
    if not instrument.is_derivative:
        raise BadInput(f"{instrument.symbol} is {instrument.kind}: it does not expire")
    day = instrument.expiry
    if day is None:
        raise BadInput(f"the day of expiry of {instrument.symbol} is not known: an instruments file names it")
    if instrument.exchange == "US":
        return _new_york_ns(day, at_open=instrument.root in SETTLED_AT_OPEN)
    if instrument.root in FUTURES and FUTURES[instrument.root].rule:
        return _new_york_ns(day, at_open=True)
    if instrument.exchange in _INDIA_CLOSE:
        return _utc_ns(day, _INDIA_CLOSE[instrument.exchange], _BOMBAY)
    if instrument.exchange == "MCX" and instrument.underlying in MCX_METALS_ENERGY:
        return _utc_ns(day, _mcx_close(day), _BOMBAY)
    raise BadInput(f"the hours of {instrument.exchange} for {instrument.underlying} are not known")


@lru_cache(maxsize=4096)  # the options of a chain share their days, and the calendar takes its time
def _new_york_ns(day: dt.date, *, at_open: bool) -> int:
    calendar = calendar_of("XNYS")
    if calendar.knows(day):
        session = calendar.session_until(day)
        return session.open_ns if at_open else session.close_ns
    return _utc_ns(day, dt.time(9, 30) if at_open else dt.time(16), _NEW_YORK)


def _mcx_close(day: dt.date) -> dt.time:
    """Return MCX's close for metals and energy, which follows New York's clock."""
    summer = dt.datetime.combine(day, dt.time(12), _NEW_YORK).dst()
    return dt.time(23, 30) if summer else dt.time(23, 55)


def _utc_ns(day: dt.date, time: dt.time, zone: ZoneInfo) -> int:
    return int(dt.datetime.combine(day, time, zone).timestamp()) * NS_PER_S
