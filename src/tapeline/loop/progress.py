"""How a run from discovery to trade goes: which ticker is where, since when, and what does not work.

In: what happens to tickers.  Out: the events that the journal keeps, and the picture that a person sees.
Refuses to decide anything; all its times are the market's.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Callable
from typing import Literal

from tapeline.core.clock import Clock
from tapeline.core.types import NS_PER_S
from tapeline.loop.board import LogLine, LoopStatus, TickerStage
from tapeline.store.batch import StageEvent

Mode = Literal["streaming", "sequential"]

MAX_LOG = 200
"""Lines of the log that are kept."""
MAX_DEGRADED = 50
"""Parts of which a complaint is kept; there are about twenty, so more are a flood and not worth reading."""
PHASES = ("discovery", "collection", "analysis", "trading")
"""Of a sequential run; a streaming one has the one phase ``pipeline``."""
RUN = ""
"""Stands for the run itself where a symbol is named."""
COUNTED = {"discovered": "discovered", "collected": "collected", "analyzed": "analyzed", "traded": "traded"}
"""Stage -> the counter that it raises."""


class Progress:
    """One run's progress, or that none has begun.

    Parameters
    ----------
    on_change
        Called after every change.
    """

    def __init__(self, clock: Clock, on_change: Callable[[], None]) -> None:
        self._clock, self._on_change = clock, on_change
        self.run_id = ""
        self.mode: Mode = "streaming"
        self.running = False
        self.started_ns: int | None = None
        self.phases: dict[str, str] = {}
        self.counters = dict.fromkeys(COUNTED.values(), 0)
        self.degraded: dict[str, str] = {}
        self.complaints: dict[str, str] = {}
        self._log: deque[LogLine] = deque(maxlen=MAX_LOG)
        self._history: dict[str, list[tuple[str, int]]] = {}
        self._detail: dict[str, str] = {}
        self._unsaved: list[StageEvent] = []

    def begin(self, run_id: str, mode: Mode, note: str) -> None:
        """Forget the run before and begin another."""
        self.run_id, self.mode, self.running = run_id, mode, True
        self.started_ns = self._clock.now_ns()
        self.phases = dict.fromkeys(PHASES if mode == "sequential" else ("pipeline",), "waiting")
        self.counters = dict.fromkeys(self.counters, 0)
        self._history, self._detail = {}, {}
        self.degraded, self.complaints = {}, {}
        self._keep(RUN, "started", note)
        self.say(f"a {mode} run began: {note}")

    def end(self, note: str) -> None:
        """Say that the run is over."""
        self.running = False
        self.phases = {name: "done" if state == "running" else state for name, state in self.phases.items()}
        self._keep(RUN, "finished", note)
        self.say(f"the run is over: {note}")

    def phase(self, name: str, state: str) -> None:
        """Say that a phase is ``running`` or ``done``."""
        self.phases[name] = state
        self._on_change()

    def enter(self, symbol: str, stage: str, detail: str = "", *, counts: bool = True) -> None:
        """Say that a ticker has entered a stage; ``counts`` is False when that is no success: no order came of it."""
        self._history.setdefault(symbol, []).append((stage, self._clock.now_ns()))
        self._detail[symbol] = detail
        if counts and stage in COUNTED:
            self.counters[COUNTED[stage]] += 1
        self._keep(symbol, stage, detail)
        self.say(f"{symbol} {stage}: {detail}" if detail else f"{symbol} {stage}")

    def stage_of(self, symbol: str) -> str:
        """Return the stage that a ticker is in; empty when it was not found."""
        history = self._history.get(symbol)
        return history[-1][0] if history else ""

    def complain(self, part: str, sentence: str) -> None:
        """Say of a part that it does not work; ``complaints`` keeps it for the end, ``degraded`` until it is healed."""
        if part not in self.degraded and len(self.degraded) < MAX_DEGRADED:
            self.degraded[part] = sentence
            self.complaints.setdefault(part, sentence)
            self.say(f"degraded: {sentence}")

    def heal(self, part: str) -> None:
        """Say that a part works again, if it did not."""
        if self.degraded.pop(part, None) is not None:
            self.say(f"{part} works again")

    def say(self, message: str) -> None:
        """Add a line to the log."""
        self._log.append(LogLine(time=iso(self._clock.now_ns()), message=message))
        self._on_change()

    def take_events(self) -> tuple[StageEvent, ...]:
        """Return the events that nobody has kept yet; they are the caller's to keep."""
        events, self._unsaved = tuple(self._unsaved), []
        return events

    def status(self) -> LoopStatus:
        """Return the picture as of now."""
        at_work = [name for name, state in self.phases.items() if state == "running"]
        return LoopStatus(
            running=self.running,
            mode=self.mode,
            phase=at_work[-1] if at_work else ("done" if self.started_ns is not None else "idle"),
            phases=dict(self.phases),
            started_at=None if self.started_ns is None else iso(self.started_ns),
            ticker_status={symbol: history[-1][0] for symbol, history in self._history.items()},
            counters=dict(self.counters),
            log=tuple(self._log),
            tickers=tuple(
                TickerStage(symbol=symbol, stage=history[-1][0], detail=self._detail[symbol], history=tuple(history))
                for symbol, history in self._history.items()
            ),
            degraded=tuple(self.degraded.values()),
        )

    def _keep(self, symbol: str, stage: str, detail: str) -> None:
        self._unsaved.append(StageEvent(self.run_id, symbol, stage, self._clock.now_ns(), detail))
        self._on_change()


def idle(mode: str) -> LoopStatus:
    """Return the picture before the first session: nothing has begun."""
    return LoopStatus(
        running=False,
        mode=mode,
        phase="idle",
        phases={},
        started_at=None,
        ticker_status={},
        counters=dict.fromkeys(COUNTED.values(), 0),
        log=(),
        tickers=(),
        degraded=(),
    )


def iso(moment_ns: int) -> str:
    """Return a moment as ISO 8601 in UTC, to the second."""
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC).isoformat().replace("+00:00", "Z")
