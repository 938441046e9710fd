"""How far each stream was seen, on this machine's disk: a witness outside the stream server.

In: the ids up to which the server had entries and effects.  Out: the same ids after a restart of everything.
A server that knows less than its mark has lost what came between, as after a loss of power between two of its syncs.
Refuses nothing: a mark that cannot be read is none, with a warning; one that cannot be written is written later.
"""

from __future__ import annotations

import logging
import os
import re
import zlib
from dataclasses import dataclass
from pathlib import Path

from tapeline.streams.store import BEGINNING, id_key

log = logging.getLogger(__name__)

_IDS = re.compile(r"([0-9]{1,20}-[0-9]{1,20})(?: ([0-9]{1,20}-[0-9]{1,20}))?")
INGRESS = "ingress"
"""What the ingress is called beside the lanes."""


def lane_part(lane: int) -> str:
    """Return what a lane is called."""
    return f"lane-{lane}"


@dataclass(frozen=True, slots=True)
class Mark:
    """What was seen of a stream.

    Attributes
    ----------
    applied_id
        Id up to which its entries have had their effects.
    last_id
        Id of its newest entry; never before ``applied_id``.
    """

    applied_id: str = BEGINNING
    last_id: str = BEGINNING

    def joined(self, other: Mark) -> Mark:
        """Return the mark of whoever saw more, for each of the ids."""
        applied_id = max(self.applied_id, other.applied_id, key=id_key)
        return Mark(applied_id, max(applied_id, self.last_id, other.last_id, key=id_key))


class Marks:
    """One small file per stream, replaced as a whole. The stream's owner alone writes it.

    Parameters
    ----------
    folder
        Where the files are; made at the first write.
    address
        The stream server: marks of one say nothing of another.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder / f"{zlib.crc32(address.encode()):08x}"

    def path(self, part: str) -> Path:
        """Return the file of a stream."""
        return self._folder / part

    def read(self, part: str) -> Mark:
        """Return what was seen of a stream; nothing when nobody has written it."""
        try:
            text = self.path(part).read_bytes()[:100].decode("ascii", "replace").strip()
        except FileNotFoundError:
            return Mark()
        except OSError as error:
            log.warning("the mark of %s cannot be read, a loss would not be noticed: %s", part, error)
            return Mark()
        if found := _IDS.fullmatch(text):
            return Mark(found[1]).joined(Mark(BEGINNING, found[2] or BEGINNING))
        log.warning("%s holds no ids of entries, a loss before them would not be noticed", self.path(part))
        return Mark()

    def write(self, part: str, mark: Mark) -> None:
        """Put a mark on the disk, synced, before this returns."""
        path = self.path(part)
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with draft.open("w") as file:
                file.write(f"{mark.applied_id} {mark.last_id}\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            log.warning("the mark of %s cannot be written: %s", part, error)
