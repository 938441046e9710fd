"""``warm``: compiles everything that there is to compile, and says how much that was."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.cli.shell import Shell

Report = Callable[[int, int, str], None]


@pytest.fixture(autouse=True)
def _compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compile nothing: three indicators, two Greeks, four loops over ticks and five of scans, at once."""

    def compiler(count: int) -> Callable[[Report], int]:
        def warm(progress: Report) -> int:
            for done in range(1, count + 1):
                progress(done, count, f"kernel {done}")
            return count

        return warm

    monkeypatch.setattr("tapeline.kernels.warm", compiler(3))
    monkeypatch.setattr("tapeline.kernels.greeks.warm", compiler(2))
    monkeypatch.setattr("tapeline.live.warm.warm", compiler(4))
    monkeypatch.setattr("tapeline.scan.warm.warm", compiler(5))


def test_progress_goes_to_standard_error(shell: Shell) -> None:
    answer = shell("warm")
    assert (answer.code, answer.out) == (0, "")
    assert "3/3" in answer.err
    assert "2/2" in answer.err
    assert "4/4" in answer.err
    assert "5/5" in answer.err


def test_json_counts_all_kernels_and_shows_no_progress(shell: Shell) -> None:
    answer = shell("warm", "--json")
    told = json.loads(answer.out)
    assert (told["kernels"], answer.err) == (14, "")
    assert told["compile_s"] >= 0.0
