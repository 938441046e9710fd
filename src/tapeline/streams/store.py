"""Where lanes live: what a store must do, and the values it takes and gives.

Delivery semantics. Publishing is at-least-once: a publisher that dies between two lanes publishes the frame again, and
a bar that says the same again changes nothing. Entries of a lane are applied in their order by one owner at a time.
Effects (closed bars, dead letters, hot state) and the id up to which they reach move in one atomic commit that only the
holder of the lane's lease can make; a snapshot of the state moves in some of these commits. Recovery loads the snapshot
and applies the entries after it again, silently up to the applied id: no effect is lost or doubled.

``MemoryLaneStore`` (memory.py) and ``ValkeyLaneStore`` (valkey.py) keep this contract; one suite of tests runs both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tapeline.core.errors import TapelineError
from tapeline.core.types import DAY_S
from tapeline.streams.blocks import Block
from tapeline.streams.layout import Layout

BEGINNING = "0-0"
"""The id before every entry."""


class LeaseLost(TapelineError):
    """Somebody else owns the lane, or its state moved without us: drop what is in memory and load again."""


def lease_error(lane: int, holder: str | None) -> LeaseLost:
    """Return the error for an owner that is none any more."""
    return LeaseLost(f"lane {lane} is not ours any more; its owner is {holder or 'nobody'}")


def moved_error(lane: int, applied_id: str) -> LeaseLost:
    """Return the error for an owner whose lane was moved on, or emptied, by somebody else."""
    return LeaseLost(f"lane {lane} stands at {applied_id}, not where we left it; it has to be loaded again")


def gone_error(lane: int, applied_id: str) -> LeaseLost:
    """Return the error for an owner who has applied entries that the lane does not hold any more."""
    return LeaseLost(f"lane {lane} does not hold {applied_id}, which we have applied; it has to be loaded again")


class LayoutMoved(TapelineError):
    """The number of lanes changes or has changed: nothing was written; look at the layout and write by that."""


def layout_error(lane: int) -> LayoutMoved:
    """Return the error for a publisher that goes by an older layout, or by one that changes."""
    return LayoutMoved(f"lane {lane} takes nothing by this number of lanes any more: it changes or has changed")


def id_key(entry_id: str) -> tuple[int, int]:
    """Return a stream id as numbers that compare in stream order."""
    milliseconds, _, sequence = entry_id.partition("-")
    return int(milliseconds), int(sequence or 0)


def id_before(moment_ms: int) -> str:
    """Return the last id of the entries that came before a moment of the server's clock."""
    return f"{moment_ms - 1}-{2**63}" if moment_ms > 0 else BEGINNING


def days_before(entry_id: str, days: float) -> int:
    """Return the moment in milliseconds that lies ``days`` before an entry came; 0 for none."""
    return max(0, id_key(entry_id)[0] - round(days * DAY_S * 1000))


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a stream: its id, and its fields as bytes."""

    id: str
    fields: Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An entry, or rows of one, that could not be applied.

    Attributes
    ----------
    id
        Id of the entry in the lane.
    reason
        One sentence for a person.
    payload
        The entry's fields, or the refused rows, packed by the worker.
    """

    id: str
    reason: str
    payload: bytes


@dataclass(frozen=True, slots=True)
class Saved:
    """What a new owner starts from.

    Attributes
    ----------
    parts
        State as of ``snapshot_id``, in named parts; none before the first.
    snapshot_id
        Last entry inside the snapshot; reading resumes after it.
    applied_id
        Last entry whose effects are out; at or after ``snapshot_id``.
    failing_id, failures
        The entry on which the processor failed last, and how often.
    """

    parts: Mapping[str, bytes] = field(default_factory=dict)
    snapshot_id: str = BEGINNING
    applied_id: str = BEGINNING
    failing_id: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Commit:
    """Effects of the entries after ``before_id`` up to ``applied_id``, to be made at once or not at all.

    Attributes
    ----------
    before_id
        The applied id that the owner believes in; the commit fails when it moved.
    applied_id
        Last entry whose effects are in here.
    entries
        How many entries that is, for the lag.
    closed
        (entry id, packed frames) in order of ids.
    dead
        Dead letters in order of ids.
    hot
        Symbol -> JSON object.
    hot_ttl_s
        Life of the hot state in seconds.
    parts
        Parts of the state that changed until ``applied_id``, or None to leave the older snapshot. Empty bytes remove a
        part.
    alerts
        (id, JSON object) of what was found.
    max_dead, max_alerts
        Dead letters and alerts kept; the oldest beyond are dropped.
    """

    before_id: str
    applied_id: str
    entries: int = 0
    closed: tuple[tuple[str, bytes], ...] = ()
    dead: tuple[DeadLetter, ...] = ()
    hot: Mapping[str, bytes] = field(default_factory=dict)
    hot_ttl_s: float = 86_400.0
    parts: Mapping[str, bytes] | None = None
    alerts: tuple[tuple[str, bytes], ...] = ()
    max_dead: int = 100_000
    max_alerts: int = 10_000


@dataclass(frozen=True, slots=True)
class LaneProgress:
    """Where a lane stands. ``length``, ``lag`` (not yet applied), ``closed`` and ``dead`` are counted in entries."""

    lane: int
    owner: str | None
    length: int
    lag: int
    closed: int
    dead: int
    last_id: str
    applied_id: str
    snapshot_id: str
    watermark_ns: int | None


class LaneStore(Protocol):
    """Streams, leases and states of lanes. Every method raises ``Unavailable`` when the server is not there."""

    async def claim_lanes(self, n_lanes: int) -> None:
        """Lay the store out for ``n_lanes``; raise ``ConfigError`` when it is laid out for another number."""
        ...

    async def layout(self) -> Layout:
        """Return how many lanes there are; none when nobody has laid the store out."""
        ...

    async def change_layout(self, before: Layout, after: Layout) -> bool:
        """Put a layout in place of another; False when that is not the one any more."""
        ...

    async def publish(
        self,
        lane: int,
        entries: Sequence[Mapping[bytes, bytes]],
        watermark_ns: int | None,
        *,
        note: bytes | None = None,
        epoch: int | None = None,
    ) -> list[str]:
        """Append entries and, unless None, set the publisher's watermark and note, all at once; return the ids.

        Raises ``LayoutMoved`` when the lane takes entries of another epoch of the layout only; None is any.
        """
        ...

    async def note(self, lane: int) -> bytes | None:
        """Return the publisher's note, or None before the first."""
        ...

    async def watermark(self, lane: int) -> int | None:
        """Return the publisher's watermark, or None before the first."""
        ...

    async def read(self, lane: int, after: str, *, count: int, block_s: float) -> Block:
        """Return entries after an id, waiting at most ``block_s`` real seconds for the first; none when none came."""
        ...

    async def read_closed(self, lane: int, after: str, *, count: int, block_s: float) -> list[Entry]:
        """Return entries of closed bars after an id, as ``read`` does."""
        ...

    async def read_alerts(self, *, count: int) -> list[tuple[str, bytes]]:
        """Return the newest alerts as (id, JSON object), oldest first."""
        ...

    async def tell_loss(self, loss_id: str, payload: bytes, *, most: int) -> None:
        """Remember a loss among the ``most`` newest, and as an alert; each once, by its id."""
        ...

    async def read_losses(self, *, count: int) -> list[tuple[str, bytes]]:
        """Return the newest losses as (id, JSON object), oldest first."""
        ...

    async def read_dead(self, lane: int, after: str, *, count: int) -> list[DeadLetter]:
        """Return dead letters after an id, oldest first."""
        ...

    async def read_hot(self, lane: int, symbols: Sequence[str]) -> list[bytes | None]:
        """Return the hot state of each symbol; None where there is none."""
        ...

    async def heartbeat(self, worker_id: str, life_s: float) -> int:
        """Say that a worker lives for ``life_s`` real seconds more; return how many live. 0 says goodbye."""
        ...

    async def lease(self, lane: int, token: str, life_s: float) -> bool:
        """Take or renew a lane for ``life_s`` real seconds; False when somebody else holds it."""
        ...

    async def release(self, lane: int, token: str) -> None:
        """Give the lane back if ``token`` still holds it."""
        ...

    async def load(self, lane: int) -> Saved:
        """Return what a new owner starts from."""
        ...

    async def commit(self, lane: int, token: str, commit: Commit) -> None:
        """Make a commit's effects; raise ``LeaseLost``, and do nothing, when the lane is not ours as we know it.

        So it is, too, when the lane does not hold the last entry that was applied: a server that took over without it
        gets it once more, under another id.
        """
        ...

    async def count_failure(self, lane: int, token: str, entry_id: str) -> int:
        """Count that the processor failed on an entry; return how often so far. ``LeaseLost`` as in ``commit``."""
        ...

    async def trim(self, lane: int, max_entries: int, since_ms: int = 0) -> int:
        """Drop entries inside the snapshot: all but the newest ``max_entries`` that were applied (see ``trim``), and
        those that came before ``since_ms`` of the server's clock; return how many went.
        """
        ...

    async def trim_closed(self, lane: int, upto: str) -> int:
        """Drop entries of closed bars up to and with an id, once they are in the journal; return how many went."""
        ...

    async def progress(self, lane: int) -> LaneProgress:
        """Return where the lane stands."""
        ...
