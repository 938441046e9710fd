"""Yahoo's charts: minute and daily bars, one symbol a request, for when the first choice does not answer.

In: symbols and a span of time.  Out: outcomes of ``BarFrame``.
Refuses to call its prices raw: the vendor restates them for splits, so their feed has a name of its own. A row with an
empty price is no bar.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from functools import partial
from urllib.parse import quote

import numpy as np
from msgspec import Struct

from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, value_of
from tapeline.core.types import DAY_S, MINUTE_S, NS_PER_S, BarFrame
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Response, decode
from tapeline.feed.sources import join_frames
from tapeline.feed.vendors.shared import NEW_YORK, CountedBars, failed, new_york_midnight_ns
from tapeline.feed.vendors.yahoo import DATA_HOST

INTERVALS = {"1Min": ("1m", MINUTE_S), "5Min": ("5m", 5 * MINUTE_S), "1Day": ("1d", DAY_S)}
CIRCUIT = "chart"
_Numbers = tuple[float | None, ...]


class _Quote(Struct, frozen=True):
    """{"open":[1.0,null],"high":[...],"low":[...],"close":[...],"volume":[...]}; empty when nothing traded."""

    open: _Numbers = ()
    high: _Numbers = ()
    low: _Numbers = ()
    close: _Numbers = ()
    volume: _Numbers = ()


class _Indicators(Struct, frozen=True):
    quote: tuple[_Quote, ...]


class _Result(Struct, frozen=True):
    indicators: _Indicators
    timestamp: tuple[int, ...] = ()


class _Chart(Struct, frozen=True):
    result: tuple[_Result, ...] | None


class _Answer(Struct, frozen=True):
    """{"chart":{"result":[{"timestamp":[...],"indicators":{"quote":[{...}]}}],"error":null}}"""

    chart: _Chart


class YahooBars(CountedBars):
    """Yahoo's charts over the gateway. A ``BarSource`` and a ``DailySource``.

    Parameters
    ----------
    gateway
        With the hosts of ``yahoo_hosts``.
    """

    name = "yahoo"
    feed = "yahoo.split"

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, DATA_HOST, CIRCUIT)

    async def fetch_bars(
        self,
        symbols: Sequence[str],
        start_ns: int,
        end_ns: int,
        timeframe: str = "1Min",
        *,
        deadline_ns: int | None = None,
    ) -> Outcome[BarFrame]:
        """Fetch every bar that starts in [start_ns, end_ns), one symbol after the other; see ``BarSource``.

        A symbol that the vendor does not know has no bars.
        """
        interval, step_s = INTERVALS[timeframe]
        frames: list[BarFrame] = []
        as_of_ns: int | None = None
        for symbol in symbols:
            spelt = symbol.replace(".", "-")  # the vendor's spelling of share classes
            outcome = await self._gateway.fetch(
                DATA_HOST,
                f"/v8/finance/chart/{quote(spelt, safe='')}",
                {"period1": start_ns // NS_PER_S, "period2": -(-end_ns // NS_PER_S), "interval": interval},
                parse=partial(_parse_chart, symbol, start_ns, end_ns, step_s),
                deadline_ns=deadline_ns,
                circuit=CIRCUIT,
            )
            as_of_ns = outcome.as_of_ns
            if outcome.kind is Kind.NO_DATA:
                continue
            if outcome.value is None:
                return failed(outcome, self.name, f"{symbol}: {outcome.reason}")
            self._tally.pages += 1
            frames.append(outcome.value)
        if not frames:
            return Outcome(Kind.NO_DATA, self.name, None, "the vendor knows none of these symbols", as_of_ns)
        return value_of(join_frames(frames, as_of_ns=end_ns), source=self.name, as_of_ns=as_of_ns)

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        """Fetch the daily bars from ``first`` to ``last``, both included. See ``fetch_bars``."""
        return await self.fetch_bars(
            symbols, new_york_midnight_ns(first), new_york_midnight_ns(last + dt.timedelta(days=1)), "1Day"
        )


def _parse_chart(symbol: str, start_ns: int, end_ns: int, step_s: int, response: Response) -> BarFrame:
    """Return a chart's bars that start in the span; a daily bar starts at New York's midnight, as everywhere here."""
    results = decode(response, _Answer).chart.result
    if not results or len(results[0].indicators.quote) != 1:
        raise BadMessage("it holds no chart")
    result = results[0]
    told = result.indicators.quote[0]
    n = len(result.timestamp)
    columns = {}
    for name in ("open", "high", "low", "close", "volume"):
        numbers: _Numbers = getattr(told, name)
        if len(numbers) != n:
            raise BadMessage(f"its {name} has {len(numbers)} entries for {n} moments")
        columns[name] = np.array(numbers, np.float64)  # None becomes NaN
    starts = [_midnight_of(moment) if step_s == DAY_S else moment * NS_PER_S for moment in result.timestamp]
    event_ns = np.array(starts, np.int64)
    # Rows that are still being made have empty cells.
    is_bar = np.logical_and.reduce([columns[name] > 0 for name in ("open", "high", "low", "close")])
    is_bar &= (columns["volume"] >= 0) & (event_ns >= start_ns) & (event_ns < end_ns)
    unknown = np.full(n, np.nan)
    frame = BarFrame(
        step_s,
        YahooBars.feed,
        response.label,
        end_ns,
        (symbol,) * n,
        event_ns,
        open=columns["open"],
        high=columns["high"],
        low=columns["low"],
        close=columns["close"],
        volume=columns["volume"],
        vwap=unknown,
        trades=unknown,
    )
    return frame.take(is_bar)


def _midnight_of(moment_s: int) -> int:
    return new_york_midnight_ns(dt.datetime.fromtimestamp(moment_s, NEW_YORK).date())
