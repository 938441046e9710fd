"""Alpaca's market data: bars, newest bars, newest trades and quotes, snapshots, corporate actions.

In: the tape.  Out: answers in the vendor's JSON, a page at a time, ``limit`` counted over all symbols.
Refuses recent prices of the consolidated feed to an account on the free plan, as the vendor does.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np

from tapeline.core.types import DAY_S, F64, MINUTE_S, NS_PER_S, Label
from tapeline.sim.clock import new_york_day, new_york_ns
from tapeline.sim.door import Ask, Reply
from tapeline.sim.tape import CLOSE, MINUTE_NS, TRADES, VOLUME, Rows, Tape
from tapeline.sim.wire import (
    BarQuery,
    PageToken,
    WireBar,
    WireError,
    check_symbol,
    parse_choice,
    parse_symbols,
    to_rfc3339,
    wire_bar,
)

Plan = Literal["basic", "plus"]
SIP_DELAY_NS = 15 * MINUTE_NS
"""What the free plan may not see of the consolidated feed."""
LAST_TRADE_NS = MINUTE_NS - NS_PER_S
"""A bar's closing trade is put one second before the minute's end."""
QUOTE_HALF_SPREAD = 1e-4
"""Simulated quotes stand this fraction of the price around the last trade, at least a cent."""

NO_KEYS = WireError(403, "forbidden.")
NO_RECENT_SIP = WireError(403, "subscription does not permit querying recent SIP data", 42210000)


@dataclass(frozen=True, slots=True)
class AlpacaData:
    """The answers of the data host. ``plan`` is the account's: ``basic`` is the free one.

    Both feeds tell the same prices and volumes: the source knows no single venue.
    """

    tape: Tape
    plan: Plan = "basic"

    def bars(self, ask: Ask) -> Reply:
        """Answer ``/v2/stocks/bars``."""
        query = self._query(ask, parse_symbols(ask.params.get("symbols", "")))
        bars, token = read_page(self.tape, query, ask)
        return Reply({"bars": bars, "next_page_token": token}, self._label(query, ask.now_ns))

    def symbol_bars(self, ask: Ask) -> Reply:
        """Answer ``/v2/stocks/{symbol}/bars``; a symbol without bars gives null."""
        symbol = check_symbol(ask.path["symbol"])
        query = self._query(ask, (symbol,))
        bars, token = read_page(self.tape, query, ask)
        body = {"bars": bars.get(symbol), "symbol": symbol, "next_page_token": token}
        return Reply(body, self._label(query, ask.now_ns))

    def latest_bars(self, ask: Ask) -> Reply:
        """Answer ``/v2/stocks/bars/latest``."""
        return Reply({"bars": self._latest(ask, "bar")}, self.tape.label(bridged=True))

    def latest_trades(self, ask: Ask) -> Reply:
        """Answer ``/v2/stocks/trades/latest``: the close of the newest bar."""
        return Reply({"trades": self._latest(ask, "trade")}, self.tape.label(bridged=True))

    def latest_quotes(self, ask: Ask) -> Reply:
        """Answer ``/v2/stocks/quotes/latest``: a simulated spread around the newest close."""
        return Reply({"quotes": self._latest(ask, "quote")}, Label.SIMULATED)

    def snapshots(self, ask: Ask) -> Reply:
        """Answer ``/v2/stocks/snapshots``; what a symbol lacks is null."""
        symbols = self._known(ask)
        starts, last = self.tape.last_minute(ask.now_ns)
        days = _last_two_days(self.tape, self.tape.columns_of(symbols), ask.now_ns)
        body = {}
        for i, symbol in enumerate(symbols):
            column = self.tape.columns[symbol]
            newest = _newest(int(starts[column]), last[:, column])
            body[symbol] = {
                "latestTrade": newest["trade"],
                "latestQuote": newest["quote"],
                "minuteBar": newest["bar"],
                "dailyBar": days[1][i],
                "prevDailyBar": days[0][i],
            }
        return Reply(body, self.tape.label(bridged=True))

    def corporate_actions(self, ask: Ask) -> Reply:
        """Answer ``/v1/corporate-actions`` with the splits whose ex-date has come."""
        wanted = set(parse_symbols(ask.params["symbols"])) if ask.params.get("symbols") else None
        today = new_york_day(ask.now_ns)
        found: dict[str, list[dict[str, object]]] = {"forward_splits": [], "reverse_splits": []}
        for action in self.tape.market.corporate_actions:
            if action.kind != "split" or action.ex_date > today or (wanted is not None and action.symbol not in wanted):
                continue
            day = action.ex_date.isoformat()
            entry = {"symbol": action.symbol, "ex_date": day, "process_date": day}
            if action.ratio < 1:
                rates = {"cusip": "", "new_rate": round(1 / action.ratio, 6), "old_rate": 1}
                found["forward_splits"].append(entry | rates)
            else:
                rates = {"old_cusip": "", "new_cusip": "", "new_rate": 1, "old_rate": round(action.ratio, 6)}
                found["reverse_splits"].append(entry | rates)
        actions = {kind: entries for kind, entries in found.items() if entries}
        return Reply({"corporate_actions": actions, "next_page_token": None}, Label.REAL)

    def _query(self, ask: Ask, symbols: tuple[str, ...]) -> BarQuery:
        """Read the parameters of a request for bars; without ``feed`` it is the consolidated one, as documented."""
        newest_ns = ask.now_ns
        barred = parse_choice(ask.params, "feed", ("sip", "iex")) == "sip" and self.plan == "basic"
        if barred:
            newest_ns -= SIP_DELAY_NS
        midnight_ns = new_york_ns(new_york_day(ask.now_ns))
        query = BarQuery.parse(ask.params, symbols, default_start_ns=midnight_ns, default_end_ns=newest_ns)
        if barred and query.end_ns > newest_ns:
            raise NO_RECENT_SIP
        return query

    def _known(self, ask: Ask) -> tuple[str, ...]:
        """Return the symbols of a request for the newest prices that the market has."""
        feeds = ("iex", "sip") if self.plan == "basic" else ("sip", "iex")
        if parse_choice(ask.params, "feed", feeds) == "sip" and self.plan == "basic":
            raise NO_RECENT_SIP
        symbols = parse_symbols(ask.params.get("symbols", ""))
        return tuple(symbol for symbol in symbols if symbol in self.tape.columns and not ask.loses(symbol))

    def _latest(self, ask: Ask, what: str) -> dict[str, object]:
        symbols = self._known(ask)
        starts, bars = self.tape.last_minute(ask.now_ns)
        columns = {symbol: self.tape.columns[symbol] for symbol in symbols}
        return {s: _newest(int(starts[c]), bars[:, c])[what] for s, c in columns.items() if starts[c]}

    def _label(self, query: BarQuery, now_ns: int) -> Label:
        """Say where the bars come from by what was asked, so that all batches of one poll say the same."""
        if query.timeframe_s != DAY_S:
            return self.tape.label(bridged=True)
        row = self.tape.session_row(now_ns)
        with_today = row is not None and query.start_ns <= new_york_ns(new_york_day(now_ns)) <= query.end_ns
        return self.tape.label(bridged=with_today and self.tape.today(now_ns) is not None)


def read_page(tape: Tape, query: BarQuery, ask: Ask) -> tuple[dict[str, list[WireBar]], str | None]:
    """Return one page of bars of stocks; see ``fill_page``."""
    names = [s for s in query.symbols if s in tape.columns and not ask.loses(s)]
    read = partial(read_rows, tape, query, now_ns=ask.now_ns)
    return fill_page(names, count_rows(tape, query, ask.now_ns), read, query)


def fill_page(
    names: Sequence[str], rows_each: int, read: Callable[[tuple[str, ...]], Rows], query: BarQuery
) -> tuple[dict[str, list[WireBar]], str | None]:
    """Return one page of bars, symbol by symbol and in time inside each, and the token of the next page or None.

    Symbols, sorted, are read in chunks that just fill the page, so a page costs what it holds however much was asked
    for. ``rows_each`` is at least the rows that one of them may have.
    """
    if query.after is not None:
        names = [s for s in names if s >= query.after.symbol]
    chunk = query.limit // max(1, rows_each) + 1 if rows_each < query.limit else 1
    page: dict[str, list[WireBar]] = {}
    room = query.limit
    served: PageToken | None = None
    for at in range(0, len(names), chunk):
        some = tuple(names[at : at + chunk])
        for symbol, starts, table in _tables(read(some), some, query):
            if room < len(starts):
                page |= {symbol: _wire(starts[:room], table[:room])} if room else {}
                served = PageToken(symbol, starts[room - 1]) if room else served
                return page, served.encode() if served is not None else None
            if starts:
                page[symbol] = _wire(starts, table)
                room -= len(starts)
                served = PageToken(symbol, starts[-1])
    return page, None


def read_rows(tape: Tape, query: BarQuery, symbols: tuple[str, ...], now_ns: int) -> Rows:
    """Return the bars that a query asks for, of some of its symbols."""
    columns = tape.columns_of(symbols)
    if query.timeframe_s == DAY_S:
        return tape.daily(columns, query.start_ns, query.end_ns, now_ns, query.adjustment)
    rows = tape.minutes(columns, query.start_ns, query.end_ns, now_ns, query.timeframe_s)
    return rows if query.adjustment == "raw" else tape.adjust_minutes(rows, columns, query.adjustment, now_ns)


def count_rows(tape: Tape, query: BarQuery, now_ns: int) -> int:
    """Return how many bars one symbol may have at most in what a query asks for."""
    if query.timeframe_s == DAY_S:
        return min(tape.past_rows(now_ns) + 1, (query.end_ns - query.start_ns) // (DAY_S * NS_PER_S) + 1)
    return tape.count_minutes(query.start_ns, query.end_ns, now_ns) * MINUTE_S // query.timeframe_s


def _tables(rows: Rows, symbols: tuple[str, ...], query: BarQuery) -> list[tuple[str, list[int], list[list[float]]]]:
    """Return each symbol's bars as plain lists in the order of the answer, without those of earlier pages."""
    event_ns, values = rows.event_ns, rows.values
    if query.descending:
        event_ns, values = event_ns[::-1], values[:, ::-1]
    starts = event_ns.tolist()
    tables = []
    for symbol, table in zip(symbols, values.transpose(2, 1, 0).tolist(), strict=True):
        kept = [i for i, numbers in enumerate(table) if numbers[CLOSE] == numbers[CLOSE]]
        after = query.after
        if after is not None and symbol == after.symbol:
            kept = [i for i in kept if (starts[i] < after.event_ns) == query.descending and starts[i] != after.event_ns]
        tables.append((symbol, [starts[i] for i in kept], [table[i] for i in kept]))
    return tables


def _wire(starts: list[int], table: list[list[float]]) -> list[WireBar]:
    return [wire_bar(to_rfc3339(start), numbers) for start, numbers in zip(starts, table, strict=True)]


def _newest(start_ns: int, bar: F64) -> dict[str, object]:
    """Return the newest bar, trade and quote of a symbol, each None where nothing has traded."""
    if start_ns == 0:
        return {"bar": None, "trade": None, "quote": None}
    price = float(bar[CLOSE])
    spread = max(0.01, round(price * QUOTE_HALF_SPREAD, 2))
    trade_ns = start_ns + LAST_TRADE_NS
    t = to_rfc3339(trade_ns)
    size = max(1, int(bar[VOLUME] // max(1.0, float(bar[TRADES]))))
    quote = {"ax": "V", "ap": round(price + spread, 4), "as": 1, "bx": "V", "bp": round(max(price - spread, 0.01), 4)}
    return {
        "bar": wire_bar(to_rfc3339(start_ns), bar.tolist()),
        "trade": {"t": t, "x": "V", "p": price, "s": size, "c": ["@"], "i": trade_ns // NS_PER_S, "z": "C"},
        "quote": {"t": t, **quote, "bs": 1, "c": ["R"], "z": "C"},
    }


def _last_two_days(tape: Tape, columns: np.ndarray, now_ns: int) -> tuple[list[WireBar | None], list[WireBar | None]]:
    """Return the daily bars of the newest session that has begun and of the one before, null where there is none."""
    rows = tape.daily(columns, tape.two_sessions_ago_ns(now_ns), now_ns, now_ns)
    days: list[list[WireBar | None]] = []
    for row in range(max(0, len(rows.event_ns) - 2), len(rows.event_ns)):
        t = to_rfc3339(int(rows.event_ns[row]))
        bars = rows.values[:, row].T.tolist()
        days.append([wire_bar(t, bar) if bar[CLOSE] == bar[CLOSE] else None for bar in bars])
    absent: list[WireBar | None] = [None] * len(columns)
    padded = [absent, absent, *days]
    return padded[-2], padded[-1]
