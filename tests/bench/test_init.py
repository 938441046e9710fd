"""The benchmarks' door: every name is a module that keeps the contract, and an envelope says what was measured on."""

from __future__ import annotations

import importlib
import inspect
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from tapeline.bench import NAMES, machine, run_bench
from tapeline.core.errors import BadInput


@pytest.mark.parametrize("name", NAMES)
def test_every_name_is_a_module_with_a_run_that_can_be_quick(name: str) -> None:
    run = importlib.import_module(f"tapeline.bench.{name}").run
    (parameter,) = inspect.signature(run).parameters.values()
    assert (parameter.name, parameter.kind) == ("quick", inspect.Parameter.KEYWORD_ONLY)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, bool]]:
    """Return which benchmarks were run, and whether quickly, instead of running them."""
    seen: list[tuple[str, bool]] = []

    def load(name: str) -> Any:
        def run(*, quick: bool) -> dict[str, Any]:
            seen.append((name.rsplit(".", 1)[-1], quick))
            return {"results": {"ratio": 3.0}, "peers": {"other": None}}

        return SimpleNamespace(run=run)

    monkeypatch.setattr("tapeline.bench.importlib", SimpleNamespace(import_module=load))
    return seen


def test_all_runs_each_once_and_one_at_a_time(asked: list[tuple[str, bool]]) -> None:
    envelopes = run_bench("all", quick=True)
    assert next(envelopes)["bench"] == NAMES[0]
    assert asked == [(NAMES[0], True)]
    assert [envelope["bench"] for envelope in envelopes] == list(NAMES[1:])
    assert asked == [(name, True) for name in NAMES]


def test_an_envelope_holds_results_peers_and_the_machine(asked: list[tuple[str, bool]]) -> None:
    (envelope,) = run_bench(NAMES[-1], quick=False)
    assert asked == [(NAMES[-1], False)]
    assert envelope == {
        "bench": NAMES[-1],
        "results": {"ratio": 3.0},
        "peers": {"other": None},
        "machine": machine(),
    }
    assert msgspec.json.decode(msgspec.json.encode(envelope)) == envelope


def test_an_unknown_name_is_refused_before_anything_runs(asked: list[tuple[str, bool]]) -> None:
    with pytest.raises(BadInput, match="there is no benchmark 'speed'"):
        next(run_bench("speed", quick=True))
    assert asked == []


def test_the_machine_is_told_by_cores_architecture_and_python() -> None:
    told = machine()
    assert set(told) == {"cores", "arch", "python"}
    assert told["cores"] >= 1
