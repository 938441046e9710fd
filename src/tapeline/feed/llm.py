"""One client for every language model that speaks OpenAI's chat format.

In: a system text, a user text, the shape of the answer.  Out: ``Outcome`` of that shape, decoded and checked.
Refuses to guess: no JSON, a cut answer, a number out of range are errors with a sentence, never a default. A prompt
above the budget is not sent. The key stands in the request's header and nowhere else.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Protocol, TypeVar

import msgspec

from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig, LlmConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter

T = TypeVar("T", bound=msgspec.Struct)

LLM_HOST = "llm"
CHAT_PATH = "/chat/completions"
_WORD = re.compile("[A-Z]?[a-z]+|[A-Z]+")
TRIES = 2
"""A model that twice in a row says nothing usable would not at the third time."""


class Message(msgspec.Struct):
    """What was said."""

    content: str | None = None


class Choice(msgspec.Struct):
    """One answer, and why it ended."""

    message: Message
    finish_reason: str | None = None


class Completion(msgspec.Struct):
    """The part of a chat answer that we read."""

    choices: list[Choice]


class LanguageModel(Protocol):
    """Whoever answers questions in a given shape."""

    @property
    def name(self) -> str:
        """What the dossier calls it."""
        ...

    @property
    def max_context_tokens(self) -> int:
        """Most tokens of a prompt, by ``estimate_tokens`` of both its texts."""
        ...

    @property
    def max_answer_tokens(self) -> int:
        """Tokens of a usual answer; twice as many is the most that may be asked for."""
        ...

    async def ask(self, system: str, user: str, schema: type[T], *, max_tokens: int | None = None) -> Outcome[T]:
        """Return the answer in the shape of ``schema``, or why there is none.

        Parameters
        ----------
        system, user
            The prompt: who it is, and what it is asked.
        schema
            A struct whose fields carry their bounds (``msgspec.Meta``).
        max_tokens
            Longest answer; None takes what is configured.
        """
        ...


class ModelBehind:
    """What stands before a ``LanguageModel`` and says the same of itself; whoever is one adds how it is asked."""

    def __init__(self, model: LanguageModel) -> None:
        self._model = model

    @property
    def name(self) -> str:
        """The model's name."""
        return self._model.name

    @property
    def max_context_tokens(self) -> int:
        """Most tokens of a prompt."""
        return self._model.max_context_tokens

    @property
    def max_answer_tokens(self) -> int:
        """Tokens of a usual answer."""
        return self._model.max_answer_tokens


def llm_host(config: LlmConfig, clock: Clock, *, base_url: str, api_key: str = "") -> Host:
    """Return the model's host, with its limiter.

    Parameters
    ----------
    config
        Requests allowed in a minute.
    base_url
        Up to and including its /v1: the configured endpoint, the simulator's, the embedded server's.
    api_key
        ``core.config.secrets.llm_api_key``; empty sends none.
    """
    limiter = SlidingWindowLimiter(config.requests_per_minute, clock=clock)
    return Host(LLM_HOST, base_url, limiter, {"authorization": f"Bearer {api_key}"} if api_key else {})


def llm_feed(config: LlmConfig, feed: FeedConfig) -> FeedConfig:
    """Return how a model is asked: as vendors are, but with the patience that an answer of its length needs.

    And with one more try at most: a model that hangs must not use up its asker's time.
    """
    retries = min(feed.retries, 1)
    return msgspec.structs.replace(feed, read_timeout_s=config.timeout_s, retries=retries, max_response_mb=1.0)


def estimate_tokens(text: str) -> int:
    """Return an upper estimate of the tokens in a text that somebody wrote.

    Notes
    -----
    Small vocabularies give every digit and mark a token of its own, cut a word every three letters or later and one in
    capitals every two; what is not ASCII may cost a token for each byte. Only letters at random cost more.
    """
    words = _WORD.findall(text)
    rest = len(text.encode()) - sum(map(len, words)) - text.count(" ")
    return rest + sum(-(-len(word) // (2 if word.isupper() else 3)) for word in words)


class ChatModel:
    """A model behind ``/chat/completions``. A ``LanguageModel``.

    Parameters
    ----------
    gateway
        With the host of ``llm_host``.
    config
        The model's name and the bounds of a call.
    """

    def __init__(self, gateway: Gateway, config: LlmConfig) -> None:
        self._gateway = gateway
        self._config = config

    @property
    def name(self) -> str:
        """The configured model."""
        return self._config.model

    @property
    def max_context_tokens(self) -> int:
        """Most tokens of a prompt; a second try has its own, small reserve."""
        return self._config.max_context_tokens

    @property
    def max_answer_tokens(self) -> int:
        """Tokens of a usual answer."""
        return self._config.max_answer_tokens

    async def ask(self, system: str, user: str, schema: type[T], *, max_tokens: int | None = None) -> Outcome[T]:
        """Ask, and ask once more when the answer was unusable; see ``LanguageModel.ask``.

        Returns
        -------
        Outcome
            value; error when the prompt is too long, or the answer is no JSON of that shape twice; else as the gateway
            says (limited, no_data, error).
        """
        tokens = estimate_tokens(system) + estimate_tokens(user)
        if tokens > self.max_context_tokens:
            return self._failed(f"a prompt of about {tokens} tokens, and {self.max_context_tokens} are allowed")
        complaint = ""
        for _ in range(TRIES):
            reply = await self._complete(system, user + complaint, schema, max_tokens)
            if reply.value is None:
                return nothing(reply.kind, source=reply.source, reason=reply.reason, as_of_ns=reply.as_of_ns)
            try:
                return value_of(read_answer(reply.value, schema), source=self.name, as_of_ns=reply.as_of_ns)
            except BadMessage as error:
                reason = str(error)
            complaint = f"\n\nYour last answer could not be used: {reason[:100]}. Answer again, shorter, in JSON."
        return self._failed(f"its answer cannot be used: {reason}")

    async def _complete(self, system: str, user: str, schema: type[T], max_tokens: int | None) -> Outcome[Completion]:
        body = {
            "model": self._config.model,
            "messages": [{"role": "system", "content": system}, {"role": "user", "content": user}],
            "max_tokens": max_tokens or self._config.max_answer_tokens,
            "temperature": self._config.temperature,
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": schema.__name__.lower(), "strict": True, "schema": json_schema(schema)},
            },
        }
        # Asking twice changes nothing but the time it takes, so a lost answer may be asked for again.
        return await self._gateway.fetch(
            LLM_HOST, CHAT_PATH, method="POST", json=body, safe=True, parse=_read_completion
        )

    def _failed(self, reason: str) -> Outcome[Any]:
        return nothing(Kind.ERROR, source=self.name, reason=reason)


def json_schema(shape: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the JSON schema of a struct as engines want it for strict answers.

    References are written out, every field is required and none may be added. Raises ValueError for a shape that
    contains itself, which cannot be written out.
    """
    schema = msgspec.json.schema(shape)
    inlined: dict[str, Any] = _inlined(schema, schema.get("$defs", {}), ())
    return inlined


def _inlined(node: Any, shapes: Mapping[str, Any], above: tuple[str, ...]) -> Any:
    if isinstance(node, list):
        return [_inlined(item, shapes, above) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        name = node["$ref"].removeprefix("#/$defs/")
        if name in above:
            raise ValueError(f"the shape {name} contains itself: it has no schema without references")
        return _inlined(shapes[name], shapes, (*above, name))
    inlined = {key: _inlined(value, shapes, above) for key, value in node.items() if key not in _NOT_COPIED}
    if isinstance(fields := node.get("properties"), dict):  # its keys are names of fields, whatever they are called
        inlined["properties"] = {name: _inlined(value, shapes, above) for name, value in fields.items()}
        inlined["required"] = list(fields)
        inlined["additionalProperties"] = False
    return inlined


def read_answer(completion: Completion, shape: type[T]) -> T:
    """Return what a model said, in the shape it was asked for.

    Words around the JSON (a fence, a thought) are skipped. Where a list is wanted, a bare list, and an object that
    holds just a list, are as good as the object of that shape.

    Raises
    ------
    BadMessage
        When it was cut, is no JSON, or does not fit; the text says which.
    """
    if not completion.choices:
        raise BadMessage("it has no choices")
    choice = completion.choices[0]
    if choice.finish_reason == "length":
        raise BadMessage("it was cut off at the longest answer allowed")
    found = _find_json(choice.message.content or "")
    try:
        return msgspec.convert(_as_listed(found, shape), shape)
    except msgspec.ValidationError as error:
        raise BadMessage(str(error)[:200]) from None


def _find_json(text: str) -> Any:
    """Return the first JSON object or list in ``text``."""
    starts = [at for at in (text.find("{"), text.find("[")) if at >= 0]
    if not starts:
        raise BadMessage("it holds no JSON")
    try:
        return _DECODER.raw_decode(text, min(starts))[0]
    except RecursionError:
        raise BadMessage("its JSON is nested without end") from None
    except ValueError as error:
        raise BadMessage(f"its JSON is broken: {error}"[:200]) from None


def _as_listed(found: Any, shape: type[msgspec.Struct]) -> Any:
    """Return ``found`` as an object of ``shape`` where that shape is one list and a model gave it in another dress."""
    names = shape.__struct_encode_fields__
    if len(names) != 1 or (isinstance(found, dict) and names[0] in found):
        return found
    if isinstance(found, list):
        return {names[0]: found}
    lists = [value for value in found.values() if isinstance(value, list)] if isinstance(found, dict) else []
    return {names[0]: lists[0]} if len(lists) == 1 else found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


_NOT_COPIED = frozenset(["$defs", "title", "default", "properties"])
"""Parts of a schema that strict engines do not take, and the fields, which are written out one by one."""
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)


def _read_completion(response: Response) -> Completion:
    return decode(response, Completion)
