"""Files of the home that hold one value as JSON, such as the list of stocks or of contracts.

In: a path and what it holds.  Out: the value, or the file, replaced in one step.
Refuses a file that cannot be read or is damaged, by its path and with what to do.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from tapeline.core.errors import BadInput, DataError

T = TypeVar("T")


def read_json(path: Path, kind: type[T], empty: T) -> T:
    """Return what was kept; ``empty`` when there is no file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except FileNotFoundError:
        return empty
    except OSError as error:
        raise BadInput(f"cannot read {path}: {error.strerror}") from None
    except msgspec.MsgspecError as error:
        raise DataError(f"{path} is damaged ({error}): remove it and sync again") from None


def write_json(path: Path, content: object) -> None:
    """Replace a file in one step."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_bytes(msgspec.json.encode(content))
        fresh.replace(path)
    except OSError as error:
        raise BadInput(f"cannot write {path}: {error.strerror}") from None
