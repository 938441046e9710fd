"""Alpaca's reference data: assets, market clock, calendar.

In: the tape and the exchange's calendar.  Out: answers in the vendor's JSON.
Refuses to list a company before it has first traded, and knows no account and no order: trading is not simulated here.
"""

from __future__ import annotations

import datetime as dt
import uuid
from dataclasses import dataclass
from typing import Any

from tapeline.core.calendar import SessionCalendar
from tapeline.core.errors import BadInput
from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.clock import NEW_YORK, new_york_day
from tapeline.sim.crypto import PAIRS
from tapeline.sim.door import Ask, Reply
from tapeline.sim.tape import Tape
from tapeline.sim.wire import WireError

NO_KEYS = WireError(401, "access key verification failed : access key not found", 40110000)
ASSET_IDS = uuid.UUID("7a9f3c1e-5f0b-4b7e-9a57-0c6f0e0a2010")
"""Namespace of our assets' ids: a symbol always has the same one."""
FAR = dt.timedelta(days=400)
"""How far ahead the calendar is told when the request names no end."""
SETTLED_WITHIN = dt.timedelta(days=12)
"""Holds three sessions, whatever holidays lie between."""


@dataclass(frozen=True, slots=True)
class AlpacaTrading:
    """The answers of the trading host that need no account."""

    tape: Tape
    calendar: SessionCalendar

    def assets(self, ask: Ask) -> Reply:
        """Answer ``/v2/assets``, filtered by ``status`` and ``asset_class``."""
        status, kind = ask.params.get("status"), ask.params.get("asset_class")
        if kind == "crypto":
            return Reply(_crypto_assets() if status != "inactive" else [], Label.SIMULATED)
        if kind not in (None, "", "us_equity"):
            return Reply([])
        found = [asset for asset in self._assets(ask.now_ns) if status in (None, "", "all", asset["status"])]
        return Reply(found, self.tape.label(bridged=False))

    def asset(self, ask: Ask) -> Reply:
        """Answer ``/v2/assets/{symbol_or_id}``."""
        wanted = ask.path["symbol_or_id"]
        for asset in self._assets(ask.now_ns):
            if wanted in (asset["symbol"], asset["id"]):
                return Reply(asset, self.tape.label(bridged=False))
        for asset in _crypto_assets():
            if wanted in (asset["symbol"].replace("/", ""), asset["id"]):
                return Reply(asset, Label.SIMULATED)
        raise WireError(404, f"asset not found for {wanted}", 40410000)

    def clock(self, ask: Ask) -> Reply:
        """Answer ``/v2/clock``, in New York time."""
        session = self.calendar.next_session(ask.now_ns)
        is_open = session.open_ns <= ask.now_ns < session.close_ns
        opens = self.calendar.next_session(session.close_ns) if is_open else session
        body = {
            "timestamp": _new_york(ask.now_ns),
            "is_open": is_open,
            "next_open": _new_york(opens.open_ns),
            "next_close": _new_york(session.close_ns),
        }
        return Reply(body, Label.REAL)

    def sessions(self, ask: Ask) -> Reply:
        """Answer ``/v2/calendar``. Sessions ahead are no secret: the exchange publishes them."""
        first = _day(ask.params.get("start"), self.tape.market.sessions[0])
        last = _day(ask.params.get("end"), new_york_day(ask.now_ns) + FAR)
        try:
            days = self.calendar.sessions(first, last + SETTLED_WITHIN) if first <= last else []
        except BadInput as error:
            raise WireError(422, str(error), 40010001) from None
        return Reply([self._hours(day, days[i + 3]) for i, day in enumerate(days) if day <= last], Label.REAL)

    def _hours(self, day: dt.date, settled: dt.date) -> dict[str, str]:
        """Return one session as the vendor tells it. Trades of that time settled on the third session after."""
        session = self.calendar.session(day)
        opens, closes = (_new_york(moment)[11:16] for moment in (session.open_ns, session.close_ns))
        hours = {"open": opens, "close": closes, "session_open": "0400", "session_close": "2000"}
        return {"date": day.isoformat(), **hours, "settlement_date": settled.isoformat()}

    def _assets(self, now_ns: int) -> list[dict[str, Any]]:
        """List the whole universe. Who has stopped trading, or not begun, is there and not tradable.

        That a symbol exists is no secret of the future; what it costs is, and is not told.
        """
        market = self.tape.market
        starts, _ = self.tape.last_minute(now_ns)
        is_tradable = starts > 0
        return [
            {
                "id": str(uuid.uuid5(ASSET_IDS, symbol)),
                "class": "us_equity",
                "exchange": "",
                "symbol": symbol,
                "name": market.names[column] or symbol,
                "status": "active",
                "tradable": bool(is_tradable[column]),
                "marginable": False,
                "shortable": False,
                "easy_to_borrow": False,
                "fractionable": False,
                "attributes": [],
            }
            for column, symbol in enumerate(market.symbols)
        ]


def _crypto_assets() -> list[dict[str, Any]]:
    """Return the pairs as the trading host lists them."""
    return [
        {
            "id": str(uuid.uuid5(ASSET_IDS, pair.symbol)),
            "class": "crypto",
            "exchange": "CRYPTO",
            "symbol": pair.symbol,
            "name": f"{pair.name} / US Dollar",
            "status": "active",
            "tradable": True,
            "marginable": False,
            "shortable": False,
            "easy_to_borrow": False,
            "fractionable": True,
            "min_order_size": f"{1.0 / pair.home:.9g}",
            "min_trade_increment": "0.000000001",
            "price_increment": f"{10.0**-pair.decimals:.9f}".rstrip("0"),
            "attributes": [],
        }
        for pair in PAIRS.values()
    ]


def _new_york(moment_ns: int) -> str:
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, NEW_YORK).isoformat()


def _day(text: str | None, default: dt.date) -> dt.date:
    """Return the date that a parameter begins with; the vendor takes dates and moments alike."""
    if not text:
        return default
    try:
        return dt.date.fromisoformat(text[:10])
    except ValueError:
        raise WireError(422, f"invalid date: {text}", 40010001) from None
