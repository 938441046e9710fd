"""The vendors who talk about the market rather than trade it, put behind the door: one family each.

In: the tape, a seed and limits.  Out: their routes, on the vendors' own paths.
Refuses nothing by itself. Nothing is written before it is asked for, so a simulator starts as fast without readers.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import Route

from tapeline.sim import chat
from tapeline.sim.door import Door, Family
from tapeline.sim.limits import SlidingLimit
from tapeline.sim.tape import Tape


@dataclass(frozen=True, slots=True)
class VoiceLimits:
    """Requests in any 60 s of logical time."""

    chat: int = 600


def voice_routes(door: Door, tape: Tape, seed: int, limits: VoiceLimits) -> list[Route]:
    """Return the routes of everybody who talks."""
    return [*_chat_routes(door, seed, limits)]


def _chat_routes(door: Door, seed: int, limits: VoiceLimits) -> list[Route]:
    model = chat.Chat(seed)
    family = Family("chat", SlidingLimit(limits.chat), refusal=chat.refusal)
    return [
        door.route("/v1/models", model.models, family),
        door.route("/v1/chat/completions", model.complete, family, "POST"),
    ]
