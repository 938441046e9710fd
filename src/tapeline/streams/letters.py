"""What people ask of a stream server: dead letters of the ingress and of every lane, progress, and what was lost.

In: a stream server, and a name as ``read_letters`` gives it (``2/1767623400000-0``, ``ingress/...``) or ``all``.
Out: the letters; or their entries on the ingress once more. Refuses to send again what was kept only in part.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from types import MappingProxyType

from tapeline.core.errors import BadInput, BadMessage
from tapeline.core.types import BarFrame
from tapeline.streams import frames, keys
from tapeline.streams.ingress import IngressProgress, ValkeyIngress
from tapeline.streams.store import BEGINNING, DeadLetter, LaneProgress
from tapeline.streams.ticks import NUMBERS, TickRows
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.witness import Loss, read_losses

_AT_ONCE = 1_000
_INGRESS = "ingress"


async def read_letters(address: str, wanted: str = "all") -> list[tuple[str, DeadLetter]]:
    """Return (name, letter) of all letters, or of the one that is wanted."""
    async with connect(address) as store:
        return [(name, letter) for name, _, letter in await _find(store, wanted)]


async def drop_letters(address: str, wanted: str) -> int:
    """Drop letters; return how many."""
    async with connect(address) as store:
        found = await _find(store, wanted)
        for _, key, letter in found:
            await store.delete(key, letter.id)
        return len(found)


async def replay_letters(address: str, wanted: str, changed: Mapping[bytes, bytes] = MappingProxyType({})) -> int:
    """Put what letters hold on the ingress again, each in one step with dropping it; return how many.

    Whoever else replays the same letters meanwhile, each is sent once.

    Parameters
    ----------
    address
        The stream server.
    wanted
        Name of a letter, or ``all``.
    changed
        Fields to send with another value, or in addition.

    Raises
    ------
    BadInput
        When one was kept only in part, or has no fields that could be changed; those before it were sent.
    """
    n = 0
    async with connect(address) as store:
        for name, key, letter in await _find(store, wanted):
            entries = list(_entries(name, letter))
            if changed and (len(entries) != 1 or keys.FRAME in entries[0]):
                raise BadInput(f"letter {name} holds frames, no fields of one tick: it can only be sent as it is")
            n += await store.move(key, letter.id, keys.INGRESS, [{**fields, **changed} for fields in entries])
    return n


async def stream_progress(address: str) -> tuple[IngressProgress, list[LaneProgress]]:
    """Return where the ingress and every lane stand."""
    async with connect(address) as store:
        await store.ping()
        lanes = [await store.progress(lane) for lane in range((await store.layout()).lanes)]
        return await ValkeyIngress(store).progress(), lanes


async def stream_losses(address: str) -> tuple[Loss, ...]:
    """Return what the server was found to have lost, oldest first."""
    async with connect(address) as store:
        return await read_losses(store)


async def _find(store: ValkeyLaneStore, wanted: str) -> list[tuple[str, bytes, DeadLetter]]:
    await store.ping()
    sources = [(_INGRESS, keys.ROUTER_DEAD)]
    sources += [(str(lane), keys.dead(lane)) for lane in range((await store.layout()).widest)]
    found = []
    for source, key in sources:
        after = BEGINNING
        while letters := await store.letters(key, after, count=_AT_ONCE):
            found += [(f"{source}/{letter.id}", key, letter) for letter in letters]
            after = letters[-1].id
    return [each for each in found if wanted in ("all", each[0])]


def _entries(name: str, letter: DeadLetter) -> Iterator[dict[bytes, bytes]]:
    """Yield the entries that a letter's payload is: its fields, or one entry per frame of rows."""
    try:
        parts = frames.unpack(letter.payload)
    except BadMessage:
        raise BadInput(f"letter {name} was kept only in part and cannot be sent again: {letter.reason}") from None
    if parts and all(_is_frame(part) for part in parts):
        yield from ({keys.FRAME: part} for part in parts)
    else:
        yield dict(zip(parts[::2], parts[1::2], strict=True))


def _is_frame(part: bytes) -> bool:
    try:
        frames.decode_any(part)
    except BadMessage:
        return False
    return True


def describe(letter: DeadLetter) -> Iterator[str]:
    """Yield lines for a person on what a letter holds, each of bounded length."""
    try:
        parts = frames.unpack(letter.payload)
    except BadMessage:
        yield f"{len(letter.payload):,} bytes, kept in part: {letter.payload[:60]!r}"
        return
    if not all(map(_is_frame, parts)):
        pairs = zip(parts[:40:2], parts[1:41:2], strict=False)
        yield from (f"{name[:100].decode('utf-8', 'backslashreplace')} = {value[:100]!r}" for name, value in pairs)
        return
    for part in parts[:40]:
        found = frames.decode_any(part)
        what = f"bars of {found.timeframe_s} s" if isinstance(found, BarFrame) else "ticks"
        yield f"a frame of {len(found)} {what}: {', '.join(dict.fromkeys(found.symbols[:10]))}"
        if not isinstance(found, BarFrame):
            yield from map(partial(_line, found), range(min(len(found), 10)))


def _line(ticks: TickRows, row: int) -> str:
    numbers = zip(NUMBERS, ticks.numbers[row].tolist(), strict=True)
    said = (f"{name} {value:g}" for name, value in numbers if value == value)  # not NaN
    return f"  {ticks.symbols[ticks.symbol[row]]}: {', '.join(said)}, time {ticks.event_ns[row]} ns"
