"""Benchmarks: ours, named peers on the same input in the same run, and the limit. Ratios, not seconds."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Iterator
from typing import Any

from tapeline.core.errors import BadInput

NAMES = ("kernels", "greeks", "poll", "scan", "stream")
"""Each is a module of this room with ``run(*, quick) -> {"results": ..., "peers": ...}``."""


def run_bench(name: str, *, quick: bool) -> Iterator[dict[str, Any]]:
    """Run one benchmark, or ``all``, and yield the envelope of each.

    Raises
    ------
    BadInput
        When there is no benchmark of that name.
    """
    if name != "all" and name not in NAMES:
        raise BadInput(f"there is no benchmark {name!r}: choose all, {', '.join(NAMES)}")
    for each in NAMES if name == "all" else (name,):
        module = importlib.import_module(f"tapeline.bench.{each}")
        yield {"bench": each, **module.run(quick=quick), "machine": machine()}


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    return {"cores": os.cpu_count(), "arch": platform.machine(), "python": platform.python_version()}
