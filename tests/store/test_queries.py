"""What was written comes back as it was, missing numbers included."""

from __future__ import annotations

import math

import pytest
from tests.store.batches import MINUTE_NS, NAN, bars_batch, cycle, dossier, frame, full_batch, steps

from tapeline.core.types import Bar, Signal
from tapeline.store import queries
from tapeline.store.batch import JournalBatch
from tapeline.store.journal import Journal

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def _bars(journal: Journal, timeframe_s: int = 60) -> list[Bar]:
    return [bar for part in await journal.read(lambda c: queries.bars(c, timeframe_s)) for bar in part.bars()]


def _same(one: Bar, other: Bar) -> bool:
    pairs = [(getattr(one, name), getattr(other, name)) for name in Bar.__slots__]
    return all(a == b or (a != a and b != b) for a, b in pairs)


async def test_bars_come_back_as_they_were_written_nan_included(journal: Journal) -> None:
    await journal.write(bars_batch(1))
    back = await _bars(journal)
    assert all(_same(a, b) for a, b in zip(back, frame(1).bars(), strict=True))
    assert math.isnan(back[0].vwap)


async def test_bars_of_other_lengths_and_later_starts_are_told_apart(journal: Journal) -> None:
    await journal.write(JournalBatch(frames=(frame(0), frame(5), frame(0, timeframe_s=300), frame(7, feed="iex"))))
    assert [bar.timeframe_s for bar in await _bars(journal, 300)] == [300, 300]
    late = await journal.read(lambda c: queries.bars(c, 60, 5 * MINUTE_NS))
    assert [(part.feed, part.as_of_ns) for part in late] == [("iex", 8 * MINUTE_NS), ("sip", 6 * MINUTE_NS)]


async def test_a_record_of_a_decision_comes_back_equal_nan_included(journal: Journal) -> None:
    await journal.write(JournalBatch(cycles=(cycle(equity=NAN),)))
    (back,) = await journal.read(queries.cycles)
    assert math.isnan(back.equity)
    assert math.isnan(back.candidates[0].atr)
    assert repr(back) == repr(cycle(equity=NAN))
    assert await journal.read(queries.last_cycle_ns) == 3 * MINUTE_NS


async def test_a_signal_comes_back_with_its_votes_and_its_silent_sources(journal: Journal) -> None:
    await journal.write(JournalBatch(cycles=(cycle(),)))
    back: list[Signal] = await journal.read(queries.signals)
    assert back == list(cycle().signals)


async def test_dossiers_steps_and_stages_come_back_as_they_were(journal: Journal) -> None:
    await journal.write(full_batch())
    await journal.write(JournalBatch(dossiers=(dossier("d2", ready_ns=9 * MINUTE_NS),)))
    assert repr(await journal.read(queries.dossiers)) == repr([dossier(), dossier("d2", ready_ns=9 * MINUTE_NS)])
    late = await journal.read(lambda c: queries.dossiers(c, 9 * MINUTE_NS))
    assert [kept.dossier.dossier_id for kept in late] == ["d2"]
    assert repr(await journal.read(queries.evidence_steps)) == repr(list(steps()))
    assert await journal.read(queries.stage_events) == list(full_batch().stages)


async def test_meta_keeps_the_last_word(journal: Journal) -> None:
    await journal.write(JournalBatch(meta={"seed": "7", "universe": "524"}))
    await journal.write(JournalBatch(meta={"seed": "8"}))
    assert await journal.read(queries.meta) == {"seed": "8", "universe": "524"}


async def test_an_empty_store_has_no_bars_no_cycle_and_an_empty_ledger(journal: Journal) -> None:
    assert await journal.read(lambda c: queries.bars(c, 60)) == []
    assert await journal.read(queries.last_cycle_ns) is None
    assert await journal.read_ledger() == []
    assert set((await journal.read(queries.counts)).values()) == {0}
