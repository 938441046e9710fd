"""The composition root: the only file that names concrete parts and puts them together.

In: settings, a home, the environment.  Out: a desk with all its processes running, a worker, the state of the lanes.
Refuses a second node in one home, and the live market without a key.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.to_thread
import msgspec

import tapeline
from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import Clock, LogicalClock, SystemClock
from tapeline.core.config import Config
from tapeline.core.config.load import load
from tapeline.core.config.secrets import AlpacaKeys, alpaca_keys
from tapeline.core.errors import BadInput, ConfigError, ProcessDied
from tapeline.core.home import Home, NodeNote
from tapeline.core.process import Child, spawn
from tapeline.feed.gateway import Gateway
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.vendors.alpaca import AlpacaBars, alpaca_hosts
from tapeline.feed.vendors.google_news import GoogleNews, news_host
from tapeline.grid import BarGrid, UnknownIndicator
from tapeline.live.state import LaneState
from tapeline.loop.desk import Desk, Vendors
from tapeline.scan.factors import check_weights
from tapeline.store.journal import Journal
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.store import LaneProgress
from tapeline.streams.valkey import connect
from tapeline.streams.worker import serve_worker, worker_count

Say = Callable[[str], None]
"""Takes one line on what is happening, for a person."""

REPLAY_KEYS = AlpacaKeys("replay", "replay")
"""The simulator wants keys as the vendor does, and takes any."""

START_TIMEOUT_S = 60.0
"""Real seconds that the simulator may take to load its market."""
MAX_DEATHS = 5
"""Workers that may die within a minute before the node gives up."""
WATCH_EVERY_S = 0.5
"""Real seconds between two looks at the children."""


class Simulator(msgspec.Struct, frozen=True):
    """What the simulator prints once it listens."""

    url: str
    now_ns: int


@asynccontextmanager
async def open_desk(
    config: Config, home: Home, environ: Mapping[str, str], *, replay: bool, say: Say
) -> AsyncIterator[Desk]:
    """Start everything that a session needs, and end all of it afterwards.

    Parameters
    ----------
    config
        The settings.
    home
        Where the node lives; it is claimed for this node alone.
    environ
        Where keys are read from.
    replay
        True to replay ``config.replay.day`` from the simulator on the logical clock; False to watch the market of now
        with the vendor's key.
    say
        Told of each part that runs.

    Raises
    ------
    BadInput
        When the home is taken, the store cannot be opened, a file of the replay cannot be used, or there is no key for
        the live market.
    ProcessDied
        When a child ends that is not started again. Workers are.
    """
    keys = REPLAY_KEYS if replay else alpaca_keys(environ)
    if keys is None:
        raise BadInput(
            "watching the live market needs a vendor key: set APCA_API_KEY_ID and APCA_API_SECRET_KEY, "
            "or see a replay with `tapeline demo`"
        )
    check_names(config)
    async with AsyncExitStack() as stack:
        stack.enter_context(home.claim())
        home.write_settings(config)
        opened = await Journal.open(home.journal_path, commit_rows=config.store.commit_rows)
        journal = await stack.enter_async_context(opened)
        address = await _stream_server(stack, config, home, say)
        workers = Workers(config, home, address)
        stack.push_async_callback(anyio.to_thread.run_sync, workers.terminate)
        say(f"workers: {len(workers.children)} on {config.streams.lanes} lanes")
        simulator = await _simulator(stack, config, home, say) if replay else None
        note = NodeNote(
            pid=os.getpid(),
            version=tapeline.__version__,
            valkey=address,
            simulator=simulator.url if simulator else "",
        )
        home.write_note(note)
        config = _asking(config, simulator)
        calendar = SessionCalendar()
        clock = await _clock(stack, config, calendar, simulator)
        vendors = await _vendors(stack, config, keys, clock, replay=replay)
        store = await stack.enter_async_context(connect(address))
        async with anyio.create_task_group() as watching:
            watching.start_soon(workers.watch, say)
            yield Desk(config, clock, calendar, vendors, store, journal)
            watching.cancel_scope.cancel()


def check_names(config: Config) -> None:
    """Raise ConfigError for a factor or an indicator that nobody has, before anything starts."""
    check_weights(config.scan.weights, config.scan.history_sessions)
    try:
        BarGrid.empty(("A",), 2).track(config.live.indicators)
    except UnknownIndicator as error:
        raise ConfigError(f"live.indicators: {error}") from None


async def _stream_server(stack: AsyncExitStack, config: Config, home: Home, say: Say) -> str:
    if config.streams.redis_url:
        say(f"stream server: {config.streams.redis_url.rsplit('@', 1)[-1]}")
        return config.streams.redis_url
    server = await stack.enter_async_context(embedded_valkey(home.valkey_path))
    say(f"stream server: embedded Valkey on {server.socket_path}")
    return f"unix://{server.socket_path}"


async def _simulator(stack: AsyncExitStack, config: Config, home: Home, say: Say) -> Simulator:
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


class Workers:
    """The worker processes of a node; one that dies is started again."""

    def __init__(self, config: Config, home: Home, address: str) -> None:
        self._home = home
        # A configured address may hold a password, which has no place on a command line: it is in the settings file.
        self._address = [] if config.streams.redis_url else ["--address", address]
        self._drain_s = config.node.drain_s
        self._deaths_s: list[float] = []
        self.children = [self._start(number) for number in range(worker_count(config.streams.workers))]

    def _start(self, number: int) -> Child:
        name = f"worker-{number}"
        argv = [sys.executable, "-m", "tapeline.cli", "process", *self._address, "--name", name]
        argv += ["--config", str(self._home.settings_path)]
        return spawn(argv, name=name, log_path=self._home.log_path(name), drain_s=self._drain_s)

    async def watch(self, say: Say) -> None:
        """Start again whoever ends, until cancelled.

        Not when the disk is full, when the worker says what the person has to mend, or when starting again helps
        nobody: ``MAX_DEATHS`` within a minute.
        """
        while True:
            await anyio.sleep(WATCH_EVERY_S)
            for number, child in enumerate(self.children):
                if child.poll() is not None:
                    self._home.check_space()
                    if child.poll() == BadInput.exit_code:
                        raise BadInput(child.last_words().removeprefix("tapeline: "))
                    now_s = anyio.current_time()
                    self._deaths_s = [*(died_s for died_s in self._deaths_s if now_s - died_s < 60.0), now_s]
                    if len(self._deaths_s) > MAX_DEATHS:
                        raise ProcessDied(f"{child.name} keeps ending, code {child.poll()}: {child.last_words()}")
                    say(f"{child.name} ended with code {child.poll()} and is started again: {child.last_words()}")
                    await anyio.to_thread.run_sync(child.terminate)
                    self.children[number] = self._start(number)

    def terminate(self) -> None:
        """End all of them."""
        for child in self.children:
            child.terminate()


def _asking(config: Config, simulator: Simulator | None) -> Config:
    """Return the settings with the vendors at the simulator, whose tape is the consolidated one."""
    if simulator is None:
        return config
    replaced = msgspec.structs.replace
    alpaca = replaced(config.feed.alpaca, base_url=simulator.url, trading_url=simulator.url, feed="sip")
    feed = replaced(config.feed, alpaca=alpaca, news=replaced(config.feed.news, base_url=simulator.url))
    return replaced(config, feed=feed)


async def _clock(
    stack: AsyncExitStack, config: Config, calendar: SessionCalendar, simulator: Simulator | None
) -> Clock:
    if simulator is None:
        return SystemClock()
    open_ns = calendar.session(config.replay.day).open_ns
    authority = ReplayAuthority(simulator.url, speed=config.replay.speed, open_ns=open_ns)
    return LogicalClock(simulator.now_ns, await stack.enter_async_context(authority))


async def _vendors(stack: AsyncExitStack, config: Config, keys: AlpacaKeys, clock: Clock, *, replay: bool) -> Vendors:
    hosts = [*alpaca_hosts(config.feed, keys, clock), news_host(config.feed, clock)]
    gateway = Gateway(hosts, config=config.feed, clock=clock, seed=config.node.seed, replay=replay)
    await stack.enter_async_context(gateway)
    news = GoogleNews(gateway, config.feed.news, clock=clock)
    return Vendors(gateway, AlpacaBars(gateway, config.feed.alpaca), news)


def work(config: Config, address: str, name: str) -> None:
    """Be a worker process: own lanes of the server at ``address`` until told to end."""
    ttl_s = config.live.hot_ttl_s
    serve_worker(address, name, config.streams, lambda _lane: LaneState(config.live), hot_ttl_s=ttl_s)


async def lane_progress(address: str, home: Home) -> list[LaneProgress]:
    """Return where each lane of the node in ``home`` stands, asked at its stream server."""
    lanes = load(home.settings_path, {}).config.streams.lanes
    async with connect(address) as store:
        return [await store.progress(lane) for lane in range(lanes)]
