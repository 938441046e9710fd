"""``python -m tapeline.sim``: the simulated vendors as a process of their own.

In: a day, a seed, a universe and limits on the command line.  Out: one JSON line on stdout once it listens, logs on
stderr.  Refuses, in one sentence and with exit code 2, a taken port, a wrong fault plan and an unreadable market.
Listens on 127.0.0.1 only. SIGTERM and SIGINT end it at once, with exit code 0.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import errno
import logging
import os
import signal
import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import get_args

import msgspec
import uvicorn
from starlette.applications import Starlette

from tapeline.core.errors import BadInput, PortInUse
from tapeline.sim.alpaca_data import Plan
from tapeline.sim.faults import load_plan
from tapeline.sim.market import REAL_SYMBOLS, Market
from tapeline.sim.server import SimSettings, build_app

HOST = "127.0.0.1"


class Ready(msgspec.Struct, frozen=True):
    """The one line on stdout."""

    url: str
    now_ns: int
    pid: int


class SimServer(uvicorn.Server):
    """A server that says when it listens, and whose end by a signal is an ordinary one.

    uvicorn raises the signal again after its clean shutdown, so the parent would read a death by signal.
    """

    def __init__(self, app: Starlette, listener: socket.socket) -> None:
        # No date header: an answer holds no wall time. No lifespan: the application owns nothing that must be closed.
        config = uvicorn.Config(
            app,
            access_log=False,
            log_config=None,
            lifespan="off",
            ws="websockets-sansio" if find_spec("websockets") else "none",
            loop="asyncio",
            date_header=False,
            server_header=False,
            timeout_graceful_shutdown=1,
        )
        super().__init__(config)
        self._app = app
        self._listener = listener

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._end)
        yield

    def _end(self) -> None:
        """End the main loop, and let nobody wait for the clock any longer."""
        self.should_exit = True
        self._app.state.clock.close()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        port = self._listener.getsockname()[1]
        ready = Ready(f"http://{HOST}:{port}", self._app.state.clock.now_ns(), os.getpid())
        sys.stdout.write(msgspec.json.encode(ready).decode() + "\n")
        sys.stdout.flush()


def parse_arguments(argv: list[str]) -> argparse.Namespace:
    """Return the command line's options; argparse itself exits with code 2 for those it does not know."""
    defaults = SimSettings()
    parser = argparse.ArgumentParser(prog="python -m tapeline.sim", description="The vendors, simulated.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--day", type=dt.date.fromisoformat, default=defaults.day, help="session to replay")
    parser.add_argument("--seed", type=int, default=defaults.seed)
    parser.add_argument("--symbols", type=int, default=REAL_SYMBOLS, help="more than 524 are resampled")
    parser.add_argument("--universe", type=Path, help="Parquet file of `tapeline sample`")
    parser.add_argument("--faults", type=Path, help="TOML or JSON file with latencies and faults")
    parser.add_argument("--data-limit", type=int, default=defaults.data_limit, help="requests in any 60 s")
    parser.add_argument("--trading-limit", type=int, default=defaults.trading_limit)
    parser.add_argument("--news-limit", type=int, default=defaults.news_limit)
    parser.add_argument("--plan", choices=get_args(Plan), default=defaults.plan, help="basic: no recent sip prices")
    return parser.parse_args(argv)


def listen(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1. Raises PortInUse when another process has the port."""
    # asyncio turns Nagle's delay off only for sockets that name their protocol; with it an answer takes 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OverflowError:
        listener.close()
        raise BadInput(f"--port {port} is no port: choose 0 to 65535") from None
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(f"port {port} on {HOST} is taken: choose another, or 0 for a free one") from None
        raise BadInput(f"cannot listen on {HOST}:{port}: {error.strerror}") from None
    return listener


def main(argv: list[str]) -> int:
    """Run the simulator until it is told to end; return its exit code."""
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    options = parse_arguments(argv)
    try:
        limits = options.data_limit, options.trading_limit, options.news_limit
        if min(*limits, options.symbols) < 1:
            raise BadInput("--symbols and the limits are at least 1")
        settings = SimSettings(options.day, options.seed, *limits, options.plan, load_plan(options.faults))
        listener = listen(options.port)
        with listener:
            app = build_app(Market.load(options.symbols, options.seed, options.universe), settings)
            SimServer(app, listener).run(sockets=[listener])
    except BadInput as error:
        sys.stderr.write(f"tapeline.sim: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
