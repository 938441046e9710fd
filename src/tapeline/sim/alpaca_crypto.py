"""Alpaca's crypto: bars, newest bars, trades and quotes, snapshots.

In: the coins' tape.  Out: answers in the vendor's JSON, a page at a time. Nobody needs a key to ask.
Refuses symbols that are no pair, as the vendor does; a pair that is not traded here is absent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from tapeline.core.types import DAY_S, NS_PER_S, Label
from tapeline.sim.alpaca_data import LAST_TRADE_NS, fill_page
from tapeline.sim.crypto import DAY_NS, FIRST_NS, PAIRS, CryptoTape, newest_ns
from tapeline.sim.door import Ask, Reply
from tapeline.sim.tape import CLOSE, TRADES, VOLUME, Rows
from tapeline.sim.wire import BarQuery, WireBar, WireError, parse_symbols, to_rfc3339, wire_bar

SPELLING = re.compile(r"[A-Z0-9]{2,10}/[A-Z]{3,6}")
LOCATIONS = ("us", "us-1", "eu-1")
HALF_SPREAD = 5e-4
"""Simulated quotes stand this fraction of the price around it."""


@dataclass(frozen=True, slots=True)
class AlpacaCrypto:
    """The answers about coins."""

    tape: CryptoTape

    def bars(self, ask: Ask) -> Reply:
        """Answer ``/v1beta3/crypto/{loc}/bars``."""
        symbols = _asked(ask)
        midnight_ns = ask.now_ns // DAY_NS * DAY_NS
        query = BarQuery.parse(ask.params, symbols, default_start_ns=midnight_ns, default_end_ns=ask.now_ns)
        step_ns = query.timeframe_s * NS_PER_S
        span_ns = query.limit * step_ns  # every step has a bar, so no page reaches farther

        def read(some: tuple[str, ...]) -> Rows:
            start_ns, end_ns = max(query.start_ns, FIRST_NS), min(query.end_ns, newest_ns(ask.now_ns))
            if query.after is not None and some[0] == query.after.symbol and len(some) == 1:
                if query.descending:
                    end_ns = min(end_ns, query.after.event_ns)
                else:
                    start_ns = max(start_ns, query.after.event_ns)
            if query.descending:
                start_ns = max(start_ns, end_ns - span_ns - step_ns)
            else:
                end_ns = min(end_ns, start_ns + span_ns + step_ns)
            return self.tape.bars(some, start_ns, end_ns, ask.now_ns, query.timeframe_s)

        names = [symbol for symbol in symbols if symbol in PAIRS and not ask.loses(symbol)]
        rows_each = max(0, min(query.end_ns, ask.now_ns) - max(query.start_ns, FIRST_NS)) // step_ns + 1
        page, token = fill_page(names, rows_each, read, query)
        return Reply({"bars": page, "next_page_token": token}, Label.SIMULATED)

    def latest_bars(self, ask: Ask) -> Reply:
        """Answer ``/v1beta3/crypto/{loc}/latest/bars``."""
        return Reply({"bars": {s: told["minuteBar"] for s, told in self._newest(ask).items()}}, Label.SIMULATED)

    def latest_trades(self, ask: Ask) -> Reply:
        """Answer ``/v1beta3/crypto/{loc}/latest/trades``."""
        return Reply({"trades": {s: told["latestTrade"] for s, told in self._newest(ask).items()}}, Label.SIMULATED)

    def latest_quotes(self, ask: Ask) -> Reply:
        """Answer ``/v1beta3/crypto/{loc}/latest/quotes``."""
        return Reply({"quotes": {s: told["latestQuote"] for s, told in self._newest(ask).items()}}, Label.SIMULATED)

    def snapshots(self, ask: Ask) -> Reply:
        """Answer ``/v1beta3/crypto/{loc}/snapshots``."""
        return Reply({"snapshots": self._newest(ask)}, Label.SIMULATED)

    def _newest(self, ask: Ask) -> dict[str, Any]:
        """Return a snapshot of each pair that was asked for."""
        told = {}
        for symbol in _asked(ask):
            if symbol not in PAIRS or ask.loses(symbol):
                continue
            newest = newest_ns(ask.now_ns)
            minute = self.tape.bars((symbol,), newest, newest, ask.now_ns)
            days = _wire(self.tape.bars((symbol,), newest - 2 * DAY_NS, newest, ask.now_ns, DAY_S))
            told[symbol] = {**_prices(minute), "dailyBar": days[-1], "prevDailyBar": days[-2]}
        return told


def _asked(ask: Ask) -> tuple[str, ...]:
    if ask.path["loc"] not in LOCATIONS:
        raise WireError(400, f"invalid location: {ask.path['loc'][:20]}")
    return parse_symbols(ask.params.get("symbols", ""), SPELLING)


def _wire(rows: Rows) -> list[WireBar]:
    values = rows.values[:, :, 0].T.tolist()
    return [wire_bar(to_rfc3339(int(t)), bar) for t, bar in zip(rows.event_ns, values, strict=True)]


def _prices(minute: Rows) -> dict[str, Any]:
    """Return a minute's bar with the trade and the quote at its end; without trades the price is the quote's middle."""
    (bar,) = _wire(minute)
    price, trades = float(minute.values[CLOSE, 0, 0]), float(minute.values[TRADES, 0, 0])
    size = round(float(minute.values[VOLUME, 0, 0]) / max(1.0, trades), 9)
    end_ns = int(minute.event_ns[0]) + LAST_TRADE_NS
    t, digits = to_rfc3339(end_ns), 9
    quote = {"bp": round(price * (1.0 - HALF_SPREAD), digits), "ap": round(price * (1.0 + HALF_SPREAD), digits)}
    return {
        "minuteBar": bar,
        "latestTrade": {"t": t, "p": price, "s": size, "i": end_ns // NS_PER_S, "tks": "B"},
        "latestQuote": {"t": t, **quote, "bs": size, "as": size},
    }
