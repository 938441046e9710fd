"""The market's minutes, on time, complete, each exactly once.

In: a source of bars, symbols, a clock.  Out: one ``PollReport`` per cycle: a frame of closed bars, and by name who had
no trade and who is missing, with the reason.
Refuses a configuration that cannot finish its cycle inside the rate limit, and to forget: a batch that fails keeps its
watermark, so the next cycle asks for its minutes again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import numpy as np

from tapeline.core.calendar import Session
from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput, ConfigError
from tapeline.core.outcome import Outcome
from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame, Label
from tapeline.feed.handover import share_out
from tapeline.feed.sources import PAGE_ROWS, BarSource, batches, least_real

MINUTE_NS = MINUTE_S * NS_PER_S
UNSEEN_MINUTES = 2
"""A minute that no symbol has may not be out yet: only this long after its end is it taken as empty."""
LEFTOVER_MINUTES = 15
"""After the close, this long, cycles go on while some minute of the session is not covered."""


class Calendar(Protocol):
    """Knows when the market is open."""

    def next_session(self, moment_ns: int) -> Session:
        """Return the session that is open at ``moment_ns`` or opens next."""
        ...


@dataclass(frozen=True, slots=True)
class PollReport:
    """What one cycle brought.

    Attributes
    ----------
    frame
        Closed bars, by (event_ns, symbol). ``as_of_ns`` is how far the feed is known to reach: no batch will bring an
        earlier bar, except for symbols in ``missing``. Later cycles bring theirs, older than that frame's ``as_of_ns``.
    requests, pages
        Sent and received for this cycle, retries included in requests.
    missing
        (symbol, reason) of every symbol whose batch failed; its minutes are asked for again.
    no_trade
        Symbols without a bar in the last minute of the frame, though others have one.
    outcomes
        Of the batches that were asked, in order; without value where symbols are missing.
    started_ns, ended_ns
        When the cycle began and ended, on the clock.
    """

    frame: BarFrame
    requests: int
    pages: int
    missing: tuple[tuple[str, str], ...]
    no_trade: tuple[str, ...]
    outcomes: tuple[Outcome[BarFrame], ...]
    started_ns: int
    ended_ns: int


@dataclass(slots=True)
class _Batch:
    """Symbols that share a request, and the moment up to which every bar of theirs was asked for and answered."""

    symbols: tuple[str, ...]
    covered_ns: int


@dataclass(frozen=True, slots=True)
class _Span:
    """What to ask for a batch: [start_ns, end_ns), inside one session."""

    batch: _Batch
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class _Found:
    """What the batches of one cycle brought."""

    frames: list[BarFrame] = field(default_factory=list)
    answered: list[_Span] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)


class Poller:
    """Polls minute bars of many symbols in batches.

    Parameters
    ----------
    source
        Who is asked.
    symbols
        The universe; order does not matter.
    clock
        On a logical clock, the caller of ``cycle`` must be an actor.
    calendar
        When the market is open. Minutes outside its sessions are not asked for.
    config
        Batches, concurrency, limits.
    since_ns
        Everything that ended by then is known already, e.g. from the journal.

    Raises
    ------
    ConfigError
        When a cycle needs more requests than the limit allows, or the publish delay exceeds a minute.
    BadInput
        For an empty universe or a symbol that no URL can carry.
    """

    def __init__(
        self,
        source: BarSource,
        symbols: Sequence[str],
        *,
        clock: Clock,
        calendar: Calendar,
        config: FeedConfig,
        since_ns: int,
    ) -> None:
        if not symbols:
            raise BadInput("there is no symbol to poll")
        self._source = source
        self._clock = clock
        self._calendar = calendar
        self._config = config
        self._step_ns = max(1, math.ceil(config.cycle_s / MINUTE_S)) * MINUTE_NS
        start_ns = _minute(since_ns)
        self._batches = [_Batch(batch, start_ns) for batch in batches(symbols, config.batch_size)]
        self._label = Label.REAL
        check_feasible([len(batch.symbols) for batch in self._batches], config)

    @property
    def covered_ns(self) -> int:
        """The watermark: every symbol's bars that ended by then were asked for and answered."""
        return min(batch.covered_ns for batch in self._batches)

    def watermarks(self) -> dict[str, int]:
        """Return the watermark of each symbol, in UTC nanoseconds."""
        return {symbol: batch.covered_ns for batch in self._batches for symbol in batch.symbols}

    def next_poll_ns(self, now_ns: int) -> int:
        """Return the first moment after ``now_ns`` to run a cycle: a little after a minute of a session ended.

        ``feed.cycle_s`` rounds up to whole minutes from the open on; the close is always polled. When minutes of the
        session are still not covered then, there is a cycle in each of the ``LEFTOVER_MINUTES`` that follow.
        """
        delay_ns = round(self._config.publish_delay_s * NS_PER_S)
        # The session whose last minute is yet to be polled may have closed a moment ago.
        asked_ns = now_ns - delay_ns
        behind = self._calendar.next_session(self.covered_ns)
        if behind.close_ns <= asked_ns < behind.close_ns + LEFTOVER_MINUTES * MINUTE_NS:
            return _minute(asked_ns) + MINUTE_NS + delay_ns
        session = self._calendar.next_session(asked_ns)
        steps = max(1, (asked_ns - session.open_ns) // self._step_ns + 1)
        return min(session.open_ns + steps * self._step_ns, session.close_ns) + delay_ns

    async def cycle(self, as_of_ns: int) -> PollReport:
        """Ask for every minute that ended by ``as_of_ns`` and is not covered yet.

        In: the watermark of each batch.   Out: one report; at most ``feed.max_catch_up_min`` minutes per batch.
        Concurrency: ``feed.max_concurrent_batches`` requests in flight.
        Failure: a batch without an answer within ``feed.cycle_s`` makes its symbols ``missing`` and stays where it was.
        """
        started_ns = self._clock.now_ns()
        requests, pages = self._source.requests, self._source.pages
        minute_ns = _minute(as_of_ns)
        spans = self._spans(minute_ns)
        deadline_ns = started_ns + round(self._config.cycle_s * NS_PER_S)
        outcomes = await share_out(
            self._clock, spans, self._config.max_concurrent_batches, partial(self._fetch, deadline_ns)
        )
        frame, found = self._settle(minute_ns, spans, outcomes)
        return PollReport(
            frame=frame,
            requests=self._source.requests - requests,
            pages=self._source.pages - pages,
            missing=tuple(sorted(found.missing)),
            no_trade=_no_trade(frame, found.answered),
            outcomes=tuple(outcomes),
            started_ns=started_ns,
            ended_ns=self._clock.now_ns(),
        )

    async def _fetch(self, deadline_ns: int, span: _Span) -> Outcome[BarFrame]:
        return await self._source.fetch_bars(
            span.batch.symbols, span.start_ns, span.end_ns, "1Min", deadline_ns=deadline_ns
        )

    def _spans(self, as_of_ns: int) -> list[_Span]:
        """Return what is to be asked now; a batch that is covered as far as the market has come asks nothing."""
        catch_up_ns = self._config.max_catch_up_min * MINUTE_NS
        sessions: dict[int, Session] = {}
        spans: list[_Span] = []
        for batch in self._batches:
            if batch.covered_ns not in sessions:
                sessions[batch.covered_ns] = self._calendar.next_session(batch.covered_ns)
            session = sessions[batch.covered_ns]
            start_ns = max(batch.covered_ns, session.open_ns)
            end_ns = min(as_of_ns, session.close_ns, start_ns + catch_up_ns)
            if start_ns < end_ns:
                spans.append(_Span(batch, start_ns, end_ns))
        return spans

    def _settle(self, minute_ns: int, spans: list[_Span], outcomes: list[Outcome[BarFrame]]) -> tuple[BarFrame, _Found]:
        """Move the watermarks of the batches that answered, and join what they brought."""
        found = _Found()
        for span, outcome in zip(spans, outcomes, strict=True):
            if outcome.value is None:
                reason = f"{outcome.kind}: {outcome.reason}"
                found.missing.extend((symbol, reason) for symbol in span.batch.symbols)
            else:
                found.frames.append(outcome.value)
                found.answered.append(span)
        seen_ns = max((int(frame.event_ns.max()) + MINUTE_NS for frame in found.frames if len(frame)), default=0)
        for span in found.answered:
            sure_ns = max(seen_ns, minute_ns - UNSEEN_MINUTES * MINUTE_NS, span.start_ns)
            span.batch.covered_ns = min(span.end_ns, sure_ns)
        as_of_ns = max(batch.covered_ns for batch in self._batches)
        return self._joined(found.frames, as_of_ns), found

    def _joined(self, frames: list[BarFrame], as_of_ns: int) -> BarFrame:
        """Return all frames as one by (event_ns, symbol), named after the least real of them."""
        filled = [frame for frame in frames if len(frame)]
        if not filled:
            none = np.zeros(0)
            head = (MINUTE_S, self._source.feed, self._label, as_of_ns, ())
            return BarFrame(*head, np.zeros(0, np.int64), none, none, none, none, none, none, none)
        self._label = least_real(frame.label for frame in filled)
        whole = BarFrame.concat([replace(frame, label=self._label) for frame in filled], as_of_ns=as_of_ns)
        return whole.take(np.lexsort((np.array(whole.symbols, dtype=np.str_), whole.event_ns)))


def check_feasible(batch_sizes: Sequence[int], config: FeedConfig) -> None:
    """Raise ConfigError, with the numbers, when these batches cannot be polled within the limits of ``config``."""
    if config.publish_delay_s >= MINUTE_S:
        raise ConfigError(f"feed.publish_delay_s is {config.publish_delay_s:g}: it must stay below a minute")
    minutes = max(1, math.ceil(config.cycle_s / MINUTE_S))
    requests = sum(math.ceil(size * minutes / PAGE_ROWS) for size in batch_sizes)
    allowed = config.requests_per_minute * minutes
    if requests > allowed:
        raise ConfigError(
            f"{sum(batch_sizes):,} symbols in batches of {config.batch_size} need {requests:,} requests every "
            f"{minutes * MINUTE_S} s, but feed.requests_per_minute allows {allowed:,}: raise feed.batch_size or "
            f"feed.cycle_s"
        )


def _no_trade(frame: BarFrame, answered: list[_Span]) -> tuple[str, ...]:
    """Return who has no bar in the frame's last minute; nobody when nobody has one, for then it may not be out yet."""
    last_ns = frame.as_of_ns - MINUTE_NS
    traded = {frame.symbols[int(row)] for row in np.flatnonzero(frame.event_ns == last_ns)}
    if not traded:
        return ()
    asked = {symbol for span in answered if span.end_ns > last_ns for symbol in span.batch.symbols}
    return tuple(sorted(asked - traded))


def _minute(moment_ns: int) -> int:
    return moment_ns - moment_ns % MINUTE_NS
