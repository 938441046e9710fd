"""The compile cache: cold, shared by several processes, read-only, and never stale."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tapeline.kernels import engine, warm

COMPILE_ONE = """
from tapeline.kernels import engine
from tapeline.kernels.averages import ema
assert engine.address_of(ema) > 0
print(engine._compiled[ema].cache_hits)
"""
NO_FOLDER_BESIDE_THE_SOURCE = """
from numba.core import caching
caching.InTreeCacheLocator.from_function = classmethod(lambda *_: None)
"""
NOTHING_CAN_BE_WRITTEN = """
import tempfile
def refuse(*_, **__):
    raise PermissionError(30, "Read-only file system")
tempfile.TemporaryFile = refuse  # how numba asks whether a folder can be written; not even root passes
"""


def start(cache: Path, script: str = COMPILE_ONE) -> subprocess.Popen[str]:
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(cache), "HOME": str(cache), "XDG_CACHE_HOME": str(cache)}
    return subprocess.Popen(
        [sys.executable, "-c", script], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(process: subprocess.Popen[str]) -> int:
    """Return how many kernels the process found in the cache."""
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    return int(out)


@pytest.mark.process
def test_processes_that_start_together_fill_one_cache_and_later_ones_find_it_even_read_only(tmp_path: Path) -> None:
    assert {finish(process) for process in [start(tmp_path) for _ in range(2)]} <= {0, 1}
    assert finish(start(tmp_path)) == 1
    before = sorted((file, file.stat().st_mtime_ns) for file in tmp_path.rglob("*"))
    assert finish(start(tmp_path, NOTHING_CAN_BE_WRITTEN + COMPILE_ONE)) == 1, "a warm read-only cache is used"
    assert sorted((file, file.stat().st_mtime_ns) for file in tmp_path.rglob("*")) == before


@pytest.mark.process
def test_cache_folder_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("a file where the folder should be: not even root can write below it")
    assert finish(start(blocked, NO_FOLDER_BESIDE_THE_SOURCE + COMPILE_ONE)) == 0


def test_cached_names_carry_the_digest_of_all_kernel_sources() -> None:
    """numba alone would keep code that was compiled against another file's old constants."""
    warm()
    digest = engine.sources_digest()
    assert all(body.__qualname__.endswith(digest) for body in engine._compiled)


def test_warm_reports_progress_to_the_end_and_is_quick_the_second_time() -> None:
    warm()
    calls: list[tuple[int, int]] = []
    started = time.process_time()
    count = warm(progress=lambda done, total: calls.append((done, total)))
    assert time.process_time() - started < 1.0
    assert calls == [(i, count) for i in range(1, count + 1)]
