"""Daily history kept up to date: only what is missing is asked for, and what has come is kept at once.

In: symbols, the last day each is known to.  Out: frames, handed to whoever keeps them, one for each batch.
Refuses to lose what has come: after a break, the next run asks for the rest. A symbol that the vendor refuses is found
by bisection and named; a batch that fails is named, and the others go on.
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput
from tapeline.core.outcome import Outcome
from tapeline.core.types import BarFrame
from tapeline.feed.bisect import sift
from tapeline.feed.handover import share_out
from tapeline.feed.sources import DailySource, batches
from tapeline.feed.sync import Progress, SessionCounter, first_day

Keep = Callable[[BarFrame], Awaitable[None]]
"""Writes a frame down before it returns."""
Answered = Callable[[Sequence[str], dt.date], None]
"""Told of symbols whose bars from a day on have come and are kept, be there none."""


@dataclass(slots=True)
class CaughtUp:
    """What a run brought: bars, symbols already complete, and (symbol, reason) of those without an answer."""

    bars: int = 0
    complete: int = 0
    missing: list[tuple[str, str]] = field(default_factory=list)

    def __add__(self, other: CaughtUp) -> CaughtUp:
        """Return what two runs brought together."""
        return CaughtUp(self.bars + other.bars, self.complete + other.complete, self.missing + other.missing)


@dataclass(frozen=True, slots=True)
class _Job:
    symbols: tuple[str, ...]
    first: dt.date


async def catch_up_days(
    source: DailySource,
    symbols: Sequence[str],
    known: Mapping[str, dt.date],
    sessions: int,
    last: dt.date,
    *,
    clock: Clock,
    calendar: SessionCounter,
    config: FeedConfig,
    keep: Keep,
    progress: Progress | None = None,
    answered: Answered = lambda _symbols, _first: None,
) -> CaughtUp:
    """Fetch what is missing of the last ``sessions`` daily bars of every symbol, up to ``last`` included.

    In: symbols, and the last day that is known of each.   Out: what was found; every frame went to ``keep``.
    Concurrency: ``feed.max_concurrent_batches`` requests in flight; on a logical clock the caller must be an actor.
    Failure: who has no answer is ``missing`` and is asked for by the next run; ``keep`` raises what it raises.
    """
    if sessions < 1:
        raise BadInput(f"a history of {sessions} sessions holds nothing")
    found = CaughtUp()
    jobs = _jobs(symbols, known, first_day(calendar, sessions, last), last, config, found)
    done = 0

    async def work(job: _Job) -> None:
        nonlocal done

        async def ask(part: tuple[str, ...]) -> Outcome[BarFrame]:
            return await source.fetch_daily(part, job.first, last)

        sifted = await sift(job.symbols, ask)
        found.missing += sifted.bad
        for part, outcome in sifted.answers:
            if outcome.value is None:
                found.missing += [(symbol, f"{outcome.kind}: {outcome.reason}") for symbol in part]
                continue
            if len(outcome.value):
                await keep(outcome.value)
                found.bars += len(outcome.value)
            answered(part, job.first)
        done += 1
        if progress is not None:
            progress(done, len(jobs))

    if jobs:
        await share_out(clock, jobs, config.max_concurrent_batches, work)
    found.missing.sort()
    return found


def _jobs(
    symbols: Sequence[str],
    known: Mapping[str, dt.date],
    first: dt.date,
    last: dt.date,
    config: FeedConfig,
    found: CaughtUp,
) -> list[_Job]:
    """Return one job for each batch of symbols that miss the same days."""
    alike: defaultdict[dt.date, list[str]] = defaultdict(list)
    for symbol in symbols:
        until = known.get(symbol)
        begin = first if until is None else max(first, until + dt.timedelta(days=1))
        if begin > last:
            found.complete += 1
        else:
            alike[begin].append(symbol)
    return [_Job(batch, day) for day in sorted(alike) for batch in batches(alike[day], config.batch_size)]
