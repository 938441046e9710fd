"""Before the bell: the universe, its history, the account, the regime.

In: a desk and a trading day.  Out: the book that the session works with.
Refuses a day without a universe; says which symbols have no history, and goes on with the others.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from tapeline.core.calendar import Session
from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.instruments import underlying_of
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import DAY_S, MINUTE_S, BarFrame, Fill, Headline, Label
from tapeline.feed.intake import Intake
from tapeline.feed.poller import Poller
from tapeline.feed.sync import fetch_history
from tapeline.feed.vendors.google_news import NEWS_HOST
from tapeline.grid import BarGrid
from tapeline.grid.index import load_index
from tapeline.loop.decide import Counted
from tapeline.loop.desk import Book, Desk, Tally
from tapeline.loop.recall import recall
from tapeline.loop.retold import told_lately
from tapeline.loop.scans import Scans
from tapeline.loop.sight import Sight, open_sight
from tapeline.scan.factors import history_sessions
from tapeline.scan.scan import TRACKED
from tapeline.signals.news import NewsRule, NewsSource
from tapeline.signals.regime import market_regime
from tapeline.store import queries
from tapeline.store.batch import JournalBatch, LedgerEvent, Split
from tapeline.streams.closed import ClosedReader
from tapeline.streams.lanes import Publisher
from tapeline.trade.broker import PaperBroker
from tapeline.trade.opening import open_account
from tapeline.trade.portfolio import Portfolio, fold

Progress = Callable[[int, int], None]

MAX_HEADLINES = 30
"""Of a symbol, that are remembered to be shown."""


async def open_book(desk: Desk, session: Session, *, fresh: bool, progress: Progress) -> Book:
    """Make the book of a trading day.

    Parameters
    ----------
    desk
        The running parts. On a logical clock the caller must be an actor.
    session
        The trading day.
    fresh
        True to open an account with positions bought at the previous close when the ledger is empty (a replay).
    progress
        Called with (batches of history done, batches in all).
    """
    config, clock = desk.config, desk.clock
    tally = Tally()
    symbols = await _universe(desk)
    before = desk.calendar.previous_session(session.day)
    sessions = history_sessions(config.scan)
    history = await fetch_history(
        desk.vendors.bars,
        symbols,
        sessions,
        before.day,
        clock=clock,
        calendar=desk.calendar,
        config=config.feed,
        progress=progress,
    )
    tally.errors += [f"history of {symbol}: {reason}" for symbol, reason in history.missing]
    days = BarGrid.empty(symbols, sessions + 1, DAY_S, track=TRACKED)
    days.apply(history.frame)
    publisher = Publisher(desk.store, config.streams.lanes, underlying_of)
    covered_ns = await publisher.open()
    if covered_ns is not None and covered_ns > session.close_ns:
        raise BadInput(f"this home has seen later days than {session.day}: choose another home for an older day")
    closed = ClosedReader(desk.store, config.streams.lanes, await desk.journal.read_offsets())
    splits = await _splits(desk, symbols, history.frame, session, days)
    sight = await open_sight(config, desk.about, desk.own, days, before, desk.features)
    minutes = await _minutes_so_far(desk, symbols, session)
    closes = _last_closes(days)
    ledger = await desk.journal.read_ledger()
    if fresh and not ledger:
        portfolio = await _opening_account(desk, sight, days, closes, before, history.frame.label, splits)
    else:
        portfolio = await _through_splits(desk, ledger, splits)
    headlines: dict[str, tuple[Headline, ...]] = {}
    book = Book(
        session=session,
        symbols=symbols,
        days=days,
        minutes=minutes,
        prices={**closes, **_last_closes(minutes)},
        portfolio=portfolio,
        regime=_regime(before),
        poller=_poller(desk, symbols, session, covered_ns, await publisher.marks_of(symbols)),
        publisher=publisher,
        intake=Intake(publisher, session, symbols, stream=desk.stream, covered_ns=covered_ns or 0),
        closed=closed,
        told_ns=covered_ns or 0,
        sources=(Counted(_news(desk, headlines), tally, NEWS_HOST),),
        broker=PaperBroker(config.trade),
        scans=Scans(sight),
        tally=tally,
        previous=closes,
        headlines=headlines,
    )
    await recall(desk.journal, book, config.scan.every_min)
    if book.told_ns > session.open_ns and book.poller.rereads:
        book.poller.resume(await told_lately(desk, closed, book.poller.covered_ns))
    return book


def _poller(
    desk: Desk, symbols: tuple[str, ...], session: Session, covered_ns: int | None, marks: Mapping[str, int]
) -> Poller:
    """Return the poller of a session, which goes on after what the lanes have."""
    return Poller(
        desk.vendors.polled,
        symbols,
        clock=desk.clock,
        calendar=desk.calendar,
        config=desk.config.feed,
        since_ns=max(session.open_ns, covered_ns or 0),
        marks={symbol: max(session.open_ns, mark) for symbol, mark in marks.items()},
    )


def _news(desk: Desk, headlines: dict[str, tuple[Headline, ...]]) -> NewsSource:
    """Return the press as a source of votes; what it said last of each symbol is remembered for those who watch."""
    rule = NewsRule(desk.config.feed.news.max_age_s, desk.config.signals.news_half_life_s)

    async def fetch(symbol: str) -> Outcome[tuple[Headline, ...]]:
        outcome = await desk.vendors.news.fetch_headlines(symbol)
        if outcome.value is not None:
            headlines[symbol] = outcome.value[:MAX_HEADLINES]
        return outcome

    return NewsSource(fetch, rule)


async def _minutes_so_far(desk: Desk, symbols: tuple[str, ...], session: Session) -> BarGrid:
    """Return the minutes of today that the journal has: none at the bell, the morning's after a restart at noon."""
    minutes = BarGrid.empty(symbols, session.minutes, MINUTE_S)
    for frame in await desk.journal.read(lambda connection: queries.bars(connection, MINUTE_S, session.open_ns)):
        minutes.apply(frame)
    return minutes


async def _universe(desk: Desk) -> tuple[str, ...]:
    """Return every active stock that the vendor lists; one that does not trade today is watched and never entered."""
    assets = await desk.vendors.bars.fetch_assets()
    if assets.value is None:
        raise Unavailable(f"the vendor did not list its stocks ({assets.kind}): {assets.reason}")
    symbols = tuple(asset.symbol for asset in assets.value)
    if not symbols:
        raise Unavailable("the vendor lists no stock: check the key's permissions")
    return symbols


def _last_closes(bars: BarGrid) -> dict[str, float]:
    """Return each symbol's last known close; a symbol without one is absent."""
    close = bars.field("close")
    known = ~np.isnan(close)
    cols = np.flatnonzero(known.any(axis=0))
    last = close.shape[0] - 1 - known[::-1, cols].argmax(axis=0) if cols.size else cols
    return dict(zip((bars.symbols[int(col)] for col in cols), close[last, cols].tolist(), strict=True))


async def _splits(
    desk: Desk, symbols: tuple[str, ...], history: BarFrame, session: Session, days: BarGrid
) -> tuple[Split, ...]:
    """Fetch the splits since the history began and bring the older bars to today's shares."""
    if not len(history):
        return ()
    first = dt.datetime.fromtimestamp(int(history.event_ns.min()) // 10**9, dt.UTC).date()
    found = await desk.vendors.bars.fetch_splits(symbols, first, session.day)
    if found.value is None:
        raise Unavailable(
            f"the vendor did not tell its splits ({found.kind}): {found.reason}; without them prices before and after "
            "a split would be compared"
        )
    for split in found.value:
        days.adjust(split.symbol, split.ex_ns, 1.0 / split.new_per_old)
    return tuple(Split(split.symbol, split.new_per_old, split.ex_ns) for split in found.value)


async def _opening_account(
    desk: Desk,
    sight: Sight,
    days: BarGrid,
    closes: dict[str, float],
    before: Session,
    label: Label,
    splits: tuple[Split, ...],
) -> Portfolio:
    """Buy the best of the previous close's scan, at that close, and book it.

    The closes are in this morning's shares, so a split of this morning is booked as one the account has gone through.
    """
    config = desk.config.trade
    scanned = sight.scan(days, None, before.close_ns, before)
    names = [candidate.symbol for candidate in scanned.candidates]
    account, batch = open_account(names, closes, config, close_ns=before.close_ns, label=label)
    known = tuple(s for s in splits if s.symbol in account.positions and s.ex_ns > before.close_ns)
    batch = replace(batch, splits=known)
    await desk.journal.write(batch)
    return Portfolio.empty(config.initial_cash).apply_batch(batch)


async def _through_splits(desk: Desk, ledger: Sequence[LedgerEvent], splits: tuple[Split, ...]) -> Portfolio:
    """Return the account of the ledger, taken through the splits that its positions have not seen, and book these.

    What was bought after a split was bought in the new shares. A split that the account knows changes nothing.
    """
    account = fold(desk.config.trade.initial_cash, ledger)
    traded_ns = {event.symbol: event.event_ns for event in ledger if isinstance(event, Fill)}
    due = tuple(s for s in splits if s.symbol in account.positions and s.ex_ns > traded_ns[s.symbol])
    batch = JournalBatch(splits=due)
    await desk.journal.write(batch)
    return account.apply_batch(batch)


def _regime(before: Session) -> Outcome[str]:
    """Return the market's regime as of the previous close, from the shipped index."""
    index = load_index()
    known = index.days <= np.datetime64(before.day)
    if not known.any() or index.days[known][-1] != np.datetime64(before.day):
        reason = f"the shipped index ends on {index.days[-1]}, before {before.day}"
        return nothing(Kind.STALE, source="regime", reason=reason, as_of_ns=before.close_ns)
    return market_regime(index.close[known], before.close_ns)
