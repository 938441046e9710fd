"""Every key name and field name that we use in Valkey; no other module holds one.

In: a lane number or a symbol.  Out: the key, as bytes.
All keys of one lane share the hash tag ``{lane-N}``, so that they live on one node of a cluster and one script or
transaction may touch them all. Keys of the ingress share its slot in the same way, and so do those of
the alerts. Nothing here ever needs KEYS or SCAN.
"""

from __future__ import annotations

LANE_COUNT = b"tapeline:lanes"
"""String: how many lanes this server's data is laid out for, and the change under way (see ``layout``)."""
WORKERS = b"tapeline:workers"
"""Sorted set: worker id -> the moment its heartbeat ends, in the server's milliseconds."""
INGRESS = b"ticks:intraday:processed"
"""Stream: where producers put single ticks and frames of any symbol; a router spreads them over the lanes."""
ALERTS = b"alerts:stream"
"""Stream: patterns that the lanes found, each with an id that follows from what was found."""
ALERTS_TAKEN = b"tapeline:{alerts:stream}:taken"
"""Hash, on a cluster: lane -> id in the lane's own alerts up to which they are in ``ALERTS``."""
LOSSES = b"tapeline:losses"
"""Stream: what was found to be lost, each once; also among the alerts, where patterns push it out in time."""
ROUTER_LEASE = b"tapeline:{ticks:intraday:processed}:lease"
"""String with a time to live: the token of whoever routes."""
ROUTER = b"tapeline:{ticks:intraday:processed}:state"
"""Hash: the id up to which the ingress has been spread, counts, the term of the newest router. Fields below."""
ROUTED = b"tapeline:{ticks:intraday:processed}:routed"
"""Hash: lane -> the newest ingress entry whose rows it was given. A lane that knows less has lost them."""
ROUTER_DEAD = b"tapeline:{ticks:intraday:processed}:dead"
"""Stream: ingress entries that hold no tick, with reason and payload."""


def _of_lane(lane: int, what: str) -> bytes:
    return f"tapeline:{{lane-{lane}}}:{what}".encode()


def rows(lane: int) -> bytes:
    """Stream: frames and single ticks, in the order in which they are applied."""
    return _of_lane(lane, "rows")


def closed(lane: int) -> bytes:
    """Stream: bars that the lane's owner closed. An entry has the id of the entry in ``rows`` that closed them."""
    return _of_lane(lane, "closed")


def dead(lane: int) -> bytes:
    """Stream: entries that could not be applied, with reason and payload, under their own ids."""
    return _of_lane(lane, "dead")


def lease(lane: int) -> bytes:
    """String with a time to live: the token of the lane's owner."""
    return _of_lane(lane, "lease")


def state(lane: int) -> bytes:
    """Hash: ids up to which snapshot and effects reach, counts. Fields below."""
    return _of_lane(lane, "state")


def snapshot(lane: int) -> bytes:
    """Hash: the parts of the lane's state, each under its name."""
    return _of_lane(lane, "snapshot")


def staged(lane: int, attempt: int) -> bytes:
    """Hash: the parts of the lane's state after a change of the number of lanes, until that is made."""
    return _of_lane(lane, f"staged:{attempt}")


def alerts(lane: int) -> bytes:
    """Stream, on a cluster: the lane's alerts on their way to ``ALERTS``, which lives elsewhere."""
    return _of_lane(lane, "alerts")


def watermark(lane: int) -> bytes:
    """String: UTC nanoseconds up to which the publisher has asked for everything."""
    return _of_lane(lane, "watermark")


def note(lane: int) -> bytes:
    """String: what the publisher wants to find again after a restart, as of the lane's last entry of its."""
    return _of_lane(lane, "note")


def hot(lane: int, symbol: str) -> bytes:
    """String with a time to live: the symbol's newest values as one JSON object."""
    return _of_lane(lane, f"hot:{symbol}")


REPLAY = "tapeline:replay:"
"""What the consumer groups of replays on the ingress begin with, each followed by the replay's name."""


def replay(name: str, what: str) -> bytes:
    """What a replay makes, all with a time to live: ``lease``, ``closed``, ``alerts``, ``hot`` and ``summary``.

    Streams ``closed`` and ``alerts`` as those of the lanes, hash ``hot``: symbol -> JSON object, string ``summary``:
    JSON object, string ``lease``: the token of whoever makes it.
    """
    return f"{REPLAY}{{{name}}}:{what}".encode()


def shelf(name: str) -> bytes:
    """String with a time to live: a blob that somebody may want again. All share a hash tag, to be read at once."""
    return f"tapeline:{{shelf}}:{name}".encode()


# Fields of the state hash.
SNAPSHOT_ID = b"snapshot_id"
APPLIED_ID = b"applied_id"
ENTRIES_APPLIED = b"entries_applied"
STEPS = b"steps"
"""Of a lane and of the router: ids up to which older entries may go, as JSON (see ``trim``)."""
FAILING_ID = b"failing_id"
FAILURES = b"failures"
LAYOUT = b"layout"
"""Of a lane: the epoch of the layout whose publishers may write. Missing: anybody's."""
SWITCHED = b"switched"
"""Of a lane: the epoch of the layout that its state was made for by a change; missing before the first."""
TERM = b"term"
"""Of a lane: the term of the only router that may write. Of the router: the newest term."""
READ_ID = b"read_id"
"""Of the router: the newest ingress entry that it has read, where that has to be on a replica before it goes on."""
ROUTED_ID = b"routed_id"
"""Of a lane: the newest ingress entry whose rows it has."""

# Fields of stream entries.
FRAME = b"frame"
"""In ``rows``: one frame. In ``closed``: all frames of one entry, one after the other (see ``frames.pack``)."""
ALERT = b"alert"
ALERT_ID = b"id"
REASON = b"reason"
PAYLOAD = b"payload"
