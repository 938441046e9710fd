"""The client of language models: what is sent, what is believed, what is asked again, and what stays secret."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any

import httpx2
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta, Struct
from tests.feed.worlds import BACKENDS, answer, run

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig, LlmConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome
from tapeline.feed.gateway import Gateway
from tapeline.feed.llm import (
    ChatModel,
    Choice,
    Completion,
    Message,
    estimate_tokens,
    json_schema,
    llm_feed,
    llm_host,
    read_answer,
)

KEY = "sk-very-secret-1234"
URL = "http://127.0.0.1:1/v1"


class Item(Struct):
    name: Annotated[str, Meta(min_length=1, max_length=20)]


class Opinion(Struct):
    words: Annotated[str, Meta(min_length=1, max_length=40)]
    stance_pct: Annotated[int, Meta(ge=-100, le=100)]
    items: Annotated[tuple[Item, ...], Meta(max_length=2)] = ()


class Report(Struct):
    title: str
    default: int = 3


class Names(Struct):
    names: list[Item]


class Loop(Struct):
    inner: list[Loop]


def said(content: str | None, finish_reason: str = "stop") -> httpx2.Response:
    return answer({"choices": [{"message": {"role": "assistant", "content": content}, "finish_reason": finish_reason}]})


def completion(content: str | None, finish_reason: str | None = "stop") -> Completion:
    return Completion([Choice(Message(content), finish_reason)])


GOOD = '{"words": "up", "stance_pct": 40, "items": []}'


def ask(
    handler: Callable[[httpx2.Request], httpx2.Response],
    *,
    user: str = "Why?",
    config: LlmConfig | None = None,
    backend: str = "asyncio",
    api_key: str = KEY,
) -> Outcome[Opinion]:
    config = config or LlmConfig(model="m-1")

    async def main(clock: LogicalClock) -> Outcome[Opinion]:
        host = llm_host(config, clock, base_url=URL, api_key=api_key)
        feed = llm_feed(config, FeedConfig())
        transport = httpx2.MockTransport(handler)
        async with Gateway([host], config=feed, clock=clock, transport=transport, replay=True) as gateway:
            return await ChatModel(gateway, config).ask("Be brief.", user, Opinion, max_tokens=50)

    return run(main, backend=backend)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_question_is_sent_in_openais_form_and_its_answer_decoded(backend: str) -> None:
    seen: list[httpx2.Request] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        seen.append(request)
        return said(GOOD)

    outcome = ask(handler, backend=backend)
    assert outcome.unwrap() == Opinion("up", 40, ())
    assert outcome.source == "m-1"
    (request,) = seen
    body = json.loads(request.content)
    assert (request.method, request.url.path) == ("POST", "/v1/chat/completions")
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert body["messages"] == [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Why?"}]
    assert (body["model"], body["max_tokens"], body["temperature"]) == ("m-1", 50, 0.0)
    wanted = body["response_format"]
    assert (wanted["type"], wanted["json_schema"]["strict"]) == ("json_schema", True)
    assert wanted["json_schema"]["schema"] == json_schema(Opinion)


def test_without_a_key_no_header_is_sent() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        assert "authorization" not in request.headers
        return said(GOOD)

    assert ask(handler, api_key="").is_value


def test_a_schema_has_no_references_requires_every_field_and_admits_no_other() -> None:
    schema = json_schema(Opinion)
    assert "$ref" not in json.dumps(schema)
    assert schema["required"] == ["words", "stance_pct", "items"]
    assert schema["additionalProperties"] is False
    item = schema["properties"]["items"]["items"]
    assert item == {
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 20}},
        "required": ["name"],
        "additionalProperties": False,
    }
    assert schema["properties"]["stance_pct"] == {"type": "integer", "minimum": -100, "maximum": 100}


def test_a_field_may_have_the_name_of_a_schemas_own_word() -> None:
    assert json_schema(Report) == {
        "type": "object",
        "properties": {"title": {"type": "string"}, "default": {"type": "integer"}},
        "required": ["title", "default"],
        "additionalProperties": False,
    }


def test_a_shape_that_contains_itself_has_no_schema() -> None:
    with pytest.raises(ValueError, match="Loop contains itself"):
        json_schema(Loop)


@pytest.mark.parametrize("bad", ["Buy!", GOOD[:-5], GOOD.replace("40", "101"), GOOD.replace("40", "NaN"), "{}", None])
def test_an_unusable_answer_is_asked_for_once_more(bad: str | None) -> None:
    bodies: list[dict[str, Any]] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        bodies.append(json.loads(request.content))
        return said(bad if len(bodies) == 1 else GOOD)

    assert ask(handler).unwrap().stance_pct == 40
    assert len(bodies) == 2
    again = bodies[1]["messages"][1]["content"]
    assert again.startswith("Why?\n\nYour last answer could not be used: ")


def test_an_answer_that_is_unusable_twice_is_an_error_with_a_sentence_and_no_default() -> None:
    count = 0

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal count
        count += 1
        return said('{"words": "up", "stance_pct": 900, "items": []}')

    outcome = ask(handler)
    assert (outcome.kind, outcome.value, count) == (Kind.ERROR, None, 2)
    assert "its answer cannot be used: Expected `int` <= 100" in outcome.reason


def test_a_cut_answer_is_no_answer_even_if_it_parses() -> None:
    outcome = ask(lambda request: said(GOOD, "length"))
    assert outcome.kind is Kind.ERROR
    assert "cut off" in outcome.reason


def test_a_prompt_above_the_budget_is_not_sent() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        raise AssertionError("it was sent")

    outcome = ask(handler, user="word " * 700, config=LlmConfig(max_context_tokens=600))
    assert outcome.kind is Kind.ERROR
    assert "600 are allowed" in outcome.reason


def test_a_server_error_is_tried_again_by_the_gateway() -> None:
    count = 0

    def handler(request: httpx2.Request) -> httpx2.Response:
        nonlocal count
        count += 1
        return answer({"error": {"message": "busy"}}, 503) if count == 1 else said(GOOD)

    assert ask(handler).is_value
    assert count == 2


def test_a_refusal_shows_no_key() -> None:
    def handler(request: httpx2.Request) -> httpx2.Response:
        return answer({"message": f"Incorrect API key provided: {KEY} (Bearer {KEY})"}, 401)

    outcome = ask(handler)
    assert outcome.kind is Kind.ERROR
    assert KEY not in outcome.reason
    assert "***" in outcome.reason


def test_an_answer_that_is_no_completion_is_an_error() -> None:
    assert ask(lambda request: answer({"choices": "many"})).kind is Kind.ERROR


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        f"```json\n{GOOD}\n```",
        f"<think>It rose.</think> Here it is: {GOOD} I hope it helps.",
    ],
)
def test_words_around_the_json_are_skipped(text: str) -> None:
    assert read_answer(completion(text), Opinion) == Opinion("up", 40, ())


@pytest.mark.parametrize(
    "text",
    [
        '{"names": [{"name": "a"}, {"name": "b"}]}',
        '[{"name": "a"}, {"name": "b"}]',
        '{"questions": [{"name": "a"}, {"name": "b"}]}',
    ],
)
def test_a_list_is_taken_in_any_dress(text: str) -> None:
    assert read_answer(completion(text), Names) == Names([Item("a"), Item("b")])


@pytest.mark.parametrize("text", ['{"a": [], "b": []}', '{"a": 1}', '"names"', "[1]", "[" * 100_000, "[" + "9" * 5_000])
def test_what_is_no_list_is_refused(text: str) -> None:
    with pytest.raises(BadMessage):
        read_answer(completion(text), Names)


def test_an_answer_without_choices_is_refused() -> None:
    with pytest.raises(BadMessage, match="no choices"):
        read_answer(Completion([]), Names)


@given(st.text(max_size=300), st.sampled_from(["stop", "length", None]))
def test_any_text_that_is_no_answer_is_refused(text: str, reason: str | None) -> None:
    with pytest.raises(BadMessage):
        read_answer(completion(text, reason), Opinion)


@given(st.text(st.characters(exclude_characters="{}[]"), max_size=9), st.text(min_size=1, max_size=50), st.integers())
def test_an_answer_is_taken_within_its_bounds_and_refused_beyond(around: str, words: str, stance_pct: int) -> None:
    said = completion(around + json.dumps({"words": words, "stance_pct": stance_pct}) + around)
    if len(words) <= 40 and -100 <= stance_pct <= 100:
        assert read_answer(said, Opinion) == Opinion(words, stance_pct)
    else:
        with pytest.raises(BadMessage):
            read_answer(said, Opinion)


@given(st.text(max_size=200), st.text(max_size=200))
def test_an_estimate_of_tokens_grows_with_the_text(first: str, second: str) -> None:
    assert estimate_tokens(first) >= 0
    assert estimate_tokens(first + second) <= estimate_tokens(first) + estimate_tokens(second)
    assert estimate_tokens(first + second) >= max(estimate_tokens(first), estimate_tokens(second))


def test_the_models_patience_is_its_own() -> None:
    feed = llm_feed(LlmConfig(timeout_s=90.0), FeedConfig(read_timeout_s=10.0))
    assert (feed.read_timeout_s, feed.retries) == (90.0, 1)
    as_others = msgspec.structs.replace(feed, read_timeout_s=10.0, retries=FeedConfig().retries, max_response_mb=32.0)
    assert as_others == FeedConfig(read_timeout_s=10.0)
