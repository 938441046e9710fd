"""The embedded language model as a child of the node, and the address of whichever model is configured.

In: settings.  Out: an outcome of a child, of an address. A model that is absent is a reason, no error.
Refuses the simulator's model where there is no simulator.
"""

from __future__ import annotations

from contextlib import AsyncExitStack

import anyio
import anyio.to_thread
import msgspec

from tapeline.core.config import Config
from tapeline.core.errors import ConfigError, ProcessDied
from tapeline.core.home import Home
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.process import Child, spawn
from tapeline.feed.model_server import Ready, find_model, server_argv

START_TIMEOUT_S = 60.0
"""Real seconds that the model may take to load its weights."""


def embedded_model(stack: AsyncExitStack, config: Config, home: Home) -> Outcome[Child]:
    """Start to load the embedded model, when it is wanted and installed; it is waited for when all else runs."""
    if config.llm.kind != "embedded" or not config.loop.max_tickers:
        return nothing(Kind.ABSTAINED, source="llm", reason=f"llm.kind is {config.llm.kind!r}")
    weights = find_model()
    if weights.value is None:
        return nothing(weights.kind, source="llm", reason=weights.reason)
    argv, drain_s = server_argv(config.llm, weights.value), config.node.drain_s
    child = spawn(argv, name="the language model", log_path=home.log_path("model"), pipe_stdout=True, drain_s=drain_s)
    stack.push_async_callback(anyio.to_thread.run_sync, child.terminate)
    return value_of(child, source="llm")


async def model_url(config: Config, model: Outcome[Child]) -> Outcome[str]:
    """Return the address of the configured language model, or why there is none."""
    if config.llm.kind in ("sim", "endpoint"):
        if not config.llm.base_url:
            raise ConfigError("llm.kind is sim, and only a replay has a simulator: choose embedded or endpoint")
        return value_of(config.llm.base_url, source="llm")
    if model.value is None:
        return nothing(model.kind, source="llm", reason=model.reason)
    try:
        line = await anyio.to_thread.run_sync(model.value.read_line, START_TIMEOUT_S)
    except ProcessDied as error:
        return nothing(Kind.ERROR, source="llm", reason=str(error))
    return value_of(msgspec.json.decode(line, type=Ready).url, source="llm")
