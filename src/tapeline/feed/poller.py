"""The market's minutes, on time, complete, each exactly once.

In: a source of bars, symbols, a clock.  Out: one ``PollReport`` per cycle: a frame of closed bars, and by name who had
no trade and who is missing, with the reason.
Refuses a configuration that cannot finish its cycle inside the rate limit, and to forget: whoever gets no answer keeps
its watermark, so the next cycle asks for its minutes again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from msgspec.structs import replace

from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput
from tapeline.core.outcome import Outcome
from tapeline.core.types import MINUTE_S, NS_PER_S, BarFrame, Label, Tick
from tapeline.feed.bisect import Sifted, sift
from tapeline.feed.handover import share_out
from tapeline.feed.hours import Calendar, ExtendedHours
from tapeline.feed.minutes import Minute, MinuteBook
from tapeline.feed.plan import can_reread, check_feasible, pace_of, step_ns_of
from tapeline.feed.report import Part, PollReport, by_feed, slow_cycle, substitutes, without_trade
from tapeline.feed.reread import Reread
from tapeline.feed.sources import BarSource, batches, newest_of

__all__ = ["Calendar", "PollReport", "Poller", "check_feasible"]

MINUTE_NS = MINUTE_S * NS_PER_S
UNSEEN_MINUTES = 2
"""A minute that no symbol has may not be out yet: only this long after its end is it taken as empty."""
LEFTOVER_MINUTES = 15
"""After the close, this long, cycles go on while some minute of the session is not covered."""
HOW = ("strategy", "mode", "batch_size", "max_concurrent_batches")
"""Settings that may change while the poller runs."""
STUCK_CYCLES = 2
"""Cycles in a row that a feed may answer without a newer minute before that is reported."""


@dataclass(frozen=True, slots=True)
class _Span:
    """What to ask in one request: [start_ns, end_ns), inside one session."""

    symbols: tuple[str, ...]
    start_ns: int
    end_ns: int


@dataclass(slots=True)
class _Found:
    """What the requests of one cycle brought."""

    parts: list[Part] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    missed: list[_Span] = field(default_factory=list)
    bad: list[tuple[str, str, int]] = field(default_factory=list)
    outcomes: list[Outcome[BarFrame]] = field(default_factory=list)


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
        Strategy, mode, batches, concurrency, limits.
    since_ns
        Everything that ended by then is known already, e.g. from the journal.
    marks
        Watermarks of single symbols that differ from ``since_ns``, as ``watermarks`` told them before a restart.

    Attributes
    ----------
    minutes
        What is known of every minute of the session.

    Raises
    ------
    ConfigError
        When a cycle needs more requests than the limit allows, the publish delay exceeds a minute, or the source has
        no newest bars to give and the mode wants them.
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
        marks: Mapping[str, int] | None = None,
    ) -> None:
        self._source = source
        self._newest = newest_of(source, config.mode)
        self._clock = clock
        self._calendar = ExtendedHours(calendar) if config.extended_hours else calendar
        self._config = config
        self._pace = pace_of(config)
        self._step_ns = step_ns_of(config)
        self._marks: dict[str, int] = {}
        self._quarantine: dict[str, tuple[str, int]] = {}
        self._label = Label.REAL
        self._seen_ns = 0
        self._stuck = 0
        self._quotes: list[Tick] = []
        self._cut: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        self.minutes = MinuteBook(())
        self._since_ns = _minute(since_ns)
        self.watch(symbols)
        self._marks.update({s: _minute(mark) for s, mark in (marks or {}).items() if s in self._marks})
        self._reread = Reread(round(config.reread_s * NS_PER_S) if self.rereads else 0)

    @property
    def covered_ns(self) -> int:
        """The watermark: every symbol's bars that ended by then were asked for and answered.

        Who is in quarantine does not hold it back.
        """
        watched = [mark for symbol, mark in self._marks.items() if symbol not in self._quarantine]
        return min(watched, default=max(self._marks.values()))

    @property
    def rereads(self) -> bool:
        """Whether minutes are read a second time: it is wanted, and the limit leaves room for it."""
        return self._config.reread_s > 0 and can_reread([len(batch) for batch in self._whole()], self._config)

    @property
    def quarantine(self) -> Mapping[str, tuple[str, int]]:
        """Symbol -> (the vendor's word, when it is tried again)."""
        return dict(self._quarantine)

    def watermarks(self) -> dict[str, int]:
        """Return the watermark of each symbol, in UTC nanoseconds."""
        return dict(self._marks)

    def watch(self, symbols: Sequence[str]) -> None:
        """Poll these from the next cycle on; whoever is new begins where the others are."""
        if not symbols:
            raise BadInput("there is no symbol to poll")
        wanted = sorted(set(symbols))
        check_feasible([len(batch) for batch in batches(wanted, self._pace.batch_size)], self._config)
        start_ns = max(self._marks.values(), default=self._since_ns)
        gone = self._marks.keys() - set(wanted)
        self._marks = {symbol: self._marks.get(symbol, start_ns) for symbol in wanted}
        self._quarantine = {s: held for s, held in self._quarantine.items() if s in self._marks}
        self._cut.clear()
        if gone:
            self._reread.drop(gone)

    def resume(self, told: Sequence[BarFrame]) -> None:
        """Read once more, after the next cycle, what an earlier life told last: it may have died before it could.

        ``told`` holds the bars of these minutes, all or none of a minute, with their revisions; what has not changed is
        not said again.
        """
        if not self.rereads:
            return
        newest_ns = self.covered_ns
        self._reread.rest(self._clock.now_ns())
        self.minutes.begin(self._calendar.next_session(newest_ns - 1))
        for event_ns in sorted({event_ns for frame in told for event_ns in frame.event_ns.tolist()}):
            if event_ns < newest_ns and not self._reread.is_final(event_ns, newest_ns):
                self._reread.resume(event_ns, self._marks.keys() - self._quarantine.keys(), told)

    def use(self, config: FeedConfig) -> None:
        """Ask by another strategy, mode and size of batches from the next cycle on; the rest of ``config`` is not read.

        No minute is lost or doubled by it: the watermarks stay. Raises ConfigError, and changes nothing, when a cycle
        would not fit into the limit or the source has no newest bars to give.
        """
        wanted = replace(self._config, **{name: getattr(config, name) for name in HOW})
        pace, newest = pace_of(wanted), newest_of(self._source, wanted.mode)
        check_feasible([len(batch) for batch in batches(self._marks, pace.batch_size)], wanted)
        self._config, self._pace, self._newest = wanted, pace, newest
        self._cut.clear()

    def next_poll_ns(self, now_ns: int) -> int:
        """Return the first moment after ``now_ns`` to run a cycle: a little after a minute of a session ended.

        ``feed.cycle_s`` above a minute rounds up to whole minutes from the open on; the close is always polled. When
        minutes of the session are still not covered then, there is a cycle in each of the ``LEFTOVER_MINUTES`` that
        follow.
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

    def next_reread_ns(self) -> int | None:
        """Return when some minute is to be read a second time, or None when none waits."""
        return self._reread.next_ns()

    async def cycle(self, as_of_ns: int) -> PollReport:
        """Ask for every minute that ended by ``as_of_ns`` and is not covered yet.

        In: the watermark of each symbol.   Out: one report; at most ``feed.max_catch_up_min`` minutes per symbol.
        Concurrency: what the strategy says.
        Failure: whoever has no answer within ``feed.cycle_s`` is ``missing`` and stays where it was; a symbol that the
            vendor refuses is found, named and left out for ``feed.quarantine_s``.
        """
        started_ns = self._clock.now_ns()
        self._quarantine = {s: held for s, held in self._quarantine.items() if held[1] > started_ns}
        minute_ns = _minute(as_of_ns)
        found, spent = await self._ask_all(self._spans(minute_ns), started_ns)
        self._settle(minute_ns, found)
        if found.missed and not found.parts:
            self._reread.rest(self._clock.now_ns())
        as_of_ns = max(self._marks.values())
        frames = by_feed((p.frame for p in found.parts), self._source.feed, self._label, as_of_ns)
        self._label = frames[0].label
        self._write(found)
        return self._report(found, frames, spent, started_ns, self._watch_feed(minute_ns, found))

    async def reread(self, as_of_ns: int) -> PollReport:
        """Read once more what was told ``feed.reread_s`` ago; return what is new or has changed, as revisions.

        In: minutes that wait.   Out: one report; its frame may be empty.
        Failure: what has no answer waits for the next call, for a few minutes.
        """
        started_ns = self._clock.now_ns()
        spans = []
        for minute_ns, symbols in self._reread.due(as_of_ns):
            known = symbols & self._marks.keys() - self._quarantine.keys()
            self._reread.drop(symbols - known)
            spans += [_Span(batch, minute_ns, minute_ns + MINUTE_NS) for batch in self._cut_up(tuple(sorted(known)))]
        found, spent = await self._ask_all(spans, started_ns, newest=False)
        changed = [self._reread.compare(part) for part in found.parts]
        self._write(found)
        found.missing.clear()
        as_of_ns = max(self._marks.values())
        return self._report(found, by_feed(changed, self._source.feed, self._label, as_of_ns), spent, started_ns, ())

    async def _ask_all(
        self, spans: list[_Span], started_ns: int, *, newest: bool = True
    ) -> tuple[_Found, tuple[int, int]]:
        """Ask for all spans; return what came, and the requests and pages it cost."""
        requests, pages = self._source.requests, self._source.pages
        self._quotes = []
        deadline_ns = started_ns + round(self._config.cycle_s * NS_PER_S)
        work = partial(self._ask, deadline_ns, newest)
        sifted = await share_out(self._clock, spans, self._pace.workers, work) if spans else []
        found = _Found()
        for span, answer in zip(spans, sifted, strict=True):
            self._sort_out(span, answer, found)
        return found, (self._source.requests - requests, self._source.pages - pages)

    async def _ask(self, deadline_ns: int, newest: bool, span: _Span) -> Sifted[BarFrame]:
        async def ask(symbols: tuple[str, ...]) -> Outcome[BarFrame]:
            if newest and self._newest is not None and span.end_ns - span.start_ns <= MINUTE_NS:
                outcome = await self._newest(symbols, deadline_ns=deadline_ns)
                self._quotes += outcome.value.quotes if outcome.value is not None else ()
                return outcome.map(lambda told: told.within(span.start_ns, span.end_ns))
            return await self._source.fetch_bars(symbols, span.start_ns, span.end_ns, "1Min", deadline_ns=deadline_ns)

        return await sift(span.symbols, ask)

    def _sort_out(self, span: _Span, answer: Sifted[BarFrame], found: _Found) -> None:
        """Put what one request brought, bisected or not, where it belongs."""
        for symbols, outcome in answer.answers:
            found.outcomes.append(outcome)
            if outcome.value is None:
                found.missing += [(symbol, f"{outcome.kind}: {outcome.reason}") for symbol in symbols]
                found.missed.append(_Span(symbols, span.start_ns, span.end_ns))
            else:
                found.parts.append(Part(symbols, span.start_ns, span.end_ns, outcome.value))
        retry_ns = self._clock.now_ns() + round(self._config.quarantine_s * NS_PER_S)
        for symbol, word in answer.bad:
            self._quarantine[symbol] = (word, retry_ns)
            found.bad.append((symbol, word, retry_ns))

    def _spans(self, as_of_ns: int) -> list[_Span]:
        """Return what is to be asked now, the newest minutes first.

        Who is covered as far as the market has come asks nothing; only snapshots, which hold quotes, are asked for in
        every cycle, then without a minute.
        """
        catch_up_ns = self._config.max_catch_up_min * MINUTE_NS
        alike: defaultdict[int, list[str]] = defaultdict(list)
        for symbol, mark_ns in self._marks.items():
            if symbol not in self._quarantine:
                alike[mark_ns].append(symbol)
        spans: list[_Span] = []
        for mark_ns in sorted(alike, reverse=True):
            session = self._calendar.next_session(mark_ns)
            start_ns = max(mark_ns, session.open_ns)
            end_ns = min(as_of_ns, session.close_ns, start_ns + catch_up_ns)
            if start_ns < end_ns or (start_ns == end_ns and self._config.mode == "snapshots"):
                self.minutes.begin(session)
                spans += [_Span(batch, start_ns, end_ns) for batch in self._cut_up(tuple(alike[mark_ns]))]
        return spans

    def _whole(self) -> list[tuple[str, ...]]:
        return self._cut_up(tuple(self._marks))

    def _cut_up(self, symbols: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return the requests for ``symbols``; the cut of the whole universe, asked for every minute, is kept."""
        kept = self._cut.get(symbols)
        if kept is None:
            kept = batches(symbols, self._pace.batch_size)
            if len(symbols) == len(self._marks):
                self._cut = {symbols: kept}
        return kept

    def _settle(self, minute_ns: int, found: _Found) -> None:
        """Move the watermarks of those who got an answer."""
        seen_ns: defaultdict[str, int] = defaultdict(int)
        for part in found.parts:
            if len(part.frame):
                seen_ns[part.frame.feed] = max(seen_ns[part.frame.feed], int(part.frame.event_ns.max()) + MINUTE_NS)
        now_ns = self._clock.now_ns()
        for part in found.parts:
            sure_ns = max(seen_ns[part.frame.feed], minute_ns - UNSEEN_MINUTES * MINUTE_NS, part.start_ns)
            covered_ns = min(part.end_ns, sure_ns)
            for symbol in part.symbols:
                self._marks[symbol] = covered_ns
            self._reread.tell(part, covered_ns, now_ns)

    def _write(self, found: _Found) -> None:
        """Note what is known now of each minute that was asked for."""
        note, now_ns = self.minutes.note, self._clock.now_ns()
        traded: set[tuple[str, int]] = set()
        for part in found.parts:
            events = part.frame.event_ns.tolist()
            note(part.frame.symbols, events, Minute.BAR)
            traded.update((part.frame.feed, moment) for moment in set(events))
        for part in found.parts:
            for moment in range(part.start_ns, part.end_ns, MINUTE_NS):
                if self._reread.is_final(moment, now_ns) and (part.frame.feed, moment) in traded:
                    note(part.symbols, [moment] * len(part.symbols), Minute.NO_TRADE)
        for span in found.missed:
            for moment in range(span.start_ns, span.end_ns, MINUTE_NS):
                note(span.symbols, [moment] * len(span.symbols), Minute.MISSING)

    def _watch_feed(self, minute_ns: int, found: _Found) -> tuple[str, ...]:
        """Return the alarm when the feed answers and does not advance."""
        asked = [part for part in found.parts if part.start_ns < part.end_ns == minute_ns]
        newest_ns = max((int(part.frame.event_ns.max()) for part in found.parts if len(part.frame)), default=0)
        self._stuck = self._stuck + 1 if asked and newest_ns <= self._seen_ns else 0
        self._seen_ns = max(self._seen_ns, newest_ns)
        if self._stuck < STUCK_CYCLES:
            return ()
        return (
            f"{self._source.name}'s feed {self._source.feed} answers, but for {self._stuck} cycles with no newer bar",
        )

    def _report(
        self,
        found: _Found,
        frames: tuple[BarFrame, ...],
        spent: tuple[int, int],
        started_ns: int,
        alerts: tuple[str, ...],
    ) -> PollReport:
        ended_ns = self._clock.now_ns()
        alerts += slow_cycle((ended_ns - started_ns) / NS_PER_S, self._config.alert_cycle_s)
        alerts += substitutes(self._source.name, frames[1:])
        return PollReport(
            frame=frames[0],
            requests=spent[0],
            pages=spent[1],
            missing=tuple(sorted(found.missing)),
            no_trade=without_trade(frames[0].as_of_ns, found.parts),
            outcomes=tuple(found.outcomes),
            started_ns=started_ns,
            ended_ns=ended_ns,
            others=frames[1:],
            quarantined=tuple(sorted(found.bad)),
            quotes=tuple(sorted(self._quotes, key=lambda tick: tick.symbol)),
            alerts=alerts,
        )


def _minute(moment_ns: int) -> int:
    return moment_ns - moment_ns % MINUTE_NS
