"""What is written down: one batch is one transaction of the journal.

In: frames of closed bars with the offsets they came from, the record of a cycle, what the broker did.
Out: the same, as events in the one order in which the ledger is folded, live and after a restart.
Refuses nothing: the journal keeps every key once, whatever is written twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from tapeline.core.outcome import Outcome
from tapeline.core.types import BarFrame, CycleRecord, Dossier, Evidence, Fill, Headline, Order

IMPORTED = "import"
"""Feed of the bars that a person brought."""


class EndKind(StrEnum):
    """Why an order is no longer open."""

    FILLED = "filled"
    EXPIRED = "expired"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class OrderEnd:
    """The end of an order: from ``event_ns`` on nothing of it fills."""

    order_id: str
    kind: EndKind
    event_ns: int


@dataclass(frozen=True, slots=True)
class Split:
    """A stock split: from ``ex_ns`` on, ``new_per_old`` shares stand for one old (2.0 for 2:1, 0.1 for 1:10)."""

    symbol: str
    new_per_old: float
    ex_ns: int


@dataclass(frozen=True, slots=True)
class Holding:
    """One line of an account statement: a position and the price it was valued at, in dollars a share."""

    symbol: str
    qty: float
    avg_price: float
    price: float


@dataclass(frozen=True, slots=True)
class EquityMark:
    """The account valued at one moment, in dollars.

    ``is_close`` marks the end of a session: the daily loss is measured against it and the day's entries count from it.
    ``equity`` is NaN when a position had no price.
    """

    mark_id: str
    event_ns: int
    equity: float
    cash: float
    realised_pnl: float
    fees: float
    holdings: tuple[Holding, ...] = ()
    is_close: bool = False


@dataclass(frozen=True, slots=True)
class DossierRecord:
    """A dossier, the run that made it, and the moment from which a decision may know it."""

    run_id: str
    ready_ns: int
    dossier: Dossier


@dataclass(frozen=True, slots=True)
class StepRecord:
    """What came of one step of the collection on one symbol."""

    run_id: str
    symbol: str
    step: str
    outcome: Outcome[Evidence]


@dataclass(frozen=True, slots=True)
class StageEvent:
    """A symbol entered a stage of a run, for the reason in ``detail``."""

    run_id: str
    symbol: str
    stage: str
    event_ns: int
    detail: str


LedgerEvent = Split | Order | Fill | OrderEnd | EquityMark
"""Everything that changes an account; folding the events in their order gives the account."""


@dataclass(frozen=True, slots=True)
class JournalBatch:
    """What one transaction of the journal keeps: all of it or nothing.

    Attributes
    ----------
    frames
        Closed bars. The highest revision of a (symbol, timeframe, start) stays.
    offsets
        Lane to the last id of its closed stream that these frames contain. Moves with the bars: exactly once.
    cycles
        Records of decisions; their signals and orders are kept with them and need not be named again.
    orders
        Orders that no cycle decided (the opening positions of a replay).
    fills, ends
        What the broker did.
    splits
        Splits that the account has gone through.
    marks
        Valuations of the account.
    headlines
        What the news votes were made from.
    dossiers, steps, stages
        What a run from discovery to trade thought, what it was thought from, and how its symbols went through it.
    meta
        Facts of the run, e.g. ``seed``, ``universe``; the last word on a key stays.
    """

    frames: tuple[BarFrame, ...] = ()
    offsets: Mapping[int, str] = field(default_factory=dict)
    cycles: tuple[CycleRecord, ...] = ()
    orders: tuple[Order, ...] = ()
    fills: tuple[Fill, ...] = ()
    ends: tuple[OrderEnd, ...] = ()
    splits: tuple[Split, ...] = ()
    marks: tuple[EquityMark, ...] = ()
    headlines: tuple[Headline, ...] = ()
    dossiers: tuple[DossierRecord, ...] = ()
    steps: tuple[StepRecord, ...] = ()
    stages: tuple[StageEvent, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)

    def all_orders(self) -> tuple[Order, ...]:
        """Return the orders of the batch and of its cycles, each id once."""
        orders = (*self.orders, *(order for cycle in self.cycles for order in cycle.orders))
        return tuple({order.order_id: order for order in orders}.values())

    def ledger(self) -> Iterator[LedgerEvent]:
        """Yield what changes the account, in the order in which the journal will read it back."""
        yield from self.splits
        yield from self.all_orders()
        yield from self.fills
        yield from self.ends
        yield from self.marks
