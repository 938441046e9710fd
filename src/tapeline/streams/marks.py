"""How far each lane was seen applied, on this machine's disk: a witness outside the stream server.

In: the id up to which the server acknowledged a lane's effects.  Out: the same id after a restart of everything.
A server that knows less than its mark has lost what came between, as after a loss of power between two of its syncs.
Refuses nothing: a mark that cannot be read is none, with a warning; one that cannot be written is written later.
"""

from __future__ import annotations

import logging
import os
import re
import zlib
from pathlib import Path

from tapeline.streams.store import BEGINNING

log = logging.getLogger(__name__)

_ID = re.compile(r"[0-9]{1,20}-[0-9]{1,20}")


class Marks:
    """One small file per lane, replaced as a whole. The lane's owner alone writes it.

    Parameters
    ----------
    folder
        Where the files are; made at the first write.
    address
        The stream server: marks of one say nothing of another.
    """

    def __init__(self, folder: Path, address: str) -> None:
        self._folder = folder / f"{zlib.crc32(address.encode()):08x}"

    def path(self, lane: int) -> Path:
        """Return the file of a lane."""
        return self._folder / f"lane-{lane}"

    def read(self, lane: int) -> str:
        """Return the id up to which a lane was seen applied; ``BEGINNING`` when nobody has written one."""
        try:
            text = self.path(lane).read_bytes()[:100].decode("ascii", "replace").strip()
        except FileNotFoundError:
            return BEGINNING
        except OSError as error:
            log.warning("the mark of lane %d cannot be read, a loss would not be noticed: %s", lane, error)
            return BEGINNING
        if _ID.fullmatch(text):
            return text
        log.warning("%s holds no id of an entry, a loss before it would not be noticed", self.path(lane))
        return BEGINNING

    def write(self, lane: int, entry_id: str) -> None:
        """Put an id on the disk, synced, before this returns."""
        path = self.path(lane)
        draft = path.with_name(f"{path.name}.{os.getpid()}.new")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with draft.open("w") as file:
                file.write(f"{entry_id}\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(path)
        except OSError as error:
            log.warning("the mark of lane %d cannot be written: %s", lane, error)
