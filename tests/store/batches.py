"""Batches to write: small worlds whose every number is known."""

from __future__ import annotations

import numpy as np

from tapeline.core.outcome import Kind, nothing, value_of
from tapeline.core.types import (
    MINUTE_S,
    NS_PER_S,
    Answer,
    BarFrame,
    Candidate,
    Clamp,
    CycleRecord,
    Dossier,
    Evidence,
    Fill,
    Headline,
    Label,
    Order,
    Passage,
    Side,
    Signal,
    Vote,
)
from tapeline.store.batch import (
    DossierRecord,
    EndKind,
    EquityMark,
    Holding,
    JournalBatch,
    OrderEnd,
    Split,
    StageEvent,
    StepRecord,
)

MINUTE_NS = MINUTE_S * NS_PER_S
NAN = float("nan")


def frame(
    minute: int,
    symbols: tuple[str, ...] = ("AAA", "BBB"),
    *,
    price: float = 10.0,
    revision: int = 0,
    timeframe_s: int = MINUTE_S,
    feed: str = "sip",
) -> BarFrame:
    """Return one bar a symbol that starts in ``minute``; nothing traded at a vwap."""
    n = len(symbols)
    prices = price + np.arange(n) / 8.0
    return BarFrame(
        timeframe_s,
        feed,
        Label.BRIDGED,
        (minute + 1) * MINUTE_NS,
        symbols,
        np.full(n, minute * MINUTE_NS),
        prices,
        prices + 1.0,
        prices - 1.0,
        prices + 0.1,
        np.full(n, 100.0),
        np.full(n, NAN),
        np.full(n, 3.0),
        np.full(n, revision),
    )


def bars_batch(minute: int, **changes: object) -> JournalBatch:
    """Return the bars of one minute and the offset that they bring lane 0 to."""
    return JournalBatch(frames=(frame(minute, **changes),), offsets={0: f"{minute}-0"})  # type: ignore[arg-type]


def order(key: str = "o1", side: Side = Side.BUY, qty: float = 5.0, symbol: str = "AAA") -> Order:
    """Return an order of minute 3."""
    return Order(key, symbol, side, qty, 3 * MINUTE_NS, "signal", "s1")


def fill(key: str = "f1", order_id: str = "o1", qty: float = 5.0, minute: int = 4) -> Fill:
    """Return a buy of AAA at 10.25."""
    return Fill(key, order_id, "AAA", Side.BUY, qty, 10.25, 0.1, minute * MINUTE_NS, Label.BRIDGED)


def cycle(key: str = "c1", *, equity: float = 1000.0) -> CycleRecord:
    """Return a decision with a signal of two votes and one silent source, an order and a clamp."""
    votes = (Vote("trend", "tape", 0.5, 0.25, 1, "rising"), Vote("rss", "news", 1.0, 1.0, 2, "\u201cup\u201d"))
    signal = Signal("s1", "AAA", Side.BUY, 0.75, 3 * MINUTE_NS, 9 * MINUTE_NS, "BULL", votes, (("x", "timed out"),))
    candidate = Candidate("AAA", 1, 2.5, 10.0, NAN, 3 * MINUTE_NS, 60.0, (("trend", 2.5),))
    return CycleRecord(
        key,
        3 * MINUTE_NS,
        "BULL",
        equity,
        900.0,
        (candidate,),
        (signal,),
        (("BBB", "no quorum"),),
        (order(),),
        (Clamp("cash", "AAA", 9.0, 5.0),),
    )


def mark(key: str = "m1", *, minute: int = 5, equity: float = 1000.0, is_close: bool = False) -> EquityMark:
    """Return a statement with one line."""
    lines = (Holding("AAA", 5.0, 10.25, 10.5),)
    return EquityMark(key, minute * MINUTE_NS, equity, 948.65, 0.0, 0.1, lines, is_close)


def dossier(key: str = "d1", *, ready_ns: int = 3 * MINUTE_NS) -> DossierRecord:
    """Return a dossier with a missing number and a word in every place."""
    answer = Answer("Why?", "news", "Because.", ("n1",), by_model=True)
    head = (key, "AAA", 2 * MINUTE_NS, 0.75, 0.7, 0.05, "buy", 10.0, NAN)
    words = ("a summary", "a bull", "a bear", ("earnings",), ("news: dead",), "toy", 7, Label.SIMULATED)
    return DossierRecord("run@1", ready_ns, Dossier(*head, (("rsi_14", NAN),), ("flag",), (answer,), *words))


def steps() -> tuple[StepRecord, ...]:
    """Return a step that found something and one that did not."""
    passage = Passage("news", 1, "\u201cup\u201d", "https://example.org/a", Label.SIMULATED)
    found = Evidence("news", "AAA", "rss", 1, Label.SIMULATED, (("articles_count", 1.0), ("x", NAN)), (passage,))
    return (
        StepRecord("run@1", "AAA", "news", value_of(found, source="rss", as_of_ns=1)),
        StepRecord("run@1", "AAA", "youtube", nothing(Kind.ERROR, source="youtube", reason="dead")),
    )


def full_batch() -> JournalBatch:
    """Return a batch that has something for every table."""
    return JournalBatch(
        frames=(frame(1), frame(2)),
        offsets={0: "2-0", 1: "2-1"},
        cycles=(cycle(),),
        fills=(fill(),),
        ends=(OrderEnd("o1", EndKind.FILLED, 4 * MINUTE_NS),),
        splits=(Split("BBB", 2.0, MINUTE_NS),),
        marks=(mark(), mark("m2", minute=6, is_close=True)),
        dossiers=(dossier(),),
        steps=steps(),
        stages=(StageEvent("run@1", "AAA", "collecting", 2 * MINUTE_NS, "talk 4.0"),),
        headlines=(Headline("AAA", 1, "AAA rises", "Wire", "https://example.org/a", Label.SIMULATED),),
        meta={"seed": "7"},
    )
