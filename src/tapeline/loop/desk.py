"""What a session works with, and what it knows.

Built by ``app`` and ``opening``. Refuses to start or stop anything itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tapeline.core.calendar import Session, SessionCalendar
from tapeline.core.clock import Clock
from tapeline.core.config import Config
from tapeline.core.outcome import Outcome
from tapeline.core.types import BarFrame, Candidate, CycleRecord, Dossier, Fill, Headline, Label, Signal
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import HostStats
from tapeline.feed.intake import Intake, Stream
from tapeline.feed.poller import Poller
from tapeline.feed.sources import BarSource
from tapeline.feed.vendors.alpaca import AlpacaBars
from tapeline.feed.vendors.google_news import GoogleNews
from tapeline.grid import BarGrid
from tapeline.grid.about import About
from tapeline.loop.board import Deal, EquityPoint
from tapeline.loop.causes import Failures, cause_of
from tapeline.loop.deals import deals_of
from tapeline.loop.research import Research
from tapeline.loop.scans import Scans
from tapeline.scan.cache import FeatureCache
from tapeline.scan.iv import IvMemory
from tapeline.scan.own import NOTHING, Own
from tapeline.scan.second import Experts
from tapeline.signals.fanout import VoteSource
from tapeline.store.batch import DossierRecord
from tapeline.store.journal import Journal
from tapeline.streams.closed import ClosedReader
from tapeline.streams.lanes import Publisher
from tapeline.streams.store import LaneStore
from tapeline.trade.broker import Broker
from tapeline.trade.portfolio import Portfolio


@dataclass(frozen=True, slots=True)
class Vendors:
    """Who is asked: the vendors through one gateway, the language model through another."""

    gateway: Gateway
    bars: AlpacaBars
    news: GoogleNews
    model: Gateway | None = None
    """Its own, as a language model needs another patience than a vendor."""
    chain: BarSource | None = None
    """Who is polled, when that is more than ``bars``: several vendors, one behind the other."""

    @property
    def polled(self) -> BarSource:
        """Who is asked for the minutes."""
        return self.bars if self.chain is None else self.chain

    @property
    def stats(self) -> Mapping[str, HostStats]:
        """Counters by host name; live, for reading."""
        return {**self.gateway.stats, **({} if self.model is None else self.model.stats)}

    @property
    def troubles(self) -> Mapping[str, str]:
        """Host -> what its last try failed of; empty while it works."""
        gateways = (self.gateway,) if self.model is None else (self.gateway, self.model)
        return {host: gateway.trouble(host) for gateway in gateways for host in gateway.stats}


@dataclass(frozen=True, slots=True)
class Desk:
    """The running parts of a node."""

    config: Config
    clock: Clock
    calendar: SessionCalendar
    vendors: Vendors
    store: LaneStore
    journal: Journal
    research: Research = field(default_factory=Research)
    stream: Stream | None = None
    """Who is listened to beside the polls."""
    about: Mapping[str, About] = field(default_factory=dict)
    """Names, sectors and kinds by symbol."""
    own: Own = NOTHING
    """The user's parts of the scan; the settings hold the chosen strategy's already."""
    experts: Experts = field(default_factory=Experts)
    """Who is asked about the best candidates beside the session."""
    volatilities: IvMemory = field(default_factory=IvMemory)
    """What implied volatilities were before."""
    features: FeatureCache | None = None
    """Features of the scan that an earlier life of this node computed."""


@dataclass(slots=True)
class Tally:
    """What a session did, for the summary. Holds wall time, so it never enters the journal."""

    polls: int = 0
    ticks: int = 0
    bars: int = 0
    traded: set[str] = field(default_factory=set)
    candidates: set[str] = field(default_factory=set)
    scan_ms: list[float] = field(default_factory=list)
    signals: int = 0
    orders: int = 0
    fills: int = 0
    errors: list[str] = field(default_factory=list)
    """What failed and was not healed: a source that fails again and again for one cause stands there once."""
    failures: Failures = field(default_factory=Failures)
    discovered: int = 0
    dossiers: int = 0
    llm_calls: int = 0
    loop_s: float = 0.0
    """Of the wall, from the start of the last run to the last ticker traded."""
    loop_market_s: float = 0.0
    """Of the market's clock, from its start to its last dossier in the trader's hand."""
    degraded: list[str] = field(default_factory=list)
    """What did not work, one sentence each."""
    complained: set[str] = field(default_factory=set)
    """The parts that ``degraded`` speaks of."""
    label: Label = Label.REAL
    """Where the minutes come from."""

    def fail(self, part: str, reason: str) -> None:
        """Count the failure of a part; the first for its cause is an error."""
        if self.failures.is_new(part, reason):
            self.errors.append(f"{part}: {cause_of(reason)}")

    def degrade(self, part: str, sentence: str) -> None:
        """Say of a part, once, that it did not work."""
        if part not in self.complained:
            self.complained.add(part)
            self.degraded.append(sentence)


@dataclass(slots=True)
class Book:
    """What one session knows: changed by the session's own task and by no other.

    Attributes
    ----------
    session
        The trading day.
    symbols
        The universe.
    days, minutes
        The market: settled sessions with the running one last, and the minutes of today.
    prices
        Symbol to its last known price in dollars.
    portfolio
        The account, folded from the ledger.
    regime
        The market's regime as of the previous close, or why it is unknown.
    poller, publisher, intake, closed
        From the vendor to the lanes, what is streamed included, and back from the workers.
    alerts
        What the last poll found that a person should look at; empty when all is well.
    told_ns
        How far time has come in the lanes; 0 in fresh ones. A frame that takes it no further closes no minute.
    decided_ns
        As of when an earlier life last kept a decision; 0 when none did. Those that did nothing are not kept.
    sources, broker
        Who has opinions, and who works the orders.
    scans
        What each scan goes by, and what the last one found.
    unsaved
        Closed bars, minute by minute, that wait for the journal's next transaction.
    has_run
        The session's own run has ended, in this life of the node or an earlier one.
    arrived, dossiers
        Dossiers that no decision has looked at yet, and the last one of each symbol that one has.
    previous
        Symbol to its close before this session.
    candidates, signals, headlines, deals, curve, written
        For those who watch: the last scan, today's signals by id, what the press said, the fills, the account, and the
        dossiers of this life as they are made, which may be long before a decision looks at them.
    """

    session: Session
    symbols: tuple[str, ...]
    days: BarGrid
    minutes: BarGrid
    prices: dict[str, float]
    portfolio: Portfolio
    regime: Outcome[str]
    poller: Poller
    publisher: Publisher
    intake: Intake
    closed: ClosedReader
    told_ns: int
    sources: Sequence[VoteSource]
    broker: Broker
    scans: Scans
    tally: Tally = field(default_factory=Tally)
    decided_ns: int = 0
    unsaved: list[tuple[BarFrame, ...]] = field(default_factory=list)
    has_run: bool = False
    arrived: list[DossierRecord] = field(default_factory=list)
    dossiers: dict[str, DossierRecord] = field(default_factory=dict)
    previous: Mapping[str, float] = field(default_factory=dict)
    candidates: tuple[Candidate, ...] = ()
    signals: dict[str, Signal] = field(default_factory=dict)
    headlines: dict[str, tuple[Headline, ...]] = field(default_factory=dict)
    deals: list[Deal] = field(default_factory=list)
    curve: list[EquityPoint] = field(default_factory=list)
    written: dict[str, Dossier] = field(default_factory=dict)
    alerts: tuple[str, ...] = ()

    def note_fills(self, fills: Sequence[Fill]) -> None:
        """Remember fills, with their reasons, for those who watch; before they are applied to the account."""
        orders = {key: pending.order for key, pending in self.portfolio.open_orders.items()}
        self.deals += deals_of(fills, orders, self.signals)

    def note_minute(self, record: CycleRecord) -> None:
        """Remember a decision and the account after it, for those who watch."""
        self.signals.update((signal.signal_id, signal) for signal in record.signals)
        equity = self.portfolio.equity(self.prices).value
        self.curve.append(EquityPoint(event_ns=record.as_of_ns, equity=equity, cash=self.portfolio.cash))

    def mark(self, frame: BarFrame) -> None:
        """Take the closes of a frame as the last known prices."""
        self.prices.update(zip(frame.symbols, frame.close.tolist(), strict=True))
        self.tally.traded.update(frame.symbols)
        self.tally.label = frame.label
