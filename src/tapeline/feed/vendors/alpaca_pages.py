"""Alpaca's answers that come in pages.

In: a question, how to read one of its pages.  Out: all pages, or why there are not all.
Refuses a part of an answer, and a server whose pages never end or lead in a circle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import numpy as np

from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import DAY_S, MINUTE_S, BarFrame
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Response, decode
from tapeline.feed.sources import PAGE_ROWS, join_frames
from tapeline.feed.vendors.alpaca_wire import BarsPage, check_asked, frame_of, rfc3339
from tapeline.feed.vendors.shared import Tally, failed

DATA_HOST = "alpaca.data"
TRADING_HOST = "alpaca.trading"
MAX_PAGES = 1_000
"""Pages of one question at most: ten million rows. More is a server that never ends."""
TIMEFRAMES_S = {"1Min": MINUTE_S, "5Min": 5 * MINUTE_S, "15Min": 15 * MINUTE_S, "1Hour": 3_600, "1Day": DAY_S}

T = TypeVar("T")
Page = tuple[T, str | None]
"""What a page holds, and the token of the next one."""


async def fetch_pages(
    gateway: Gateway,
    host: str,
    path: str,
    params: Mapping[str, str | int],
    parse: Callable[[Response], Page[T]],
    *,
    source: str,
    circuit: str,
    deadline_ns: int | None = None,
    tally: Tally | None = None,
) -> Outcome[tuple[T, ...]]:
    """Fetch a question's pages to the last one.

    Parameters
    ----------
    gateway, host, path, params, parse, circuit, deadline_ns
        See ``Gateway.fetch``; ``parse`` returns what the page holds and the token of the next one.
    source
        The name under which the outcome is told.
    tally
        Where pages are counted, also those of a question that failed later.

    Returns
    -------
    Outcome
        What each page held, at least one; or the first failure, which names its page.
    """
    tally = tally if tally is not None else Tally()
    found: list[T] = []
    tokens: set[str] = set()
    asked = dict(params)
    while len(found) < MAX_PAGES:
        outcome = await gateway.fetch(host, path, asked, parse=parse, deadline_ns=deadline_ns, circuit=circuit)
        if outcome.value is None:
            return failed(outcome, source, f"page {len(found) + 1}: {outcome.reason}")
        tally.pages += 1
        held, token = outcome.value
        found.append(held)
        if token is None:
            return value_of(tuple(found), source=source, as_of_ns=outcome.as_of_ns)
        if token in tokens:
            reason = f"page {len(found)} leads back to an earlier one"
            return nothing(Kind.ERROR, source=source, reason=reason, as_of_ns=outcome.as_of_ns)
        tokens.add(token)
        asked["page_token"] = token
    return nothing(Kind.ERROR, source=source, reason=f"more than {MAX_PAGES} pages for one question")


@dataclass(frozen=True, slots=True)
class BarsQuestion:
    """One batch, one span [start_ns, end_ns): what is asked of an endpoint of bars.

    ``feed`` stands on every row; ``extra`` are the parameters that only this endpoint has.
    """

    source: str
    path: str
    symbols: tuple[str, ...]
    timeframe: str
    start_ns: int
    end_ns: int
    feed: str
    extra: Mapping[str, str]

    def params(self) -> dict[str, str | int]:
        """Return the query. Everything the vendor would otherwise choose is named."""
        return {
            "symbols": ",".join(self.symbols),
            "timeframe": self.timeframe,
            "start": rfc3339(self.start_ns),
            # The vendor's end is included. Bars start at whole seconds, so the second before leaves `end_ns` out.
            "end": rfc3339(self.end_ns - 1),
            "limit": PAGE_ROWS,
            "sort": "asc",
            **self.extra,
        }


async def fetch_bar_pages(
    gateway: Gateway, question: BarsQuestion, tally: Tally, deadline_ns: int | None
) -> Outcome[BarFrame]:
    """Fetch all bars of a question as one frame, rows by (event_ns, symbol); empty when nothing traded."""
    outcome = await fetch_pages(
        gateway,
        DATA_HOST,
        question.path,
        question.params(),
        partial(_parse_page, question),
        source=question.source,
        circuit=question.feed,
        deadline_ns=deadline_ns,
        tally=tally,
    )
    if outcome.value is None:
        return failed(outcome, question.source, outcome.reason)
    return _joined(outcome.value, question, outcome)


def _joined(frames: Sequence[BarFrame], question: BarsQuestion, last: Outcome[Any]) -> Outcome[BarFrame]:
    """Return all pages as one frame, or an error when a bar came twice."""
    whole = join_frames(frames, as_of_ns=question.end_ns)
    symbols, event_ns = np.array(whole.symbols, dtype=np.str_), whole.event_ns
    twice = np.flatnonzero((symbols[1:] == symbols[:-1]) & (event_ns[1:] == event_ns[:-1]))
    if twice.size:
        reason = f"the bar of {symbols[twice[0]]} at {event_ns[twice[0]]} came twice"
        return nothing(Kind.ERROR, source=question.source, reason=reason, as_of_ns=last.as_of_ns)
    return value_of(whole, source=question.source, as_of_ns=last.as_of_ns)


def _parse_page(question: BarsQuestion, response: Response) -> Page[BarFrame]:
    """Return the page's rows in the vendor's order."""
    page = decode(response, BarsPage)
    by_symbol = page.bars or {}
    check_asked(by_symbol.keys(), set(question.symbols))
    frame = frame_of(
        [symbol for symbol, bars in by_symbol.items() for _ in bars],
        [bar for rows in by_symbol.values() for bar in rows],
        timeframe_s=TIMEFRAMES_S[question.timeframe],
        feed=question.feed,
        label=response.label,
        as_of_ns=question.end_ns,
    )
    if outside := np.flatnonzero((frame.event_ns < question.start_ns) | (frame.event_ns >= question.end_ns)).tolist():
        moment = rfc3339(int(frame.event_ns[outside[0]]))
        raise BadMessage(f"the bar of {frame.symbols[outside[0]]} at {moment} lies outside the span asked for")
    return frame, page.next_page_token or None
