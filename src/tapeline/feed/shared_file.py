"""A small JSON file of the home that several processes change, one after the other.

In: a path.  Out: its content, held under a lock while the body changes it, and replaced in one step afterwards.
Refuses to leave half a file: whoever is killed in the middle leaves the one before. Who cannot have the lock within a
few seconds is told so, for each holds it for a moment only.
"""

from __future__ import annotations

import fcntl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Generic, TypeVar

import anyio
import msgspec

from tapeline.core.errors import BadInput, Unavailable
from tapeline.feed.home_file import write_json

T = TypeVar("T")

LOCK_WAIT_S = 5.0
"""Real seconds to wait for another process that holds the file."""
_LOOK_AGAIN_S = 0.002


class SharedFile(Generic[T]):
    """A file of one JSON value. What cannot be read as ``kind`` counts as not there: it is rewritten.

    Parameters
    ----------
    path
        The file; its folder is made when absent.
    kind
        Type of the content; called without arguments for what there is without a file.
    """

    def __init__(self, path: Path, kind: type[T]) -> None:
        self._path = path
        self._kind = kind

    def read(self) -> T:
        """Return the content."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=self._kind)
        except (FileNotFoundError, msgspec.MsgspecError):
            return self._kind()
        except OSError as error:
            raise BadInput(f"cannot read {self._path}: {error.strerror}") from None

    @asynccontextmanager
    async def changing(self) -> AsyncIterator[T]:
        """Lend the content to a body that does not wait; replace the file afterwards. Raises Unavailable, BadInput."""
        with self._lock_file() as lock:
            await _take(lock, self._path)
            content = self.read()
            yield content
            write_json(self._path, content)

    def _lock_file(self) -> IO[str]:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            return self._path.with_suffix(".lock").open("a")
        except OSError as error:
            raise BadInput(
                f"cannot write {self._path}: {error.strerror}; set TAPELINE_HOME to a folder you may write"
            ) from None


async def _take(lock: IO[str], path: Path) -> None:
    """Take the lock; closing the file gives it back."""
    deadline_s = anyio.current_time() + LOCK_WAIT_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if anyio.current_time() > deadline_s:
                raise Unavailable(f"another process holds {path} for over {LOCK_WAIT_S:g} s") from None
            await anyio.sleep(_LOOK_AGAIN_S)
        else:
            return
