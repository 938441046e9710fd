"""The embedded model as the node starts it: under a guard, found by its ready line."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
import pytest

from tapeline.core.config import LlmConfig
from tapeline.core.process import Child, spawn
from tapeline.feed.model_server import Ready, find_model, server_argv


def installed_weights() -> Path:
    """Return the file of the weights, or skip the test with what to install."""
    found = find_model()
    if found.value is None:
        pytest.skip(found.reason)
    return found.value


@contextmanager
def running_model(folder: Path, weights: Path | None = None) -> Iterator[tuple[str, Child]]:
    """Run the embedded model; yield its address and the child."""
    argv = server_argv(LlmConfig(), weights or installed_weights())
    with spawn(argv, name="the language model", log_path=folder / "model.log", pipe_stdout=True) as child:
        yield msgspec.json.decode(child.read_line(60.0), type=Ready).url, child
