"""The folder that one node owns: its configuration, journal, logs, lock and the note by which others find it.

In: a path, or TAPELINE_HOME, or the XDG data directory.  Out: a ``Home``; ``Home.claim()`` holds the lock of its one
node. Refuses a second node in the same home.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tapeline.core.config import Config
from tapeline.core.errors import BadInput, HomeBusy, StoreError

MIN_FREE_BYTES = 1 << 20
"""Less than this on the disk, and the stream server's log or the journal cannot grow by one commit."""


class NodeNote(msgspec.Struct, frozen=True, kw_only=True):
    """What ``run/node.json`` says of the running node. Readable by its owner only."""

    pid: int
    version: str
    valkey: str
    simulator: str = ""
    """Base URL of the vendor simulator, empty when real vendors are polled."""
    api: str = ""
    """Base URL of the page and the API, empty when they are off."""
    token: str = ""
    """What a POST to the API has to bring."""


@dataclass(frozen=True, slots=True)
class Home:
    """The paths inside one home. Nothing is created before ``prepare``."""

    path: Path

    @property
    def config_path(self) -> Path:
        """The TOML file, if the person wrote one."""
        return self.path / "tapeline.toml"

    @property
    def journal_path(self) -> Path:
        """The DuckDB file."""
        return self.path / "journal.duckdb"

    @property
    def valkey_path(self) -> Path:
        """Folder of the embedded Valkey."""
        return self.path / "valkey"

    @property
    def marks_path(self) -> Path:
        """Folder of the marks: how far lanes were applied, kept outside the stream server."""
        return self.path / "marks"

    @property
    def run_path(self) -> Path:
        """Folder of what lives only as long as a node: lock, socket, note."""
        return self.path / "run"

    @property
    def note_path(self) -> Path:
        """Where other processes read how to reach the node."""
        return self.run_path / "node.json"

    @property
    def settings_path(self) -> Path:
        """The node's effective settings, for its workers."""
        return self.run_path / "settings.json"

    def log_path(self, name: str) -> Path:
        """The log file of the process called ``name``."""
        return self.path / "logs" / f"{name}.log"

    def prepare(self) -> None:
        """Create the folders, for the owner only. Raises BadInput when that is not possible."""
        try:
            for folder in (self.path, self.run_path, self.valkey_path, self.path / "logs"):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise BadInput(
                f"cannot use the home {self.path}: {error.strerror}; set TAPELINE_HOME to a folder you may write"
            ) from None

    def check_space(self) -> None:
        """Raise StoreError when the disk below the home has no room left to work with."""
        free = shutil.disk_usage(self.path).free
        if free < MIN_FREE_BYTES:
            raise StoreError(
                f"the disk is full: {self.path} has {free // 1024:,} KiB left; free space and start again, "
                "nothing that was booked is lost"
            )

    @contextmanager
    def claim(self) -> Iterator[None]:
        """Hold the lock of this home's one node.

        Raises
        ------
        HomeBusy
            When another node holds it; the text names its process id.
        """
        self.prepare()
        with (self.run_path / "lock").open("a+") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.seek(0)
                owner = lock.read().strip() or "unknown"
                raise HomeBusy(
                    f"another node (process {owner}) runs in {self.path}: stop it, "
                    "or set TAPELINE_HOME to another folder"
                ) from None
            lock.truncate(0)
            lock.write(str(os.getpid()))
            lock.flush()
            try:
                yield
            finally:
                self.note_path.unlink(missing_ok=True)

    def write_note(self, note: NodeNote) -> None:
        """Tell other processes of this user how to reach the node; replaced in one step."""
        _write_private(self.note_path, msgspec.json.encode(note))

    def write_settings(self, config: Config) -> None:
        """Leave the effective settings for the node's workers."""
        _write_private(self.settings_path, msgspec.json.encode(config))

    def read_note(self) -> NodeNote | None:
        """Return the note of the running node, or None when there is none."""
        try:
            return msgspec.json.decode(self.note_path.read_bytes(), type=NodeNote)
        except FileNotFoundError:
            return None
        except msgspec.MsgspecError as error:
            raise BadInput(f"{self.note_path} cannot be read ({error}): remove it and start the node again") from None


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step; only its owner may read it."""
    fresh = path.with_suffix(".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(content)
    fresh.replace(path)


def default_home(environ: Mapping[str, str]) -> Home:
    """Return the home that TAPELINE_HOME names, else ``tapeline`` in the XDG data directory."""
    if environ.get("TAPELINE_HOME"):
        return Home(Path(environ["TAPELINE_HOME"]).expanduser().resolve())
    data = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME", "~")).expanduser() / ".local" / "share")
    return Home(Path(data) / "tapeline")
