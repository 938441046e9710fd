"""What a person may see of a running node: the session writes it, the page and the API read it.

In: what happened.  Out: plain frozen rows, ready for JSON.
Refuses nothing; it decides nothing either, and nobody who decides reads it.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from tapeline.core.errors import TapelineError
from tapeline.core.types import Dossier


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A row that is shown. Times are UTC nanoseconds; a missing number is None."""


class Tile(View, frozen=True):
    """One symbol on the map of the tape."""

    symbol: str
    name: str
    """Of the company; empty when it is not known."""
    sector: str
    price: float | None
    change_pct: float | None
    """Since the previous close."""
    dollar_volume: float | None
    """Of today."""
    label: str


class ScanRow(View, frozen=True):
    """One candidate of the last scan."""

    rank: int
    symbol: str
    score: float
    price: float
    atr: float
    freshness_s: float
    contributions: tuple[tuple[str, float], ...]
    sector: str = ""
    stop: float | None = None
    target: float | None = None
    """Where a buy at ``price`` would be ended, in dollars."""
    models: dict[str, float | None] = {}
    """What each model foretells; None where it abstains."""
    is_new: bool = False
    """The scan before had it not."""
    second: dict[str, float | str | None] = {}
    """What the last closer look told: option and company; empty before the first."""


class EntrantRow(View, frozen=True):
    """A candidate that the scan before had not: an alert."""

    symbol: str
    rank: int
    score: float
    as_of_ns: int


class ScanNews(View, frozen=True):
    """What is to be said of the last scan besides its rows."""

    as_of_ns: int = 0
    scored: int = 0
    excluded: dict[str, int] = {}
    """Kind of reason -> symbols."""
    abstained: int = 0
    """Ranked symbols that the models have no opinion on."""
    left_out: tuple[str, ...] = ()
    """What the time budget did not suffice for; the scan is partial when this is not empty."""
    notes: tuple[str, ...] = ()
    new: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    moved: tuple[tuple[str, int, int], ...] = ()
    """(symbol, rank before, rank now), the largest move first."""
    entrants: tuple[EntrantRow, ...] = ()
    """Today's alerts, newest first."""
    looked_ns: int = 0
    """When the last closer look began; 0 before the first."""
    look_missing: dict[str, int] = {}
    """Reason -> how many of its answers are missing for it."""


class TickerStage(View, frozen=True):
    """A ticker on its way: discovered queued collecting collected analyzing analyzed trading traded skipped failed."""

    symbol: str
    stage: str
    detail: str
    history: tuple[tuple[str, int], ...]
    """(stage, moment it was entered), oldest first; the moment is the market's time."""


class LoopStatus(View, frozen=True):
    """How the run from discovery to trade stands."""

    running: bool
    mode: str
    phase: str
    phases: dict[str, str]
    started_at: str | None
    """ISO 8601, the market's time."""
    ticker_status: dict[str, str]
    counters: dict[str, int]
    """discovered, collected, analyzed, traded: the last counts only those of which an order came."""
    log: tuple[LogLine, ...]
    tickers: tuple[TickerStage, ...]
    degraded: tuple[str, ...]
    """What does not work, one sentence each: a dead model, dead news, a source that is limited."""


class LogLine(View, frozen=True):
    """One line of the run's log."""

    time: str
    message: str


class Holding(View, frozen=True):
    """One position."""

    symbol: str
    qty: float
    avg_price: float
    price: float | None
    value: float | None
    profit_pct: float | None


class Deal(View, frozen=True):
    """One fill, with what led to it."""

    fill_id: str
    symbol: str
    side: str
    qty: float
    price: float
    fee: float
    event_ns: int
    reason: str
    label: str


class EquityPoint(View, frozen=True):
    """The account at one moment."""

    event_ns: int
    equity: float | None
    cash: float


class Account(View, frozen=True):
    """The paper account."""

    cash: float
    equity: float | None
    holdings: tuple[Holding, ...]
    deals: tuple[Deal, ...]
    """Newest first."""
    curve: tuple[EquityPoint, ...]
    """Oldest first."""


class NodeStatus(View, frozen=True):
    """The node itself."""

    version: str
    mode: str
    """replay or live."""
    day: str
    now_ns: int
    """The market's time."""
    state: str
    """starting, history, before_open, open, closed."""
    minutes_done: int
    minutes: int
    symbols: int
    sources: dict[str, str]
    """Part -> "ok", or one sentence on what is wrong with it."""
    label: str
    """Where the minutes come from."""
    tally: dict[str, int]
    """polls, ticks, bars, signals, orders, fills, dossiers."""


class Candle(View, frozen=True):
    """One bar on a chart."""

    event_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float


class SymbolPage(View, frozen=True):
    """Everything about one symbol."""

    symbol: str
    name: str
    sector: str
    price: float | None
    change_pct: float | None
    label: str
    minutes: tuple[Candle, ...]
    days: tuple[Candle, ...]
    indicators: dict[str, tuple[float | None, ...]]
    """Name -> a value for each of ``minutes``, e.g. sma_20, rsi_14."""
    headlines: tuple[tuple[int, str, str], ...]
    """(event_ns, publisher, title), newest first."""
    deals: tuple[Deal, ...]
    holding: Holding | None
    dossier: dict[str, object] | None
    """The last dossier as JSON has it."""


class LoopBusy(TapelineError):
    """A run from discovery to trade is on its way, or asked for: only one runs at a time."""


class NodeView(Protocol):
    """What the page and the API may ask of a node: to read what it shows, and to start one run."""

    @property
    def version(self) -> int:
        """Rises with every change of anything below."""
        ...

    async def changed(self, since: int) -> int:
        """Return the version once it is above ``since``; at once when it already is."""
        ...

    def status(self) -> NodeStatus:
        """Return how the node stands."""
        ...

    def market(self) -> tuple[Tile, ...]:
        """Return a tile for every symbol of the universe, in its order; empty before the history is there."""
        ...

    def scan(self) -> tuple[ScanRow, ...]:
        """Return the candidates of the last scan, best first."""
        ...

    def scan_news(self) -> ScanNews:
        """Return what is to be said of the last scan besides its rows: alerts, changes, what is missing."""
        ...

    def account(self) -> Account:
        """Return the paper account."""
        ...

    def loop_status(self) -> LoopStatus:
        """Return how the run from discovery to trade stands."""
        ...

    def symbol(self, name: str) -> SymbolPage | None:
        """Return everything about one symbol; None when it is not in the universe."""
        ...

    def dossier(self, symbol: str) -> Dossier | None:
        """Return the last dossier of a symbol; None when there is none."""
        ...

    async def run_loop(self, max_tickers: int | None = None, mode: str | None = None) -> None:
        """Ask for a run, which begins with the next minute of the market; None takes what the configuration says.

        Raises
        ------
        LoopBusy
            When one is running or asked for already.
        BadInput
            When the number or the mode is out of range, or the session is not open.
        """
        ...
