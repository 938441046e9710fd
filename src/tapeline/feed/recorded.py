"""A folder with a recording: the traffic, and how it was asked for, so that a replay asks the same again.

In: settings and wishes of a poll.  Out: the same, read from the folder.
Refuses a folder that holds something, a folder without a recording, and a recording of another version. Holds no
secret: keys are not among the settings, and credentials in addresses are blotted out.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadInput, DataError
from tapeline.feed.recording import VERSION

RECIPE, TRAFFIC = "recipe.json", "traffic.jsonl"
_CREDENTIALS = re.compile(r"(://)[^/@\s]*@")


class _Stamp(msgspec.Struct, frozen=True):
    version: int


class Recipe(msgspec.Struct, frozen=True, kw_only=True):
    """How a recording was made.

    Attributes
    ----------
    version
        Of the recording.
    start_ns
        When it began.
    is_logical
        Whether a simulator owned its clock.
    seed
        Of the pauses between tries.
    feed
        The settings it was asked by.
    wanted
        The symbols; none for all that the vendor lists.
    once, cycles
        One look, or how many cycles; None for those there are.
    """

    version: int = VERSION
    start_ns: int
    is_logical: bool
    seed: int
    feed: FeedConfig
    wanted: tuple[str, ...]
    once: bool
    cycles: int | None


def check_folder(folder: Path) -> None:
    """Raise BadInput when a recording cannot begin in ``folder``: it must be new, or empty."""
    try:
        if folder.exists() and any(folder.iterdir()):
            raise BadInput(f"{folder} is not empty, and a recording needs a folder of its own: give a new one")
    except OSError as error:
        raise BadInput(f"cannot record in {folder}: {error.strerror}; give a new folder") from None


def write_recipe(folder: Path, recipe: Recipe) -> Path:
    """Make the folder, for its owner only, note how the recording is made, and return where its traffic goes."""
    text = _CREDENTIALS.sub(r"\1", msgspec.json.encode(recipe).decode())
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (folder / RECIPE).write_text(text, encoding="utf-8")
    except OSError as error:
        raise BadInput(f"cannot record in {folder}: {error.strerror}; give a folder you may write") from None
    return folder / TRAFFIC


def read_recipe(folder: Path) -> tuple[Recipe, Path]:
    """Return how a recording was made, and where its traffic is. Raises DataError."""
    path = folder / RECIPE
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"there is no recording in {folder} ({RECIPE}: {error.strerror}): `tapeline poll --record` makes one"
        ) from None
    try:
        version = msgspec.json.decode(content, type=_Stamp).version
        if version != VERSION:
            raise DataError(
                f"the recording in {folder} is of version {version}, and {VERSION} is read here: record again"
            )
        return msgspec.json.decode(content, type=Recipe), folder / TRAFFIC
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read ({error}): it was cut off or changed; record again") from None
