"""Alpaca's crypto: bars of pairs that are traded around the clock, newest bars, snapshots, the list of pairs.

In: pairs (BTC/USD) and a span of time.  Out: outcomes of ``BarFrame`` and ``Newest``, as of stocks.
Refuses a part of an answer. A bar of a minute without trade has volume 0 and an unknown vwap: its prices are quotes'.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from functools import partial

from tapeline.core.outcome import Outcome
from tapeline.core.types import BarFrame
from tapeline.feed.gateway import Gateway
from tapeline.feed.sources import Newest
from tapeline.feed.vendors.alpaca_pages import DATA_HOST, BarsQuestion, fetch_bar_pages
from tapeline.feed.vendors.alpaca_wire import ParseNewest, parse_crypto_snapshots, parse_latest
from tapeline.feed.vendors.shared import CountedBars, utc_midnight_ns

PATH = "/v1beta3/crypto/us"
CALENDAR = "24/7"
"""The calendar of a market that never shuts; its sessions are the days in UTC."""


def is_pair(symbol: str) -> bool:
    """Return whether a symbol is a pair's: BTC/USD."""
    return "/" in symbol


def split_markets(symbols: Iterable[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the stocks among ``symbols`` and the pairs, each in their order."""
    listed = tuple(symbols)
    return tuple(s for s in listed if not is_pair(s)), tuple(s for s in listed if is_pair(s))


class AlpacaCrypto(CountedBars):
    """Alpaca's crypto over the gateway. A ``BarSource``, a ``NewestSource`` and a ``DailySource``.

    Parameters
    ----------
    gateway
        With the hosts of ``alpaca_hosts``; the data host's limit holds for stocks and coins together.
    """

    name = "alpaca.crypto"
    feed = "crypto.us"

    def __init__(self, gateway: Gateway) -> None:
        super().__init__(gateway, DATA_HOST, self.feed)

    async def fetch_bars(
        self,
        symbols: Sequence[str],
        start_ns: int,
        end_ns: int,
        timeframe: str = "1Min",
        *,
        deadline_ns: int | None = None,
    ) -> Outcome[BarFrame]:
        """Fetch every bar that starts in [start_ns, end_ns); see ``BarSource``."""
        path = f"{PATH}/bars"
        question = BarsQuestion(self.name, path, tuple(symbols), timeframe, start_ns, end_ns, self.feed, {})
        return await fetch_bar_pages(self._gateway, question, self._tally, deadline_ns)

    async def fetch_daily(self, symbols: Sequence[str], first: dt.date, last: dt.date) -> Outcome[BarFrame]:
        """Fetch the bars of the days in UTC from ``first`` to ``last``, both included. See ``fetch_bars``."""
        end = last + dt.timedelta(days=1)
        return await self.fetch_bars(symbols, utc_midnight_ns(first), utc_midnight_ns(end), "1Day")

    async def fetch_latest(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Fetch the newest minute bar of each pair of one batch."""
        return await self._fetch_newest(f"{PATH}/latest/bars", parse_latest, symbols, deadline_ns)

    async def fetch_snapshots(self, symbols: Sequence[str], *, deadline_ns: int | None = None) -> Outcome[Newest]:
        """Fetch the newest minute bar, trade and quote of each pair of one batch."""
        return await self._fetch_newest(f"{PATH}/snapshots", parse_crypto_snapshots, symbols, deadline_ns)

    async def _fetch_newest(
        self, path: str, parse: ParseNewest, symbols: Sequence[str], deadline_ns: int | None
    ) -> Outcome[Newest]:
        outcome = await self._gateway.fetch(
            DATA_HOST,
            path,
            {"symbols": ",".join(symbols)},
            parse=partial(parse, frozenset(symbols), self.feed),
            deadline_ns=deadline_ns,
            circuit=self.feed,
        )
        self._tally.pages += outcome.is_value
        return outcome
