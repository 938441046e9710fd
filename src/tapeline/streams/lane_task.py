"""One lane under one owner: read, apply, commit.

In: entries of the lane after its snapshot.  Out: commits of their effects, under the lease.
Refuses to dead-letter the world: when most of what it reads is poison it stops with ``PoisonedLane``, because then the
reader is wrong, not the data. Anything it does not expect propagates; its owner loads the lane again.
"""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field

import anyio
import msgspec

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import BadMessage, TapelineError
from tapeline.streams import frames, keys
from tapeline.streams.closed import pack_closed
from tapeline.streams.processor import LaneOutput, Processor, ProcessorFactory, Refused
from tapeline.streams.store import Commit, DeadLetter, Entry, LaneStore, id_key

log = logging.getLogger(__name__)

IDLE_BLOCK_S = 0.25
"""Longest wait for an entry; a stop or a lost lease is noticed within it."""
MAX_BATCHES_AT_ONCE = 16
"""Under backlog a read grows to this many batches, and shrinks when it has caught up."""
MAX_UNSAVED_ROWS = 100_000
"""Rows between two snapshots; what a recovery applies again at most, beside ``snapshot_s``."""
POISON_WINDOW = 20
"""Of this many entries in a row more than half may not be poison."""


class PoisonedLane(TapelineError):
    """Most entries of a lane cannot be read: the worker stops and leaves them where they are."""


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
    ) -> None:
        self.counts = LaneCounts()
        self._store, self._lane, self._token = store, lane, token
        self._config, self._hot_ttl_s = config, hot_ttl_s
        self._processor: Processor = factory(lane)
        self._stopping = False
        self._position = self._applied_id = ""
        self._hopeless_id = ""
        self._pending = _Pending()
        self._poison: deque[bool] = deque(maxlen=POISON_WINDOW)
        self._unsaved_rows = self._unsaved_entries = 0
        self._saved_s = 0.0

    def stop(self) -> None:
        """Ask ``run`` to finish: the batch in hand is applied, committed and saved."""
        self._stopping = True

    async def run(self) -> None:
        """Load the lane and work on it until told to stop.

        Raises
        ------
        LeaseLost
            When somebody else owns the lane.
        PoisonedLane, EntryFailed
            As their texts say.
        Unavailable
            When the server is gone. What was not committed is applied again by the next owner.
        """
        await self._load()
        count = self._config.batch_size
        while not self._stopping:
            entries = await self._store.read(self._lane, self._position, count=count, block_s=IDLE_BLOCK_S)
            for entry in entries:
                await self._take(entry)
                if entry.id == self._hopeless_id:  # saved at once: a later failure must not make us meet it again
                    await self._commit(save=True)
            await self._commit(save=self._is_save_due())
            full = len(entries) == count
            largest = self._config.batch_size * MAX_BATCHES_AT_ONCE
            count = min(2 * count, largest) if full else self._config.batch_size
            if entries and not full and not _has_frame(entries):
                await anyio.sleep(self._config.batch_ms / 1000)  # single ticks: let a batch fill
        await self._commit(save=True)

    async def _load(self) -> None:
        saved = await self._store.load(self._lane)
        if saved.snapshot is not None:
            self._processor.restore(saved.snapshot)
        self._position, self._applied_id = saved.snapshot_id, saved.applied_id
        if saved.failures >= self._config.max_deliveries:
            self._hopeless_id = saved.failing_id
        self._saved_s = anyio.current_time()

    async def _take(self, entry: Entry) -> None:
        """Apply one entry and keep its effects for the commit, unless an earlier owner has committed them already."""
        try:
            output, letter = self._apply(entry), None
        except BadMessage as error:
            output, letter = LaneOutput(), DeadLetter(entry.id, str(error), frames.pack_fields(entry.fields))
        except Exception as error:
            # Not the message's fault as far as we know, and the state may be half changed: it is thrown away.
            failures = await self._store.count_failure(self._lane, self._token, entry.id)
            raise EntryFailed(f"entry {entry.id} of lane {self._lane} failed for the {failures}. time") from error
        self._judge(is_poison=letter is not None)
        self._position = entry.id
        self._unsaved_entries += 1
        if id_key(entry.id) <= id_key(self._applied_id):
            return
        self._pending.entries += 1
        if output.closed:
            self._pending.closed.append((entry.id, pack_closed(output.closed)))
        if letter is None and output.refused:
            letter = _letter_of(entry.id, output.refused)
        if letter is not None:
            self._pending.dead.append(letter)
            log.warning("lane %d, entry %s goes to the dead letters: %s", self._lane, letter.id, letter.reason)

    def _apply(self, entry: Entry) -> LaneOutput:
        if entry.id == self._hopeless_id:
            raise BadMessage(f"the processor failed on it {self._config.max_deliveries} times")
        frame = frames.from_fields(entry.fields)
        output = self._processor.apply(frame)
        self._unsaved_rows += len(frame)
        self.counts.rows += len(frame)
        return output

    def _judge(self, *, is_poison: bool) -> None:
        self._poison.append(is_poison)
        bad = sum(self._poison)
        if is_poison and len(self._poison) == POISON_WINDOW and 2 * bad > POISON_WINDOW:
            raise PoisonedLane(
                f"{bad} of the last {POISON_WINDOW} entries of lane {self._lane} cannot be read: the worker stops and "
                "leaves them where they are; look at the dead letters, and at who writes the lane"
            )

    def _is_save_due(self) -> bool:
        is_late = anyio.current_time() - self._saved_s >= self._config.snapshot_s
        return is_late or self._unsaved_rows >= MAX_UNSAVED_ROWS

    async def _commit(self, *, save: bool) -> None:
        """Make the effects of what was applied since the last commit, with a snapshot when ``save``."""
        if id_key(self._position) < id_key(self._applied_id):
            return  # still catching up with what an earlier owner committed
        pending, save = self._pending, save and self._unsaved_entries > 0
        if not pending.entries and not save:
            return
        hot = {symbol: msgspec.json.encode(values) for symbol, values in self._processor.take_hot().items()}
        commit = Commit(
            before_id=self._applied_id,
            applied_id=self._position,
            entries=pending.entries,
            closed=tuple(pending.closed),
            dead=tuple(pending.dead),
            hot=hot,
            hot_ttl_s=self._hot_ttl_s,
            snapshot=self._processor.snapshot() if save else None,
            max_dead=self._config.max_entries,
        )
        await self._store.commit(self._lane, self._token, commit)
        self._applied_id = self._position
        self._pending = _Pending()
        self.counts.entries += commit.entries
        self.counts.dead += len(commit.dead)
        self.counts.commits += 1
        if save:
            await self._saved()

    async def _saved(self) -> None:
        self._unsaved_rows = self._unsaved_entries = 0
        self._saved_s = anyio.current_time()
        self.counts.snapshots += 1
        await self._store.trim(self._lane, self._config.max_entries)


def _has_frame(entries: list[Entry]) -> bool:
    return any(keys.FRAME in entry.fields for entry in entries)


def _letter_of(entry_id: str, refused: tuple[Refused, ...]) -> DeadLetter:
    """Return one dead letter for the rows that an entry lost; the payload is the frames of these rows."""
    reasons = "; ".join(f"{len(part.rows)} rows: {part.reason}" for part in refused)
    return DeadLetter(entry_id, reasons, pack_closed(tuple(part.rows for part in refused)))
