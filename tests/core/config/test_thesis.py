"""Settings of the language model and of dossiers: combinations that cannot work get one sentence."""

from __future__ import annotations

import pytest

from tapeline.core.config.load import load
from tapeline.core.errors import ConfigError


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({"TAPELINE_LLM__KIND": "endpoint"}, r"llm \(.*\): kind is endpoint, but base_url is empty"),
        (
            {"TAPELINE_LLM__MAX_CONTEXT_TOKENS": "399"},
            r"llm\.max_context_tokens \(.*\): it is 399: give a whole number of at least 400",
        ),
        ({"TAPELINE_THESIS__BUY_AT": "0.5"}, r"thesis \(.*\): sell_at is 0\.3 and buy_at is 0\.5"),
        ({"TAPELINE_THESIS__SELL_AT": "0.6"}, r"0\.5, must lie between them"),
        (
            {"TAPELINE_THESIS__MAX_MODEL_PART": "1.1"},
            r"thesis\.max_model_part \(.*\): it is 1\.1: give a number of at most 1\.0",
        ),
    ],
)
def test_a_combination_that_cannot_work_is_refused_in_one_sentence(environ: dict[str, str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence):
        load(None, environ)


def test_an_endpoint_with_an_address_is_accepted() -> None:
    llm = load(
        None, {"TAPELINE_LLM__KIND": "endpoint", "TAPELINE_LLM__BASE_URL": "http://127.0.0.1:11434/v1"}
    ).config.llm
    assert (llm.kind, llm.base_url) == ("endpoint", "http://127.0.0.1:11434/v1")
