"""The embedded language model as a child of the node, and whichever model is configured.

In: settings.  Out: an outcome of its server, of an address; the model. A model that is absent is a reason, no error.
Refuses the simulator's model where there is no simulator.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio.to_thread

from tapeline.core.config import Config, LlmConfig
from tapeline.core.errors import ConfigError
from tapeline.core.home import Home
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.feed.gateway import Gateway
from tapeline.feed.llm import ChatModel, LanguageModel
from tapeline.feed.model_life import ModelServer, PatientModel
from tapeline.feed.model_server import find_model, server_argv


def embedded_model(stack: AsyncExitStack, config: Config, home: Home) -> Outcome[ModelServer]:
    """Start to load the embedded model, when it is wanted and installed; it is waited for when all else runs."""
    if config.llm.kind != "embedded" or not config.loop.max_tickers:
        return nothing(Kind.ABSTAINED, source="llm", reason=f"llm.kind is {config.llm.kind!r}")
    weights = find_model()
    if weights.value is None:
        return nothing(weights.kind, source="llm", reason=weights.reason)
    argv = server_argv(config.llm, weights.value)
    server = ModelServer(argv, log_path=home.log_path("model"), drain_s=config.node.drain_s)
    stack.push_async_callback(anyio.to_thread.run_sync, server.terminate)
    return value_of(server, source="llm")


async def model_url(config: Config, server: Outcome[ModelServer]) -> Outcome[str]:
    """Return the address of the configured language model, or why there is none."""
    if config.llm.kind in ("sim", "endpoint"):
        if not config.llm.base_url:
            raise ConfigError("llm.kind is sim, and only a replay has a simulator: choose embedded or endpoint")
        return value_of(config.llm.base_url, source="llm")
    if server.value is None:
        return nothing(server.kind, source="llm", reason=server.reason)
    return await server.value.first_url()


def chat_model(gateway: Gateway, config: LlmConfig, server: Outcome[ModelServer]) -> LanguageModel:
    """Return the model behind ``gateway``: one that waits for its server where that is ours to start again."""
    model = ChatModel(gateway, config)
    return model if server.value is None else PatientModel(model, server.value, config.timeout_s)
