"""What a run did, for people and machines. The only record that holds wall time; it never enters the journal."""

from __future__ import annotations

import math
import statistics

import msgspec

from tapeline.loop.desk import Book, Desk


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """The last line of ``demo --json``.

    Attributes
    ----------
    symbols, traded
        In the universe; with at least one bar in the session.
    polls, requests
        Cycles of the poller; HTTP requests to all vendors, history, news and retries included.
    ticks, bars
        Rows that went through the lanes; closed bars of all timeframes in the journal.
    scan_ms
        Median time of a scan of the whole universe, milliseconds of the wall. NaN (null) without a scan.
    candidates
        Distinct symbols that any scan put forward.
    signals, orders, fills
        Of the session; opening positions not counted.
    equity
        Dollars at the close.
    discovered, dossiers, llm_calls
        Tickers that the runs from discovery to trade found, the dossiers they made, the questions sent to a model.
    loop_s, loop_market_s
        Seconds of the last run: of the wall, to its last ticker decided on; of the market's clock, to its last dossier.
    degraded
        What did not work, be it for a while: one sentence of each part, with the cause.
    wall_s
        Seconds of the wall from the start of the first process to the last booked fill.
    errors
        What failed and was not healed: polls without an answer, each source once for each cause of failure however
        often it failed, tickers without history, dead letters. 0 is a clean run.
    """

    symbols: int
    traded: int
    polls: int
    requests: int
    ticks: int
    bars: int
    scan_ms: float
    candidates: int
    signals: int
    orders: int
    fills: int
    equity: float
    discovered: int
    dossiers: int
    llm_calls: int
    loop_s: float
    loop_market_s: float
    degraded: tuple[str, ...]
    wall_s: float
    errors: int


async def summarise(desk: Desk, book: Book, wall_s: float) -> Summary:
    """Count what the session did."""
    tally = book.tally
    n_lanes = (await desk.store.layout()).widest or desk.config.streams.lanes
    lanes = [await desk.store.progress(lane) for lane in range(n_lanes)]
    tally.errors += [f"lane {lane.lane} holds {lane.dead} dead letters" for lane in lanes if lane.dead]
    equity = book.portfolio.equity(book.prices)
    return Summary(
        symbols=len(book.symbols),
        traded=len(tally.traded),
        polls=tally.polls,
        requests=sum(host.requests for host in desk.vendors.stats.values()),
        ticks=tally.ticks,
        bars=tally.bars,
        scan_ms=round(statistics.median(tally.scan_ms), 2) if tally.scan_ms else math.nan,
        candidates=len(tally.candidates),
        signals=tally.signals,
        orders=tally.orders,
        fills=tally.fills,
        equity=math.nan if equity.value is None else round(equity.value, 2),
        discovered=tally.discovered,
        dossiers=tally.dossiers,
        llm_calls=tally.llm_calls,
        loop_s=round(tally.loop_s, 2),
        loop_market_s=round(tally.loop_market_s, 2),
        degraded=tuple(tally.degraded),
        wall_s=round(wall_s, 2),
        errors=len(tally.errors),
    )
