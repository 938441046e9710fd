"""Killed at any await and started again: every bar is in the lanes once, and the watermarks say so."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

import httpx2
import pytest
from tests.chaos import kills
from tests.feed.test_poller import CALENDAR
from tests.feed.worlds import MINUTE_NS, OPEN_NS, FakeVendor, answer, bars_of, gateway_to, run

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.feed.poller import Poller
from tapeline.streams import frames
from tapeline.streams.keys import FRAME
from tapeline.streams.lanes import Publisher
from tapeline.streams.memory import MemoryLaneStore

LANES, MINUTES = 3, 4
CONFIG = FeedConfig(batch_size=3, max_concurrent_batches=2, retries=0, reread_s=0.0, requests_per_minute=1_000)
SYMBOLS = tuple("ABCDEFGH")
KILLS = kills(200, 1_000)


class Killed(Exception):
    """The process is gone."""


class Reaper:
    """Counts the places at which a process may die, and kills it at one of them."""

    def __init__(self, at: int) -> None:
        self.left = at

    def pass_by(self) -> None:
        if self.left > 0:
            self.left -= 1
            if self.left == 0:
                raise Killed


class MortalStore(MemoryLaneStore):
    """A store that outlives its clients: they may die before a call has an effect, or before they hear of it."""

    def __init__(self) -> None:
        super().__init__()
        self.reaper = Reaper(0)
        self.published: Counter[tuple[str, int]] = Counter()

    async def publish(
        self,
        lane: int,
        entries: Sequence[Mapping[bytes, bytes]],
        watermark_ns: int | None,
        *,
        note: bytes | None = None,
        epoch: int | None = None,
    ) -> list[str]:
        self.reaper.pass_by()
        ids = await super().publish(lane, entries, watermark_ns, note=note, epoch=epoch)
        for fields in entries:
            frame = frames.decode(fields[FRAME])
            self.published.update(zip(frame.symbols, frame.event_ns.tolist(), strict=True))
        self.reaper.pass_by()
        return ids


async def _live(clock: LogicalClock, store: MortalStore, reaper: Reaper, rows: dict[str, list[int]], seed: int) -> None:
    """Poll and publish until every minute is covered, or death."""
    rng = random.Random(seed)

    def weather(_request: httpx2.Request) -> httpx2.Response | None:
        reaper.pass_by()
        return answer({}, 500) if rng.random() < 0.15 else None

    vendor = FakeVendor(clock, rows, faults=weather)
    publisher = Publisher(store, LANES)
    await publisher.open()
    marks = await publisher.marks_of(SYMBOLS)
    covered = {(s, event) for s in marks for event in rows[s] if event < marks[s]}
    assert store.published == Counter(covered), "what is in the lanes is what the watermarks say"
    async with gateway_to(vendor, clock, CONFIG) as gateway:
        source = bars_of(gateway, CONFIG)
        poller = Poller(source, SYMBOLS, clock=clock, calendar=CALENDAR, config=CONFIG, since_ns=OPEN_NS, marks=marks)
        while poller.covered_ns < OPEN_NS + MINUTES * MINUTE_NS:
            await clock.sleep_until(poller.next_poll_ns(clock.now_ns()))
            report = await poller.cycle(clock.now_ns())
            await publisher.publish(report.frame, poller.watermarks())


def _lives(seed: int) -> tuple[MortalStore, int, dict[str, list[int]]]:
    """Return the store after some lives, how often the process was killed, and what traded."""
    rng = random.Random(seed)
    rows = {s: [OPEN_NS + m * MINUTE_NS for m in range(MINUTES) if rng.random() < 0.8] for s in SYMBOLS}
    rows["A"] = [OPEN_NS + m * MINUTE_NS for m in range(MINUTES)]
    store, kills, start_ns = MortalStore(), 0, OPEN_NS
    while True:
        reaper = store.reaper = Reaper(rng.randint(1, 40) if kills < 3 else 0)

        async def life(clock: LogicalClock, reaper: Reaper = reaper, number: int = kills) -> int:
            try:
                await _live(clock, store, reaper, rows, seed * 10 + number)
            except* Killed:
                reaper.left = -1
            return clock.now_ns() if reaper.left == -1 else 0

        start_ns = run(life, start_ns=start_ns)
        if not start_ns:
            return store, kills, rows
        kills += 1


@pytest.mark.parametrize("block", range(2))
def test_no_bar_is_lost_or_doubled_by_kills_at_any_place(block: int) -> None:
    kills, seed = 0, block * KILLS
    while kills < KILLS // 2:
        store, deaths, rows = _lives(seed)
        seed, kills = seed + 1, kills + deaths

        assert store.published == Counter((symbol, event) for symbol, events in rows.items() for event in events), seed
