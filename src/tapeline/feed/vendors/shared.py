"""What the vendors of bars have in common: their numbers' types, their counters, New York's midnights.

In: an outcome of one request, a date.  Out: the same failure under the vendor's name, a moment.
Refuses nothing; each vendor's own module does.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from msgspec import Meta

from tapeline.core.outcome import Outcome
from tapeline.core.types import NS_PER_S
from tapeline.feed.gateway import Gateway

NEW_YORK = ZoneInfo("America/New_York")

Price = Annotated[float, Meta(gt=0)]
Amount = Annotated[float, Meta(ge=0)]


@dataclass(slots=True)
class Tally:
    """Pages that were received."""

    pages: int = 0


class CountedBars:
    """A vendor that counts: the half of a ``BarSource`` that all of them share.

    Parameters
    ----------
    gateway
        With the host ``host``.
    host, circuit
        Whose requests are counted; who else asks that host has another circuit.
    """

    def __init__(self, gateway: Gateway, host: str, circuit: str = "") -> None:
        self._gateway = gateway
        self._host, self._circuit = host, circuit
        self._tally = Tally()

    @property
    def pages(self) -> int:
        """Pages received since it was built."""
        return self._tally.pages

    @property
    def requests(self) -> int:
        """Requests for bars since the gateway was built, pages and retries included."""
        return self._gateway.stats[self._host].of_circuit[self._circuit]


def failed(outcome: Outcome[Any], source: str, reason: str) -> Outcome[Any]:
    """Return an outcome without value under a vendor's name; what lies in the question stays a refusal."""
    return replace(outcome, source=source, reason=reason)


def new_york_midnight_ns(day: dt.date) -> int:
    """Return the moment in which ``day`` begins in New York."""
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=NEW_YORK).timestamp()) * NS_PER_S


def utc_midnight_ns(day: dt.date) -> int:
    """Return the moment in which ``day`` begins in UTC."""
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * NS_PER_S
