"""What the nodes of a stream server say of themselves, whoever asks: on an event loop or without one.

In: replies to INFO, CLUSTER INFO and CLUSTER SLOTS.  Out: who has which slots, and how many replicas may take over.
Refuses a cluster that is down, or has slots that nobody has, with ``Unavailable``.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tapeline.core.errors import Unavailable

SLOTS = 16_384
KEPT_WITHIN_MS = 2_000
"""Longest wait of a write for the replicas, in milliseconds."""


def _keepalive() -> dict[int, int]:
    """Return how a machine that is gone without a word is noticed, within about eight seconds."""
    wanted = {"TCP_KEEPIDLE": 3, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 8_000}
    return {getattr(socket, name): value for name, value in wanted.items() if hasattr(socket, name)}


KEEPALIVE = _keepalive()
"""Socket options. A server that is only slow answers the kernel's questions, so it is none of those."""


@dataclass(frozen=True, slots=True)
class Shard:
    """A primary of a cluster.

    Attributes
    ----------
    place
        Host and port.
    replicas
        Its replicas that the cluster does not take for dead.
    """

    place: tuple[str, int]
    replicas: int


@dataclass(frozen=True, slots=True)
class Survey:
    """A cluster as one of its nodes knows it.

    Attributes
    ----------
    shards
        Its primaries.
    shard_of_slot
        For each slot, the number of its primary.
    """

    shards: tuple[Shard, ...]
    shard_of_slot: tuple[int, ...]


def survey_of(info: bytes | str, slots: Sequence[Any], asked: str) -> Survey:
    """Return what CLUSTER INFO and CLUSTER SLOTS of a node say; ``asked`` is its host, which it may not know."""
    if "cluster_state:ok" not in _text(info):
        raise Unavailable("the cluster of stream servers is down: it has no majority, or a part has no live node")
    shards: dict[tuple[str, int], Shard] = {}
    owner: list[tuple[str, int] | None] = [None] * SLOTS
    for begin, end, (host, port, *_), *replicas in slots:
        place = (_text(host) or asked, int(port))
        shards[place] = Shard(place, len(replicas))
        owner[begin : end + 1] = [place] * (end + 1 - begin)
    if None in owner:
        raise Unavailable("the cluster of stream servers does not cover all slots; look at `CLUSTER INFO`")
    number = {place: i for i, place in enumerate(shards)}
    return Survey(tuple(shards.values()), tuple(number[place] for place in owner if place is not None))


def online_replicas(info: Mapping[str, Any]) -> int:
    """Return how many replicas a primary that is alone sends everything to, as its INFO says."""
    return sum(state == "online" for state in _states(info))


def syncing_replicas(info: Mapping[str, Any]) -> int:
    """Return how many replicas of a primary are only on their way to have everything."""
    return sum(state != "online" for state in _states(info))


def _states(info: Mapping[str, Any]) -> list[Any]:
    said = (info.get(f"slave{i}") for i in range(int(info.get("connected_slaves", 0))))
    return [each.get("state") for each in said if isinstance(each, dict)]


def _text(raw: bytes | str | None) -> str:
    return raw.decode() if isinstance(raw, bytes) else raw or ""
