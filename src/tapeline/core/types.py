"""The nouns of Tapeline, each frozen, on one page.

Times are int UTC nanoseconds with the role in the name: ``event_ns`` (when it was true), ``as_of_ns`` (what a
decision was allowed to know). Missing numbers are NaN; they never become another number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]
I64 = NDArray[np.int64]

BAR_FIELDS = ("open", "high", "low", "close", "volume", "vwap", "trades")
"""The numeric columns of a bar, in the order of every table and panel."""

NS_PER_S = 1_000_000_000
MINUTE_S = 60
DAY_S = 86_400


class Label(StrEnum):
    """Where a number comes from; shown wherever the number is shown."""

    REAL = "real"
    REPAIRED = "repaired"
    """A real row whose open or close lay outside low..high and was clipped into it."""
    BRIDGED = "bridged"
    """Minutes made inside a real daily bar, so that they add up to it exactly."""
    RESAMPLED = "resampled"
    """A symbol made from blocks of real ones."""
    SIMULATED = "simulated"


class Side(StrEnum):
    """Which way an order or a fill goes."""

    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        """+1 for a buy, -1 for a sell."""
        return 1 if self is Side.BUY else -1


@dataclass(frozen=True, slots=True)
class Tick:
    """One observation of the tape: a trade. A tick is a bar of no length."""

    symbol: str
    event_ns: int
    price: float
    volume: float
    bid: float = float("nan")
    ask: float = float("nan")


@dataclass(frozen=True, slots=True)
class Bar:
    """Prices and volume of one symbol from ``event_ns`` on, for ``timeframe_s`` seconds."""

    symbol: str
    timeframe_s: int
    event_ns: int
    open: float
    high: float
    low: float
    close: float
    volume: float
    vwap: float
    trades: float
    feed: str
    label: Label
    revision: int = 0
    closed: bool = True


@dataclass(frozen=True, slots=True)
class BarFrame:
    """Rows of bars in columns: one poll, one batch, or what a worker closed.

    Row ``i`` is the bar of ``symbols[i]`` that starts at ``event_ns[i]``. Rows are in the sender's order; one symbol
    may have several.

    Attributes
    ----------
    timeframe_s
        Length of every bar in seconds; 0 for single trades (open = high = low = close).
    feed
        The vendor's feed, e.g. ``"sip"``; never mixed inside one frame.
    label
        Where the numbers come from.
    as_of_ns
        Everything that started before this moment has been asked for. Bars that end by then are closed.
    symbols
        (n,) names.
    event_ns
        int64 (n,) start of each bar.
    open, high, low, close, volume, vwap, trades
        float64 (n,). Volume is in shares; ``vwap`` may be NaN where nothing traded.
    revision
        int64 (n,) 0 for the first word on a bar, higher for corrections.
    """

    timeframe_s: int
    feed: str
    label: Label
    as_of_ns: int
    symbols: tuple[str, ...]
    event_ns: I64
    open: F64
    high: F64
    low: F64
    close: F64
    volume: F64
    vwap: F64
    trades: F64
    revision: I64 = field(default_factory=lambda: np.zeros(0, np.int64))

    def __post_init__(self) -> None:
        n = len(self.symbols)
        if self.revision.size == 0 and n:
            object.__setattr__(self, "revision", np.zeros(n, np.int64))
        for name in ("event_ns", *BAR_FIELDS, "revision"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"column {name} of a frame has shape {getattr(self, name).shape}, expected ({n},)")

    def __len__(self) -> int:
        return len(self.symbols)

    def take(self, rows: NDArray[np.intp] | NDArray[np.bool_]) -> BarFrame:
        """Return the frame of the given rows (positions or a mask), in that order."""
        picked = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        columns = {name: getattr(self, name)[picked] for name in ("event_ns", *BAR_FIELDS, "revision")}
        head = (self.timeframe_s, self.feed, self.label, self.as_of_ns)
        return BarFrame(*head, tuple(self.symbols[int(i)] for i in picked), **columns)

    def bars(self, *, closed: bool = True) -> Iterator[Bar]:
        """Yield the rows one by one; for tests and printing, not for hot paths."""
        for i, symbol in enumerate(self.symbols):
            numbers = {name: float(getattr(self, name)[i]) for name in BAR_FIELDS}
            yield Bar(
                symbol=symbol,
                timeframe_s=self.timeframe_s,
                event_ns=int(self.event_ns[i]),
                feed=self.feed,
                label=self.label,
                revision=int(self.revision[i]),
                closed=closed,
                **numbers,
            )

    @staticmethod
    def concat(frames: list[BarFrame], *, as_of_ns: int) -> BarFrame:
        """Join frames of one timeframe, feed and label, in their order."""
        if not frames:
            raise ValueError("nothing to join: an empty list has no timeframe, feed or label")
        head = frames[0]
        if any((f.timeframe_s, f.feed, f.label) != (head.timeframe_s, head.feed, head.label) for f in frames):
            raise ValueError("frames of different timeframes, feeds or labels are never mixed")
        columns = {n: np.concatenate([getattr(f, n) for f in frames]) for n in ("event_ns", *BAR_FIELDS, "revision")}
        symbols = tuple(symbol for f in frames for symbol in f.symbols)
        return BarFrame(head.timeframe_s, head.feed, head.label, as_of_ns, symbols, **columns)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A symbol that the scan puts forward, with everything that made its score.

    ``contributions`` are (factor, points) and add up to ``score``; ``freshness_s`` is the age of its last bar.
    """

    symbol: str
    rank: int
    score: float
    price: float
    atr: float
    as_of_ns: int
    freshness_s: float
    contributions: tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Headline:
    """One item of news: text from the world, which is data and never instruction."""

    symbol: str
    event_ns: int
    title: str
    publisher: str
    url: str
    label: Label


@dataclass(frozen=True, slots=True)
class Passage:
    """A piece of text that was collected: data, never instruction."""

    source: str
    event_ns: int
    text: str
    url: str
    label: Label


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one step of the collection found on a ticker.

    Attributes
    ----------
    step
        Name of the step, e.g. ``"fundamentals"``.
    symbol, source, as_of_ns
        Whom it is about, who said so, and when it was true.
    facts
        (name with its unit, value); NaN where the source has none.
    passages
        Texts, newest first.
    label
        Where it comes from.
    """

    step: str
    symbol: str
    source: str
    as_of_ns: int
    label: Label
    facts: tuple[tuple[str, float], ...] = ()
    passages: tuple[Passage, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """One question put to the evidence, and what was answered. ``cited`` are the passages or facts it rests on."""

    question: str
    source: str
    answer: str
    cited: tuple[str, ...]
    by_model: bool


@dataclass(frozen=True, slots=True)
class Dossier:
    """Everything that was thought of one ticker.

    Attributes
    ----------
    dossier_id
        Derived from its inputs, so the same inputs make the same id.
    conviction
        In [0, 1]; 0.5 is no opinion. ``prior + model_part``.
    prior, model_part
        From the numbers by rule, and what the language model added within its bound.
    action
        ``"buy"``, ``"sell"`` or ``"hold"``, from the conviction.
    price, atr
        Dollars as of ``as_of_ns``.
    scorecard
        (measure with its unit, value).
    flags
        What stands out, by rule.
    answers, summary, bull, bear, catalysts
        The four layers in words.
    degraded
        What was missing, one sentence each; a person sees it beside the conviction.
    model, llm_calls
        Which model spoke, ``""`` for rules only, and how often it was asked.
    """

    dossier_id: str
    symbol: str
    as_of_ns: int
    conviction: float
    prior: float
    model_part: float
    action: str
    price: float
    atr: float
    scorecard: tuple[tuple[str, float], ...]
    flags: tuple[str, ...]
    answers: tuple[Answer, ...]
    summary: str
    bull: str
    bear: str
    catalysts: tuple[str, ...]
    degraded: tuple[str, ...]
    model: str
    llm_calls: int
    label: Label

    def __post_init__(self) -> None:
        if not 0.0 <= self.conviction <= 1.0:
            raise ValueError(f"dossier of {self.symbol}: conviction {self.conviction} is outside 0..1")


@dataclass(frozen=True, slots=True)
class Vote:
    """One source's opinion: ``side`` in [-1, 1], ``confidence`` in (0, 1]. Sources of one group count once."""

    source: str
    group: str
    side: float
    confidence: float
    as_of_ns: int
    reason: str

    def __post_init__(self) -> None:
        if not -1.0 <= self.side <= 1.0 or not 0.0 < self.confidence <= 1.0:
            raise ValueError(f"vote of {self.source}: side {self.side} or confidence {self.confidence} out of range")


@dataclass(frozen=True, slots=True)
class Signal:
    """What a quorum of independent groups says of a symbol, and how sure it is."""

    signal_id: str
    symbol: str
    side: Side
    strength: float
    as_of_ns: int
    expires_ns: int
    regime: str
    votes: tuple[Vote, ...]
    silent: tuple[tuple[str, str], ...]
    """(source, why it had no opinion); recorded, and without weight."""


@dataclass(frozen=True, slots=True)
class Order:
    """What we ask the broker for. ``order_id`` is derived from the decision, so asking twice is asking once."""

    order_id: str
    symbol: str
    side: Side
    qty: float
    created_ns: int
    reason: str
    signal_id: str = ""


@dataclass(frozen=True, slots=True)
class Fill:
    """What the broker did: ``price`` includes slippage, ``fee`` is in dollars and on top."""

    fill_id: str
    order_id: str
    symbol: str
    side: Side
    qty: float
    price: float
    fee: float
    event_ns: int
    label: Label


@dataclass(frozen=True, slots=True)
class Position:
    """Shares held and what they cost on average, fees not included."""

    symbol: str
    qty: float
    avg_price: float


@dataclass(frozen=True, slots=True)
class Clamp:
    """A limit that changed or refused an order: which, for which symbol, from what to what."""

    limit: str
    symbol: str
    asked: float
    allowed: float


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """The audit of one decision: everything it saw and everything it chose. Holds no wall time and no random id."""

    cycle_id: str
    as_of_ns: int
    regime: str
    equity: float
    cash: float
    candidates: tuple[Candidate, ...] = ()
    signals: tuple[Signal, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()
    """(symbol, why no signal came of it)."""
    orders: tuple[Order, ...] = ()
    clamps: tuple[Clamp, ...] = ()
