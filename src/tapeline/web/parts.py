"""The parts of the node that a person watches, encoded once per change for everybody who asks.

In: a ``NodeView``.  Out: each part as JSON with a tag of its content, so that a reader fetches only what differs.
Refuses nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import blake2b

import msgspec

from tapeline.loop.board import NodeView

PARTS: dict[str, Callable[[NodeView], object]] = {
    "status": lambda view: view.status(),
    "market": lambda view: view.market(),
    "scan": lambda view: view.scan(),
    "scan_news": lambda view: view.scan_news(),
    "portfolio": lambda view: view.account(),
    "loop": lambda view: view.loop_status(),
}
"""Name of a part -> how it is read."""


@dataclass(frozen=True, slots=True)
class Part:
    """One part as of a version of the view."""

    version: int
    body: bytes
    tag: str


class Parts:
    """The parts of one view. A part is read again only when the view's version has risen."""

    def __init__(self, view: NodeView) -> None:
        self.view = view
        self._kept: dict[str, Part] = {}

    def get(self, name: str) -> Part:
        """Return the part ``name`` as it is now; a key of ``PARTS``."""
        version, kept = self.view.version, self._kept.get(name)
        if kept is None or kept.version != version:
            body = msgspec.json.encode(PARTS[name](self.view))
            same = kept is not None and kept.body == body
            kept = Part(version, body, kept.tag if kept and same else blake2b(body, digest_size=8).hexdigest())
            self._kept[name] = kept
        return kept

    def tags(self) -> dict[str, str]:
        """Return the tag of every part, as of now."""
        return {name: self.get(name).tag for name in PARTS}
