"""The count of requests in a file of the home: for all processes, over restarts, whatever became of the clock."""

from __future__ import annotations

import fcntl
from pathlib import Path

import anyio
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.feed.worlds import BACKENDS

from tapeline.core.errors import Unavailable
from tapeline.core.types import NS_PER_S
from tapeline.feed import shared_file
from tapeline.feed.file_limit import KEPT_KEYS, BothLimiterStates, FileLimiterState
from tapeline.feed.shared_limit import LimiterState, MemoryLimiterState

WINDOW_NS = 60 * NS_PER_S
T0_NS = 1_800_000_000 * NS_PER_S


async def _take(state: LimiterState, token: str, at_s: float, key: str = "k") -> int | None:
    """Take one of two slots; return None, or the second at which one may be free."""
    now_ns = T0_NS + round(at_s * NS_PER_S)
    free_ns = await state.reserve(key, token, now_ns=now_ns, window_ns=WINDOW_NS, limit=2)
    return None if free_ns is None else round((free_ns - T0_NS) / NS_PER_S)


@pytest.mark.parametrize("backend", BACKENDS)
def test_several_processes_share_one_limit_that_outlives_them(tmp_path: Path, backend: str) -> None:
    path = tmp_path / "market" / "limits.json"

    async def main() -> None:
        one, other = FileLimiterState(path), FileLimiterState(path)
        assert await _take(one, "a", 0) is None
        assert await _take(other, "b", 1) is None
        assert await _take(other, "c", 2) == 120  # "a" may be in flight for a minute, and counts for another
        await one.settle("k", "a", until_ns=T0_NS + 63 * NS_PER_S)
        assert await _take(other, "c", 4) == 63
        assert await _take(other, "c", 4, key="another") is None
        assert await _take(FileLimiterState(path, clock="http://simulator"), "c", 4) is None
        assert await _take(FileLimiterState(path), "d", 62.9) == 63
        assert await _take(FileLimiterState(path), "d", 63.1) is None
        assert "another" not in path.read_text()

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_of_many_who_ask_at_once_as_many_as_there_are_slots_get_one(tmp_path: Path, backend: str) -> None:
    told: list[int | None] = []

    async def ask(number: int) -> None:
        told.append(await _take(FileLimiterState(tmp_path / "limits.json"), str(number), 0))

    async def main() -> None:
        async with anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(ask, number)

    anyio.run(main, backend=backend)
    assert sorted(map(str, told)) == ["120"] * 10 + ["None"] * 2


def test_slots_of_a_clock_that_was_set_back_do_not_block(tmp_path: Path) -> None:
    async def main() -> None:
        state = FileLimiterState(tmp_path / "limits.json", clock="http://simulator")
        assert await _take(state, "a", 9_000) is None
        assert await _take(state, "b", 9_000) is None
        assert await _take(state, "c", 0) is None

    anyio.run(main)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 40)), max_size=40))
@settings(max_examples=30, deadline=None)
def test_the_file_says_what_memory_says(tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[int, int]]) -> None:
    async def main() -> None:
        file, memory = FileLimiterState(tmp_path_factory.mktemp("x") / "limits.json"), MemoryLimiterState()
        at_s = 0.0
        for number, (pause_s, settled_s) in enumerate(steps):
            at_s += pause_s
            said = await _take(file, str(number), at_s)
            assert said == await _take(memory, str(number), at_s)
            if said is None:
                until_ns = T0_NS + round((at_s + settled_s) * NS_PER_S)
                await file.settle("k", str(number), until_ns=until_ns)
                await memory.settle("k", str(number), until_ns=until_ns)

    anyio.run(main)


def test_old_keys_are_let_go_and_a_file_that_is_no_count_is_begun_anew(tmp_path: Path) -> None:
    path = tmp_path / "limits.json"
    path.write_text("half a fi")

    async def main() -> None:
        state = FileLimiterState(path)
        for number in range(KEPT_KEYS + 5):
            assert await _take(state, "a", 0, key=str(number)) is None
        assert path.read_text().count('"a"') == KEPT_KEYS

    anyio.run(main)


def test_a_process_that_holds_the_file_for_too_long_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_file, "LOCK_WAIT_S", 0.01)

    async def main() -> None:
        with (tmp_path / "limits.lock").open("a") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with pytest.raises(Unavailable, match=r"another process holds .*limits\.json"):
                await _take(FileLimiterState(tmp_path / "limits.json"), "a", 0)
        assert await _take(FileLimiterState(tmp_path / "limits.json"), "a", 0) is None

    anyio.run(main)


def test_what_is_counted_in_two_places_is_taken_in_both_or_in_none() -> None:
    async def main() -> None:
        here, there = MemoryLimiterState(), MemoryLimiterState()
        both = BothLimiterStates(here, there)
        for token in ("a", "b"):
            assert await _take(here, token, 0) is None
        assert await _take(both, "c", 1) == 120
        assert await _take(there, "d", 2) is None  # what was taken there for "c" was given back
        assert await _take(there, "e", 2) is None
        for token in ("a", "b"):
            await here.settle("k", token, until_ns=T0_NS + 3 * NS_PER_S)
        assert await _take(both, "f", 4) == 122  # there is no room there
        assert await _take(here, "g", 4) is None

    anyio.run(main)
