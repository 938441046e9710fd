"""How many lanes there are, and the change from one number to another while it lasts: one string on the server.

In: text as the server keeps it.  Out: a ``Layout``, and its text. Refuses nothing: whoever changes it compares first.
"""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.core.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Layout:
    """The lanes of a server.

    Attributes
    ----------
    lanes
        How many symbols are spread over; 0 when nobody has laid the server out.
    widest
        How many there ever were: those beyond ``lanes`` may still hold closed bars and dead letters.
    epoch
        How often the number changed.
    next_lanes
        How many there will be when the change under way is done; 0 when there is none.
    attempt
        Number of the try at this change; a new one makes an older one fail.
    is_staged
        Whether the states of the new lanes are all there, so that the change can only go on.
    """

    lanes: int = 0
    widest: int = 0
    epoch: int = 0
    next_lanes: int = 0
    attempt: int = 0
    is_staged: bool = False

    @property
    def is_changing(self) -> bool:
        """Whether nobody may write to a lane now."""
        return self.next_lanes > 0

    @staticmethod
    def parse(text: str) -> Layout:
        """Return the layout that ``text`` says; none for no text. A single number is that of a server never changed."""
        if not text:
            return Layout()
        lanes, *rest = (int(part) for part in text.split(":"))
        if not rest:
            return Layout(lanes, lanes)
        widest, epoch, next_lanes, attempt, is_staged = rest
        return Layout(lanes, widest, epoch, next_lanes, attempt, bool(is_staged))

    @property
    def text(self) -> str:
        """The text that ``parse`` reads."""
        if not self.epoch and not self.is_changing:
            return str(self.lanes) if self.lanes else ""
        numbers = (self.lanes, self.widest, self.epoch, self.next_lanes, self.attempt, int(self.is_staged))
        return ":".join(map(str, numbers))

    def done(self, lanes: int) -> Layout:
        """Return the layout after a change to ``lanes``."""
        return Layout(lanes, max(self.widest, lanes), self.epoch + 1)


def lane_count_error(layout: Layout, asked: int) -> ConfigError:
    """Return the error for a store that is laid out for another number of lanes.

    A change moves the state of every symbol and stops the writers for a moment, so it is asked for by a person and
    never started by a configuration: two machines with different ones would change it back and forth.
    """
    return ConfigError(
        f"the stream server is laid out for {layout.lanes} lanes and streams.lanes says {asked}: "
        f"set streams.lanes = {layout.lanes}, or change the server with `tapeline lanes --set {asked}`"
    )
