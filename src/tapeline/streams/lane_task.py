"""One lane under one owner: read, apply, commit.

In: entries of the lane after its snapshot.  Out: commits of their effects, under the lease.
Refuses to dead-letter the world: when most of what it reads is poison it stops with ``Poisoned``, because then the
reader is wrong, not the data. Anything it does not expect propagates; its owner loads the lane again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio
import msgspec

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import BadMessage, TapelineError
from tapeline.streams.blocks import Block, Run
from tapeline.streams.effects import EntryEffects, letter_of_entry, to_effects, warn_of_letters
from tapeline.streams.poison import POISON_WINDOW, PoisonWatch
from tapeline.streams.processor import LaneOutput, Processor, ProcessorFactory, TicksOutput
from tapeline.streams.store import Commit, DeadLetter, LaneStore, days_before, id_key
from tapeline.streams.ticks import TickRows
from tapeline.streams.witness import Witness

log = logging.getLogger(__name__)

IDLE_BLOCK_S = 0.25
"""Longest wait for an entry; a stop or a lost lease is noticed within it."""
MAX_ENTRIES_AT_ONCE = 10_000
"""Under backlog a read doubles up to this, and shrinks when it has caught up."""
MAX_BYTES_AT_ONCE = 2 << 20
"""What a read should bring at most, judged by the one before."""
MAX_UNSAVED_ROWS = 100_000
"""Rows between two snapshots; what a recovery applies again at most, beside ``snapshot_s``."""


class EntryFailed(TapelineError):
    """The processor failed on an entry in a way it does not know; the lane is loaded and tried again."""


@dataclass(slots=True)
class LaneCounts:
    """What an owner did to a lane since it took it. For metrics; nothing depends on it."""

    entries: int = 0
    rows: int = 0
    dead: int = 0
    commits: int = 0
    snapshots: int = 0


@dataclass(slots=True)
class _Pending:
    """Effects of applied entries that are not committed yet."""

    entries: int = 0
    closed: list[tuple[str, bytes]] = field(default_factory=list)
    dead: list[DeadLetter] = field(default_factory=list)
    alerts: list[tuple[str, bytes]] = field(default_factory=list)


class LaneTask:
    """The owner's work on one lane. ``run`` returns after ``stop``, with everything committed and saved.

    Parameters
    ----------
    store, lane, token
        The lane, and the token under which we hold its lease.
    factory
        Makes the lane's processor.
    config
        Sizes and times.
    hot_ttl_s
        Life of hot state in seconds.
    witness
        Looks whether the server lost anything of the lane before it is worked on; None for nobody.
    """

    def __init__(
        self,
        store: LaneStore,
        lane: int,
        token: str,
        factory: ProcessorFactory,
        config: StreamsConfig,
        *,
        hot_ttl_s: float = 86_400.0,
        witness: Witness | None = None,
    ) -> None:
        self.counts = LaneCounts()
        self._witness = witness
        self._store, self._lane, self._token = store, lane, token
        self._config, self._hot_ttl_s = config, hot_ttl_s
        self._processor: Processor = factory(lane)
        self._stopping = False
        self._position = self._applied_id = ""
        self._failing_id = ""
        self._is_hopeless = False
        self._pending = _Pending()
        self._poison = PoisonWatch(f"lane {lane}", config.max_poison_pct)
        self._unsaved_rows = self._unsaved_entries = 0
        self._saved_s = self._shown_s = 0.0

    def stop(self) -> None:
        """Ask ``run`` to finish: the batch in hand is applied, committed and saved."""
        self._stopping = True

    @property
    def applied_id(self) -> str:
        """Id of the last entry whose effects are out; empty before the lane is loaded."""
        return self._applied_id

    async def run(self) -> None:
        """Load the lane and work on it until told to stop.

        Raises
        ------
        LeaseLost
            When somebody else owns the lane.
        Poisoned, EntryFailed
            As their texts say.
        Unavailable
            When the server is gone. What was not committed is applied again by the next owner.
        """
        await self._load()
        # What begins with poison is known before the first letter is written.
        count = max(self._config.batch_size, POISON_WINDOW)
        while not self._stopping:
            asked = 1 if self._failing_id else count
            block = await self._store.read(self._lane, self._position, count=asked, block_s=IDLE_BLOCK_S)
            read_s, full = anyio.current_time(), len(block) == asked
            if len(block):
                await self._take(block)
            await self._commit(save=self._is_save_due(), show=not full or self._is_show_due())
            count = self._next_count(count, block) if full else self._config.batch_size
            if len(block) and not full and not block.has_frame():
                await anyio.sleep_until(read_s + self._config.batch_ms / 1000)  # single ticks: let a batch fill
        await self._commit(save=True, show=True)

    def _next_count(self, count: int, block: Block) -> int:
        by_size = MAX_BYTES_AT_ONCE * len(block) // max(block.n_bytes, 1)
        return max(self._config.batch_size, min(2 * count, MAX_ENTRIES_AT_ONCE, by_size))

    async def _load(self) -> None:
        if self._witness is not None:
            await self._witness.look_at_lane(self._lane)
        saved = await self._store.load(self._lane)
        if saved.parts:
            self._processor.restore(saved.parts)
        self._position, self._applied_id = saved.snapshot_id, saved.applied_id
        if saved.failing_id and id_key(saved.failing_id) > id_key(self._position):
            self._failing_id = saved.failing_id  # one entry at a time until it is behind us
            self._is_hopeless = saved.failures >= self._config.max_deliveries
        self._saved_s = self._shown_s = anyio.current_time()

    async def _take(self, block: Block) -> None:
        """Apply a block and keep its effects for the commit, but for what an earlier owner has committed already."""
        runs, bad = block.decode()
        is_hopeless = self._is_hopeless and block.id(0) == self._failing_id
        if is_hopeless:
            runs, bad = [], {0: f"the processor failed on it {self._config.max_deliveries} times"}
        self._poison.judge(len(block), bad)
        effects: dict[int, EntryEffects] = {}
        for i, reason in bad.items():
            effects.setdefault(i, EntryEffects()).letter = letter_of_entry(block, i, reason)
        for run in runs:
            await self._apply(block, run, effects)
        self._position = block.id(len(block) - 1)
        self._unsaved_entries += len(block)
        if self._failing_id and id_key(self._position) >= id_key(self._failing_id):
            self._failing_id, self._is_hopeless = "", False
            self._saved_s = 0.0  # saved at once: a later failure must not make us meet it again
        self._keep(block, effects)

    async def _apply(self, block: Block, run: Run, effects: dict[int, EntryEffects]) -> None:
        try:
            output: LaneOutput | TicksOutput
            if isinstance(run.rows, TickRows):
                output = self._processor.apply_ticks(run.rows)
            else:
                output = self._processor.apply(run.rows)
        except BadMessage as error:
            i = run.first
            effects.setdefault(i, EntryEffects()).letter = letter_of_entry(block, i, str(error))
            self._poison.judge(1, [0])
            return
        except Exception as error:
            # Not the message's fault as far as we know, and the state may be half changed: it is thrown away.
            entry_id = block.id(run.last)
            failures = await self._store.count_failure(self._lane, self._token, entry_id)
            raise EntryFailed(f"entry {entry_id} of lane {self._lane} failed for the {failures}. time") from error
        self._unsaved_rows += len(run.rows)
        self.counts.rows += len(run.rows)
        to_effects(block, run, output, effects)

    def _keep(self, block: Block, effects: Mapping[int, EntryEffects]) -> None:
        applied = id_key(self._applied_id)
        if id_key(block.id(0)) > applied:
            known = 0
        else:
            known = sum((milliseconds, sequence) <= applied for milliseconds, sequence in block.columns.ids.tolist())
        self._pending.entries += len(block) - known
        letters: list[DeadLetter] = []
        for i in sorted(effects):
            if i < known:
                continue
            found = effects[i]
            if found.closed:
                self._pending.closed.append((block.id(i), found.packed()))
            self._pending.alerts += [(alert.id, msgspec.json.encode(alert.values)) for alert in found.alerts]
            if found.letter is not None:
                letters.append(found.letter)
        self._pending.dead += letters
        warn_of_letters(f"lane {self._lane}", letters)

    def _is_save_due(self) -> bool:
        is_late = anyio.current_time() - self._saved_s >= self._config.snapshot_s
        return is_late or self._unsaved_rows >= MAX_UNSAVED_ROWS

    def _is_show_due(self) -> bool:
        return anyio.current_time() - self._shown_s >= self._config.hot_s

    async def _commit(self, *, save: bool, show: bool) -> None:
        """Make the effects of what was applied since the last commit, with a snapshot or hot state when asked."""
        if id_key(self._position) < id_key(self._applied_id):
            return  # still catching up with what an earlier owner committed
        pending, save = self._pending, save and self._unsaved_entries > 0
        if not pending.entries and not pending.alerts and not save:
            return
        # A snapshot forgets what changed before it, so hot state goes with it.
        hot = self._processor.take_hot() if show or save else {}
        commit = Commit(
            before_id=self._applied_id,
            applied_id=self._position,
            entries=pending.entries,
            closed=tuple(pending.closed),
            dead=tuple(pending.dead),
            hot={symbol: msgspec.json.encode(values) for symbol, values in hot.items()},
            hot_ttl_s=self._hot_ttl_s,
            parts=self._processor.take_snapshot() if save else None,
            alerts=tuple(pending.alerts),
            max_dead=self._config.max_dead_letters,
            max_alerts=self._config.max_alerts,
        )
        await self._store.commit(self._lane, self._token, commit)
        self._applied_id = self._position
        self._pending = _Pending()
        self.counts.entries += commit.entries
        self.counts.dead += len(commit.dead)
        self.counts.commits += 1
        if show or save:
            self._shown_s = anyio.current_time()
        if save:
            await self._saved()

    async def _saved(self) -> None:
        self._unsaved_rows = self._unsaved_entries = 0
        self._saved_s = anyio.current_time()
        self.counts.snapshots += 1
        since_ms = days_before(self._applied_id, self._config.tick_days)
        await self._store.trim(self._lane, self._config.max_entries, since_ms)
