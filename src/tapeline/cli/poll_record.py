"""``poll --record`` and ``--replay``: the vendor's answers kept in a folder, and polled again from there.

In: a folder.  Out: the transport, the clock and the keys that the vendor is asked with.
Refuses to replay anything but what was recorded, as it was. A replay asks nobody, needs no key, leaves the home alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx2
import msgspec

from tapeline.core.clock import Clock, LogicalClock
from tapeline.core.config import Config
from tapeline.core.config.secrets import AlpacaKeys, massive_key
from tapeline.core.errors import DataError
from tapeline.feed.recorded import Recipe, check_folder, read_recipe, write_recipe
from tapeline.feed.recording import RecordingTransport, ReplayTransport

REPLAY_KEYS = AlpacaKeys("replay", "replay")
"""What nobody asks for."""
MAX_NAMED = 120
"""Characters of a strange question that are shown."""


@dataclass(slots=True)
class Record:
    """What is asked is kept in ``folder``; the recording begins with the vendor's gateway."""

    folder: Path
    wanted: tuple[str, ...]
    once: bool
    cycles: int | None

    def __post_init__(self) -> None:
        check_folder(self.folder)

    def transport(
        self, config: Config, clock: Clock, keys: AlpacaKeys, environ: Mapping[str, str]
    ) -> httpx2.AsyncBaseTransport:
        """Begin: note how it is asked, and return what sends and keeps."""
        path = write_recipe(
            self.folder,
            Recipe(
                start_ns=clock.now_ns(),
                is_logical=isinstance(clock, LogicalClock),
                seed=config.node.seed,
                feed=config.feed,
                wanted=self.wanted,
                once=self.once,
                cycles=self.cycles,
            ),
        )
        secrets = [keys.key_id, keys.secret_key, massive_key(environ)]
        return RecordingTransport(httpx2.AsyncHTTPTransport(trust_env=False, http2=True), path, secrets, clock=clock)


@dataclass(slots=True)
class Replay:
    """What was kept in ``folder`` is answered again.

    Attributes
    ----------
    stop
        Called when the recording is over.
    """

    folder: Path
    stop: Callable[[], None] = lambda: None
    recipe: Recipe = field(init=False)
    clock: LogicalClock = field(init=False)
    _traffic: Path = field(init=False)
    _player: ReplayTransport | None = field(init=False, default=None)

    def __post_init__(self) -> None:
        self.recipe, self._traffic = read_recipe(self.folder)
        self.clock = LogicalClock(self.recipe.start_ns)

    def settings(self) -> Config:
        """Return the settings that it was recorded by."""
        replaced = msgspec.structs.replace
        config = Config()
        return replaced(config, feed=self.recipe.feed, node=replaced(config.node, seed=self.recipe.seed))

    def transport(self) -> httpx2.AsyncBaseTransport:
        """Return what answers from the recording."""
        self._player = ReplayTransport(self._traffic, clock=self.clock, on_end=self.stop)
        return self._player

    def check(self) -> None:
        """Raise DataError when something was asked that is not on record."""
        if self._player is not None and self._player.strange:
            raise DataError(
                f"the recording in {self.folder} has no answer to {self._player.strange[0][:MAX_NAMED]}: it was cut "
                "off in the middle of a cycle, or changed; record again"
            )
