"""The vendor simulator as a child of whoever asks it: started on a day, and everybody's address turned to it.

In: settings, a home for its log.  Out: where it listens, and settings that ask there.
Refuses what the simulator refuses, in its own sentence.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

import anyio
import anyio.to_thread
import msgspec

from tapeline.core.config import Config
from tapeline.core.errors import BadInput, ProcessDied
from tapeline.core.home import Home
from tapeline.core.process import spawn

SIMULATED_MODEL = "tapeline-sim-1"
"""What dossiers call the simulator's model."""
START_TIMEOUT_S = 60.0
"""Real seconds that the simulator may take to load its market."""


class Simulator(msgspec.Struct, frozen=True):
    """What the simulator prints once it listens."""

    url: str
    now_ns: int


async def open_simulator(stack: AsyncExitStack, config: Config, home: Home, say: Callable[[str], None]) -> Simulator:
    """Start the simulator on ``config.replay.day``; it ends with ``stack``."""
    replay = config.replay
    argv = [sys.executable, "-m", "tapeline.sim", "--port", str(replay.port), "--day", replay.day.isoformat()]
    argv += ["--seed", str(config.node.seed), "--symbols", str(replay.symbols), "--plan", "plus"]
    argv += ["--universe", replay.universe] if replay.universe else []
    argv += ["--faults", replay.faults] if replay.faults else []
    log_path, drain_s = home.log_path("simulator"), config.node.drain_s
    child = spawn(argv, name="the simulator", log_path=log_path, pipe_stdout=True, drain_s=drain_s)
    stack.push_async_callback(anyio.to_thread.run_sync, child.terminate)
    try:
        line = await anyio.to_thread.run_sync(child.read_line, START_TIMEOUT_S)
    except ProcessDied:
        if child.poll() == BadInput.exit_code:
            raise BadInput(child.last_words().removeprefix("tapeline.sim: ")) from None
        raise
    simulator = msgspec.json.decode(line, type=Simulator)
    say(f"vendor simulator: {simulator.url}, {replay.day}, {replay.universe or f'{replay.symbols} symbols'}")
    return simulator


def asking(config: Config, simulator: Simulator | None) -> Config:
    """Return the settings with the vendors at the simulator, whose tape is the consolidated one."""
    if simulator is None:
        return config
    replaced = msgspec.structs.replace
    feed, url = config.feed, simulator.url
    llm = config.llm
    if llm.kind == "sim":
        llm = replaced(llm, base_url=f"{url}/v1", model=SIMULATED_MODEL)
    asking = replaced(
        feed,
        reread_s=feed.reread_s if config.replay.reread else 0.0,
        stream=config.replay.stream,
        alpaca=replaced(feed.alpaca, base_url=url, trading_url=url, feed="sip"),
        massive=replaced(feed.massive, base_url=url),
        news=replaced(feed.news, base_url=url),
        reddit=replaced(feed.reddit, base_url=url, token_url=url),
        youtube=replaced(feed.youtube, base_url=url, watch_url=url),
        yahoo=replaced(feed.yahoo, base_url=url, cookie_url=url),
        edgar=replaced(feed.edgar, base_url=url, files_url=url),
    )
    return replaced(config, feed=asking, llm=llm)
