"""Massive's aggregates: bars of one ticker over a range, and the whole market's day.

In: the tape.  Out: answers in the vendor's JSON, a page at a time, the next one behind ``next_url``.
Refuses what the vendor refuses, with its status and its ``{"status": "ERROR", "error": ...}``.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from tapeline.core.types import DAY_S, F64, MINUTE_S
from tapeline.sim.clock import new_york_ns
from tapeline.sim.door import Ask, Reply
from tapeline.sim.tape import CLOSE, Rows, Tape
from tapeline.sim.wire import INTRADAY_MIN, WireError

DEFAULT_LIMIT = 5_000
MAX_LIMIT = 50_000
NO_KEY = WireError(401, "API Key was not provided")
TICKER = re.compile(r"[A-Z0-9][A-Z0-9.\-]{0,14}")
_MS = 1_000_000


def refusal(error: WireError) -> object:
    """Return what the vendor's JSON says of an error."""
    return {"status": "ERROR", "request_id": "", "error": error.message}


@dataclass(frozen=True, slots=True)
class MassiveAggregates:
    """The answers of the aggregates."""

    tape: Tape

    def ranged(self, ask: Ask) -> Reply:
        """Answer ``/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{from}/{to}``."""
        _check_key(ask)
        ticker = ask.path["ticker"]
        if TICKER.fullmatch(ticker) is None:
            raise WireError(400, f"invalid ticker: {ticker}")
        step_s = _step_s(ask.path["multiplier"], ask.path["timespan"])
        start_ns, end_ns = _moment_ns(ask.path["start"]), _moment_ns(ask.path["end"], is_end=True)
        if end_ns < start_ns:
            raise WireError(400, "'to' must be after 'from'")
        if "cursor" in ask.params:
            start_ns = max(start_ns, _cursor_ns(ask.params["cursor"]))
        known = ticker in self.tape.columns and not ask.loses(ticker)
        found = self._bars(ticker, start_ns, end_ns, step_s, ask) if known else []
        limit = _limit(ask)
        page, rest = found[:limit], found[limit:]
        body: dict[str, Any] = {
            "ticker": ticker,
            "queryCount": len(page),
            "resultsCount": len(page),
            "adjusted": _adjusted(ask),
            "status": "OK",
            "request_id": "",
            "count": len(page),
        }
        if page:  # without any, the vendor leaves the list out
            body["results"] = page
        if rest:
            body["next_url"] = _next_url(ask, rest[0]["t"] * _MS)
        return Reply(body, self.tape.label(bridged=step_s != DAY_S))

    def grouped(self, ask: Ask) -> Reply:
        """Answer ``/v2/aggs/grouped/locale/us/market/stocks/{date}``: the day of every ticker."""
        _check_key(ask)
        midnight_ns = _moment_ns(ask.path["date"])
        names = tuple(symbol for symbol in self.tape.columns if not ask.loses(symbol))
        kind = "split" if _adjusted(ask) else "raw"
        rows = self.tape.daily(self.tape.columns_of(names), midnight_ns, midnight_ns, ask.now_ns, kind)
        found = []
        for row in range(len(rows.event_ns)):
            for name, numbers in zip(names, rows.values[:, row].T.tolist(), strict=True):
                if numbers[CLOSE] == numbers[CLOSE]:
                    found.append({"T": name, **_wire(midnight_ns, numbers)})
        counts = {"queryCount": len(found), "resultsCount": len(found), "count": len(found)}
        body = {**counts, "adjusted": _adjusted(ask), "status": "OK", "request_id": ""}
        return Reply({**body, "results": found} if found else body, self.tape.label(bridged=False))

    def _bars(self, ticker: str, start_ns: int, end_ns: int, step_s: int, ask: Ask) -> list[dict[str, Any]]:
        columns = self.tape.columns_of((ticker,))
        kind = "split" if _adjusted(ask) else "raw"
        if step_s == DAY_S:
            rows = self.tape.daily(columns, start_ns, end_ns, ask.now_ns, kind)
        else:
            rows = self.tape.minutes(columns, start_ns, end_ns, ask.now_ns, step_s)
            rows = rows if kind == "raw" else self.tape.adjust_minutes(rows, columns, kind, ask.now_ns)
        found = _listed(rows)
        return found[::-1] if ask.params.get("sort") == "desc" else found


def _listed(rows: Rows) -> list[dict[str, Any]]:
    values: F64 = rows.values[:, :, 0]
    traded = np.flatnonzero(~np.isnan(values[CLOSE])).tolist()
    return [_wire(int(rows.event_ns[row]), values[:, row].tolist()) for row in traded]


def _wire(start_ns: int, numbers: list[float]) -> dict[str, Any]:
    o, h, low, c, v, vw, n = numbers
    told: dict[str, Any] = {"v": v, "o": o, "c": c, "h": h, "l": low, "t": start_ns // _MS}
    return {**told, **({"vw": vw} if vw == vw else {}), **({"n": int(n)} if n == n else {})}


def _check_key(ask: Ask) -> None:
    if not ask.headers.get("authorization", "").startswith("Bearer ") and not ask.params.get("apiKey"):
        raise NO_KEY


def _step_s(multiplier: str, timespan: str) -> int:
    if multiplier.isascii() and multiplier.isdigit():
        count = int(multiplier)
        if timespan == "day" and count == 1:
            return DAY_S
        minutes = {"minute": count, "hour": count * 60}.get(timespan, 0)
        if minutes in INTRADAY_MIN:
            return minutes * MINUTE_S
    raise WireError(400, f"invalid range: {multiplier} {timespan}")


def _moment_ns(text: str, *, is_end: bool = False) -> int:
    """Return a plain date's midnight in New York, its end for the end of a range, or a moment in milliseconds."""
    try:
        if text.isascii() and text.isdigit() and len(text) > 8:
            return int(text) * _MS
        day = dt.date.fromisoformat(text)
        return new_york_ns(day + dt.timedelta(days=1)) - 1 if is_end else new_york_ns(day)
    except (ValueError, OverflowError):
        raise WireError(400, f"could not parse the time {text[:40]!r}") from None


def _limit(ask: Ask) -> int:
    text = ask.params.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= MAX_LIMIT:
        raise WireError(400, f"limit must be a number from 1 to {MAX_LIMIT}")
    return int(text)


def _adjusted(ask: Ask) -> bool:
    return ask.params.get("adjusted", "true").lower() != "false"


def _next_url(ask: Ask, start_ns: int) -> str:
    """Return the path of the next page; like the vendor's, it holds everything but the key."""
    cursor = base64.urlsafe_b64encode(str(start_ns).encode()).decode()
    host = ask.headers.get("host", "127.0.0.1")
    kept = "".join(f"&{name}={ask.params[name]}" for name in ("adjusted", "sort", "limit") if name in ask.params)
    parts = (ask.path[name] for name in ("ticker", "multiplier", "timespan", "start", "end"))
    ticker, multiplier, timespan, start, end = parts
    return f"http://{host}/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{start}/{end}?cursor={cursor}{kept}"


def _cursor_ns(text: str) -> int:
    try:
        return int(base64.urlsafe_b64decode(text.encode()))
    except (ValueError, binascii.Error):
        raise WireError(400, "invalid cursor") from None
