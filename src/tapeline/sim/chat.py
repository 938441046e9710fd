"""A language model that only looks like one, behind OpenAI's chat endpoint.

In: ``POST /v1/chat/completions``.  Out: a completion, whole or streamed, in the schema that was asked for.
The same request at the same logical time has the same answer to the byte. Refuses what OpenAI refuses, in its form.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.door import Ask, Reply
from tapeline.sim.opinion import facts_of, score_of
from tapeline.sim.schema import View, Writer
from tapeline.sim.wire import WireError

MODEL = "tapeline-sim-1"
BYTES_PER_TOKEN = 4
MAX_MESSAGES = 64
_TAG = re.compile(r"\[([A-Za-z][\w.:-]{0,40}|\d{1,4})\]")
_TOPIC = re.compile(r"\b(?:symbol|ticker|company)\b\s*[:=]?\s*\$?([A-Z][A-Z0-9.-]{0,9})\b")

_encode = msgspec.json.Encoder().encode


class Part(Struct):
    """One piece of a message's content."""

    type: str
    text: str = ""


class Message(Struct):
    """One turn of the conversation."""

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | list[Part] | None = None

    @property
    def text(self) -> str:
        """The words of all parts."""
        if isinstance(self.content, list):
            return "\n".join(part.text for part in self.content)
        return self.content or ""


class Form(Struct):
    """What shape the answer should have."""

    type: Literal["text", "json_object", "json_schema"] = "text"
    json_schema: dict[str, Any] | None = None


class StreamOptions(Struct):
    """What a stream tells besides words."""

    include_usage: bool = False


class Question(Struct):
    """The body of a request; fields that change nothing here are not read."""

    model: str
    messages: Annotated[list[Message], Meta(min_length=1, max_length=MAX_MESSAGES)]
    max_tokens: Annotated[int, Meta(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Meta(ge=1)] | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    n: Annotated[int, Meta(ge=1, le=1)] | None = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    response_format: Form | None = None


class Chat:
    """The answers of the model's host.

    Parameters
    ----------
    seed
        Chooses phrasings; an opinion follows from the facts alone.
    """

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def models(self, ask: Ask) -> Reply:
        """Answer ``/v1/models``."""
        model = {"id": MODEL, "object": "model", "created": ask.now_ns // NS_PER_S, "owned_by": "tapeline"}
        return Reply({"object": "list", "data": [model]}, Label.SIMULATED)

    def complete(self, ask: Ask) -> Reply:
        """Answer ``/v1/chat/completions``."""
        try:
            question = msgspec.json.decode(ask.body, type=Question)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise WireError(400, f"We could not parse the JSON body of your request: {error}") from None
        words = self._answer(question)
        limit = question.max_completion_tokens or question.max_tokens
        cut = limit is not None and _tokens(words) > limit
        if cut and limit is not None:
            words = words.encode()[: limit * BYTES_PER_TOKEN].decode(errors="ignore")
        reason = "length" if cut else "stop"
        prompt = sum(_tokens(message.text) + 3 for message in question.messages)
        spent = _tokens(words)
        usage = {"prompt_tokens": prompt, "completion_tokens": spent, "total_tokens": prompt + spent}
        digest = hashlib.blake2b(ask.body, digest_size=12, key=str(self._seed).encode()).hexdigest()
        head = {"id": f"chatcmpl-{digest}", "created": ask.now_ns // NS_PER_S, "model": question.model}
        if question.stream:
            options = question.stream_options or StreamOptions()
            body = b"".join(_events(head, words, reason, usage if options.include_usage else None))
            return Reply(body, Label.SIMULATED, "text/event-stream")
        message = {"role": "assistant", "content": words, "refusal": None}
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": reason}
        body_of = {**head, "object": "chat.completion", "choices": [choice], "usage": usage}
        return Reply(body_of, Label.SIMULATED)

    def _answer(self, question: Question) -> str:
        prompt = "\n".join(message.text for message in question.messages if message.role == "user")
        facts = facts_of(prompt)
        tags = tuple(dict.fromkeys(_TAG.findall(prompt)))
        named = _TOPIC.search(prompt)
        key = hashlib.blake2b(prompt.encode(), digest_size=8, key=str(self._seed).encode()).hexdigest()
        view = View(score_of(facts), facts, tags, named[1] if named else "the company", key)
        form = question.response_format or Form()
        if form.type == "text":
            return str(Writer({"type": "string"}, view).write())
        schema = {"type": "object", "properties": {"answer": {"type": "string"}, "stance": {"type": "number"}}}
        if form.type == "json_schema":
            asked = (form.json_schema or {}).get("schema")
            if not isinstance(asked, dict):
                raise WireError(400, "Missing required parameter: 'response_format.json_schema.schema'.")
            schema = asked
        try:
            return _encode(Writer(schema, view).write()).decode()
        except (AttributeError, LookupError, TypeError, ValueError) as error:
            raise WireError(400, f"Invalid schema for response_format: {error}.") from None


def refusal(error: WireError) -> object:
    """Return an error as OpenAI spells it."""
    kind = {429: "requests", 500: "server_error"}.get(error.status, "invalid_request_error")
    code = "rate_limit_exceeded" if error.status == 429 else None
    return {"error": {"message": error.message, "type": kind, "param": None, "code": code}}


def _events(head: dict[str, Any], words: str, reason: str, usage: object | None) -> Iterator[bytes]:
    """Yield the chunks of a stream: the role, the words one by one, the reason of the end, the usage if wanted."""
    head = {**head, "object": "chat.completion.chunk"}

    def event(delta: object, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + _encode({**head, "choices": [choice]}) + b"\n\n"

    yield event({"role": "assistant", "content": ""})
    for word in re.findall(r"\s*\S+|\s+$", words):
        yield event({"content": word})
    yield event({}, reason)
    if usage is not None:
        yield b"data: " + _encode({**head, "choices": [], "usage": usage}) + b"\n\n"
    yield b"data: [DONE]\n\n"


def _tokens(text: str) -> int:
    return -(-len(text.encode()) // BYTES_PER_TOKEN)
