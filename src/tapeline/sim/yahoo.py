"""Yahoo's finance pages as their readers ask for them: a cookie, a crumb, company data, statements, charts.

In: requests on Yahoo's paths, companies and the tape.  Out: Yahoo's JSON.
Refuses company data without the crumb that goes with the cookie (401), and symbols that it does not cover (404).
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Any

from tapeline.core.types import DAY_S, F64, NS_PER_S, Label
from tapeline.sim.clock import NEW_YORK, new_york_day, new_york_ns
from tapeline.sim.company import Company, Registry, epoch_s, price_of
from tapeline.sim.door import Ask, Reply
from tapeline.sim.faults import draw
from tapeline.sim.statements import total
from tapeline.sim.tape import CLOSE, HIGH, LOW, OPEN, VOLUME, Rows, Tape
from tapeline.sim.wire import WireError
from tapeline.sim.yahoo_modules import MODULES, formatted, module

COOKIE = "A3"
MAX_TYPES = 400
MAX_BARS = 20_000
GAPS = 0.02
PERIODS = {"annual": "12M", "quarterly": "3M", "trailing": "TTM"}
RANGES_D = {"1d": 1, "5d": 5, "1mo": 30, "3mo": 91, "6mo": 182, "1y": 365, "2y": 730, "5y": 1826, "10y": 3652}
INTERVALS_S = {"1m": 60, "2m": 120, "5m": 300, "15m": 900, "30m": 1_800, "60m": 3_600, "1h": 3_600, "1d": DAY_S}


@dataclass(frozen=True, slots=True)
class YahooPages:
    """The answers of all of Yahoo's hosts."""

    tape: Tape
    registry: Registry
    seed: int

    def cookie(self, ask: Ask) -> Reply:
        """Answer ``/``: a page that is not there, and the cookie that everybody wants of it."""
        where = "; Domain=.yahoo.com" if ask.headers.get("host", "").endswith("yahoo.com") else ""
        value = f"{COOKIE}=d={self._secret('cookie')}; Path=/; Max-Age=31557600{where}"
        return Reply(b"<html>Not Found</html>", None, "text/html", 404, {"Set-Cookie": value})

    def crumb(self, ask: Ask) -> Reply:
        """Answer ``/v1/test/getcrumb``."""
        if not self._has_cookie(ask):
            raise WireError(401, "Invalid Cookie")
        return Reply(self._secret("crumb").encode(), None, "text/plain")

    def summary(self, ask: Ask) -> Reply:
        """Answer ``/v10/finance/quoteSummary/{symbol}``."""
        self._check_crumb(ask)
        wanted = [name for name in ask.params.get("modules", "").split(",") if name]
        if not wanted:
            raise WireError(400, 'Missing value for the "modules" argument')
        company = self._company(ask)
        found = {}
        for name in wanted:
            fields = module(name, company, ask.now_ns) if name in MODULES else None
            if fields is not None:
                found[name] = fields if ask.params.get("formatted") == "false" else _all_formatted(fields)
        return Reply({"quoteSummary": {"result": [found], "error": None}}, Label.SIMULATED)

    def quotes(self, ask: Ask) -> Reply:
        """Answer ``/v7/finance/quote``."""
        self._check_crumb(ask)
        found = []
        for name in ask.params.get("symbols", "").split(",")[:100]:
            company = self.registry.company(self._symbol(name), ask.now_ns)
            if company is not None and not ask.loses(company.symbol):
                parts = [module(part, company, ask.now_ns) or {} for part in ("price", "summaryDetail")]
                found.append({**parts[1], **parts[0], "symbol": name})
        return Reply({"quoteResponse": {"result": found, "error": None}}, Label.SIMULATED)

    def timeseries(self, ask: Ask) -> Reply:
        """Answer ``/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}``.

        As at Yahoo the last four years or five quarters come, whatever period is asked for.
        """
        company = self._company(ask)
        types = [name for name in ask.params.get("type", "").split(",") if name][:MAX_TYPES]
        result = []
        for name in types:
            points = _points(company, name)
            entry: dict[str, Any] = {"meta": {"symbol": [ask.path["symbol"]], "type": [name]}}
            if points and draw(company.key, name, "gap") > GAPS:
                entry |= {"timestamp": [epoch_s(day) for day, _ in points], name: [_point(name, *p) for p in points]}
            result.append(entry)
        return Reply({"timeseries": {"result": result, "error": None}}, Label.SIMULATED)

    def chart(self, ask: Ask) -> Reply:
        """Answer ``/v8/finance/chart/{symbol}``: prices adjusted for splits, and closes adjusted for everything."""
        symbol = self._symbol(ask.path["symbol"])
        if symbol not in self.tape.columns or ask.loses(symbol):
            raise WireError(404, "No data found, symbol may be delisted")
        step_s = INTERVALS_S.get(ask.params.get("interval", "1d"))
        if step_s is None:
            raise WireError(422, "Invalid input - interval is not supported")
        start_ns, end_ns = self._window(ask.params, ask.now_ns)
        columns = self.tape.columns_of((symbol,))
        if step_s == DAY_S:
            rows = self.tape.daily(columns, start_ns, end_ns, ask.now_ns, "split")
            full = self.tape.daily(columns, start_ns, end_ns, ask.now_ns, "all")
        else:
            if self.tape.count_minutes(start_ns, end_ns, ask.now_ns) > MAX_BARS:
                raise WireError(422, "Invalid input - the range is too long for the interval")
            rows = self.tape.minutes(columns, start_ns, end_ns, ask.now_ns, step_s)
            full = rows
        body = self._chart(ask, symbol, rows, full.values[CLOSE, :, 0], is_daily=step_s == DAY_S)
        return Reply(body, self.tape.label(bridged=step_s != DAY_S))

    def _chart(self, ask: Ask, symbol: str, rows: Rows, adjusted: F64, *, is_daily: bool) -> dict[str, Any]:
        kept = [i for i, price in enumerate(rows.values[CLOSE, :, 0]) if price == price]
        names = {"open": OPEN, "high": HIGH, "low": LOW, "close": CLOSE}
        quote: dict[str, list[float]] = {
            name: [round(float(rows.values[field, i, 0]), 6) for i in kept] for name, field in names.items()
        }
        volume = [int(rows.values[VOLUME, i, 0]) for i in kept]
        shift_ns = int(9.5 * 3_600) * NS_PER_S if is_daily else 0
        times = [(int(rows.event_ns[i]) + shift_ns) // NS_PER_S for i in kept]
        indicators: dict[str, Any] = {"quote": [{**quote, "volume": volume}]}
        if is_daily:
            indicators["adjclose"] = [{"adjclose": [round(float(adjusted[i]), 6) for i in kept]}]
        last = price_of(self.tape, self.tape.columns[symbol], ask.now_ns)
        zone = dt.datetime.fromtimestamp(ask.now_ns // NS_PER_S, NEW_YORK)
        meta: dict[str, Any] = {
            "currency": "USD",
            "symbol": ask.path["symbol"],
            "exchangeName": "NYQ",
            "instrumentType": "EQUITY",
            "firstTradeDate": epoch_s(self.tape.market.sessions[0]),
            "regularMarketTime": ask.now_ns // NS_PER_S,
            "regularMarketPrice": last if math.isfinite(last) else None,
            "gmtoffset": int((zone.utcoffset() or dt.timedelta()).total_seconds()),
            "timezone": zone.tzname(),
            "exchangeTimezoneName": "America/New_York",
            "priceHint": 2,
            "dataGranularity": ask.params.get("interval", "1d"),
            "range": ask.params.get("range", ""),
            "validRanges": [*RANGES_D, "ytd", "max"],
        }
        if not is_daily:
            meta["tradingPeriods"] = self._periods(times, meta["gmtoffset"])
        result = {"meta": meta, "timestamp": times, "indicators": indicators}
        return {"chart": {"result": [result], "error": None}}

    def _periods(self, times: list[int], offset_s: int) -> list[list[dict[str, Any]]]:
        """Return the hours of each session that the minutes are of, one list a session."""
        market = self.tape.market
        hours = zip(market.open_ns // NS_PER_S, market.close_ns // NS_PER_S, strict=True)
        shown = [(int(start), int(end)) for start, end in hours if times and end > times[0] and start <= times[-1]]
        return [[{"timezone": "EST", "start": start, "end": end, "gmtoffset": offset_s}] for start, end in shown]

    def _window(self, params: Mapping[str, str], now_ns: int) -> tuple[int, int]:
        """Return the first and the last moment that is asked for."""
        try:
            if "period1" in params:
                start_s, end_s = int(params["period1"]), int(params.get("period2", now_ns // NS_PER_S))
                return max(start_s, 0) * NS_PER_S, min(end_s * NS_PER_S - 1, now_ns)
        except ValueError:
            raise WireError(400, "Invalid input - period1 and period2 are epoch seconds") from None
        span = params.get("range", "1mo")
        day = new_york_day(now_ns)
        if span == "max":
            return 0, now_ns
        if span == "ytd":
            return new_york_ns(dt.date(day.year, 1, 1)), now_ns
        if span not in RANGES_D:
            raise WireError(422, f"Invalid input - range {span} is not supported")
        return new_york_ns(day - dt.timedelta(days=RANGES_D[span] - 1)), now_ns

    def _company(self, ask: Ask) -> Company:
        symbol = self._symbol(ask.path["symbol"])
        company = None if ask.loses(symbol) else self.registry.company(symbol, ask.now_ns)
        if company is None:
            raise WireError(404, f"No fundamentals data found for symbol: {ask.path['symbol']}")
        return company

    def _symbol(self, name: str) -> str:
        """Return the market's spelling: Yahoo writes a class of shares with a hyphen."""
        return name if name in self.tape.columns else name.replace("-", ".")

    def _secret(self, what: str) -> str:
        return f"{int(draw(self.seed, what, 'yahoo') * 36**9):x}"[:11]

    def _has_cookie(self, ask: Ask) -> bool:
        try:
            return COOKIE in SimpleCookie(ask.headers.get("cookie", ""))
        except CookieError:
            return False

    def _check_crumb(self, ask: Ask) -> None:
        if not self._has_cookie(ask) or ask.params.get("crumb") != self._secret("crumb"):
            raise WireError(401, "Invalid Crumb")


def refusal(error: WireError) -> object:
    """Return an error as Yahoo spells it."""
    names = {401: "Unauthorized", 404: "Not Found", 429: "Too Many Requests", 422: "Unprocessable Entity"}
    code = names.get(error.status, "Bad Request" if error.status < 500 else "Internal Server Error")
    return {"finance": {"result": None, "error": {"code": code, "description": error.message}}}


def _points(company: Company, name: str) -> list[tuple[dt.date, float]]:
    """Return (end of the period, value) of one line; [] when there is no such line."""
    kind = next((kind for kind in PERIODS if name.startswith(kind)), "")
    line = name.removeprefix(kind)
    if not company.published:
        return []
    parts = company.published
    if kind == "annual":
        periods = [(dt.date(year, 12, 31), lines) for year, lines in company.years]
    elif kind == "quarterly":
        periods = [(part.end, total([part])) for part in parts[-5:]]
    elif kind == "trailing" and company.trailing:
        periods = [(parts[-1].end, company.trailing)]
    else:
        return []
    found = [(day, _line(company, line, lines)) for day, lines in periods]
    return [(day, value) for day, value in found if value is not None]


def _line(company: Company, line: str, lines: Mapping[str, int]) -> float | None:
    if line in ("DilutedEPS", "BasicEPS"):
        return round(lines["NetIncome"] / company.shares, 2)
    if line in ("DilutedAverageShares", "BasicAverageShares", "OrdinarySharesNumber", "ShareIssued"):
        return company.shares
    return lines.get(line)


def _point(name: str, day: dt.date, value: float) -> dict[str, Any]:
    kind = next(kind for kind in PERIODS if name.startswith(kind))
    reported = {"raw": value, "fmt": f"{value:,.2f}"}
    head = {"dataId": 20_000, "asOfDate": day.isoformat(), "periodType": PERIODS[kind], "currencyCode": "USD"}
    return {**head, "reportedValue": reported}


def _all_formatted(value: Any) -> Any:
    """Return a module with all its numbers in Yahoo's formatted form."""
    if isinstance(value, dict):
        if "raw" in value:
            return value
        return {key: inner if key == "maxAge" else _all_formatted(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_all_formatted(inner) for inner in value]
    return formatted(value)
