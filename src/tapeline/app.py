"""The composition root: the only file that names concrete parts and puts them together.

In: settings, a home, the environment.  Out: a desk with all its processes running, a worker, the state of the lanes.
Refuses a second node in one home, and the live market without a key.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import anyio
import anyio.to_thread
import msgspec

import tapeline
from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import Clock, LogicalClock, SystemClock
from tapeline.core.config import Config, FeedConfig
from tapeline.core.config.secrets import (
    AlpacaKeys,
    RedditKeys,
    YouTubeKey,
    alpaca_keys,
    llm_api_key,
    massive_key,
    reddit_keys,
    without_password,
    youtube_key,
)
from tapeline.core.config.web import WebConfig
from tapeline.core.errors import BadInput, ConfigError, PortInUse
from tapeline.core.home import Home, NodeNote
from tapeline.core.instruments import underlying_of
from tapeline.core.instruments.expiry import calendar_of
from tapeline.core.outcome import Outcome, nothing, value_of
from tapeline.core.types import MINUTE_S, NS_PER_S
from tapeline.feed.file_limit import BothLimiterStates, limits_of
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host
from tapeline.feed.intake import Stream
from tapeline.feed.llm import LLM_HOST, LanguageModel, llm_feed, llm_host
from tapeline.feed.model_child import chat_model, embedded_model, model_url
from tapeline.feed.model_life import NAME as MODEL_NAME
from tapeline.feed.model_life import ModelServer
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.shared_limit import LimiterState
from tapeline.feed.simulator import Simulator, asking, open_simulator
from tapeline.feed.vendors.alpaca import AlpacaBars, alpaca_hosts
from tapeline.feed.vendors.alpaca_options import AlpacaOptions
from tapeline.feed.vendors.alpaca_stream import MAX_SYMBOLS, listen
from tapeline.feed.vendors.choice import bar_source, chain_hosts
from tapeline.feed.vendors.edgar import Edgar, edgar_hosts
from tapeline.feed.vendors.google_news import GoogleNews, news_host
from tapeline.feed.vendors.reddit import Reddit, reddit_hosts
from tapeline.feed.vendors.yahoo import Yahoo, yahoo_hosts
from tapeline.feed.vendors.youtube import YouTube, youtube_hosts
from tapeline.feed.watchlist import FILE_NAME, read_watchlist
from tapeline.grid import BarGrid, UnknownIndicator
from tapeline.grid.about import load_about
from tapeline.live.state import LaneState
from tapeline.loop.desk import Desk, Vendors
from tapeline.loop.research import Research
from tapeline.loop.show import Board
from tapeline.scan.cache import FeatureCache
from tapeline.scan.chains import chains_from
from tapeline.scan.check import check_settings
from tapeline.scan.iv import IvMemory
from tapeline.scan.own import NOTHING, Own, load_wanted
from tapeline.scan.second import Experts
from tapeline.store.journal import Journal
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.lanes import Publisher
from tapeline.streams.limits import connect_limits
from tapeline.streams.marks import Marks
from tapeline.streams.node_workers import Workers
from tapeline.streams.shelf import ValkeyShelf
from tapeline.streams.store import LaneProgress, LaneStore
from tapeline.streams.valkey import connect
from tapeline.streams.witness import watch_losses
from tapeline.streams.worker import lay_out, serve_worker
from tapeline.thesis.discovery import TalkSource
from tapeline.thesis.talk import RedditTalk, YouTubeTalk
from tapeline.thesis.vendors import vendor_sources

Say = Callable[[str], None]
"""Takes one line on what is happening, for a person."""

REPLAY_KEYS = AlpacaKeys("replay", "replay")
"""The simulator wants keys as the vendor does, and takes any."""

REPLAY_REDDIT, REPLAY_YOUTUBE = RedditKeys("replay", "replay"), YouTubeKey("replay")
REPLAY_MASSIVE = "replay"
PATIENCE_S = 30.0
"""How long a node waits for a stream server that is not its own while it fails over."""
NO_REDDIT = "Reddit is off: set REDDIT_CLIENT_ID and REDDIT_CLIENT_SECRET"
NO_YOUTUBE = "YouTube is off: set YOUTUBE_API_KEY"


@asynccontextmanager
async def open_desk(
    config: Config, home: Home, environ: Mapping[str, str], board: Board, *, replay: bool, say: Say
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
    board
        What the page shows; it answers before anything else has started.
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
    wanted, own = load_wanted(config.scan)
    config = msgspec.structs.replace(config, scan=wanted)
    check_names(config, own)
    async with AsyncExitStack() as stack:
        stack.enter_context(home.claim())
        home.write_settings(config)
        page = await _page(stack, config, board, say)
        note = NodeNote(pid=os.getpid(), version=tapeline.__version__, valkey="", api=page.url, token=page.token)
        home.write_note(note)
        model = embedded_model(stack, config, home)
        opened = await Journal.open(home.journal_path, commit_rows=config.store.commit_rows)
        journal = await stack.enter_async_context(opened)
        address = await _stream_server(stack, config, home, say)
        workers = Workers(config, home, address)
        stack.push_async_callback(anyio.to_thread.run_sync, workers.terminate)
        simulator = await open_simulator(stack, config, home, say) if replay else None
        home.write_note(msgspec.structs.replace(note, valkey=address, simulator=simulator.url if simulator else ""))
        config = asking(config, simulator)
        calendar = SessionCalendar()
        # An embedded server that dies ends the node; another is waited for while it fails over.
        patience_s = PATIENCE_S if config.streams.redis_url else 0.0
        store = await stack.enter_async_context(connect(address, patience_s=patience_s))
        config = await _with_lanes(config, store)
        say(f"workers: {len(workers.children)} on {config.streams.lanes} lanes")
        clock = await _clock(stack, config, calendar, simulator, store, say)
        # A replay's simulator counts for itself, on its own clock; a vendor counts whatever is sent with our key.
        state = None if replay else await _counts(stack, home, address)
        asked = await open_vendors(stack, config, keys, environ, clock, model, replay=replay, state=state)
        async with anyio.create_task_group() as watching:
            watching.start_soon(workers.watch, say)
            if model.value is not None and asked.vendors.model is not None:
                tell = partial(_tell_of_model, board, say)
                watching.start_soon(model.value.watch, partial(asked.vendors.model.move, LLM_HOST), tell)
            watching.start_soon(watch_losses, store, partial(board.show_trouble, "streams"))
            stream = _stream(config, home, keys, clock) if config.feed.stream else None
            about = load_about(config.replay.universe if replay else "")
            memory = IvMemory(home.path / "market" / "implied_volatility.json")
            experts = _experts(asked, clock, memory)
            ttl_s = config.scan.features_ttl_s
            desk = Desk(
                *(config, clock, calendar, asked.vendors, store, journal, asked.research),
                *(stream, about, own, experts, memory),
                features=FeatureCache(ValkeyShelf(store), ttl_s) if ttl_s else None,
            )
            board.show_desk(desk)
            yield desk
            watching.cancel_scope.cancel()


def check_names(config: Config, own: Own = NOTHING) -> None:
    """Raise BadInput for what nobody has, or a scan that cannot be made, before anything starts."""
    check_settings(config.scan, own)
    try:
        BarGrid.empty(("A",), 2).track(config.live.indicators)
    except UnknownIndicator as error:
        raise ConfigError(f"live.indicators: {error}") from None


@dataclass(frozen=True, slots=True)
class Page:
    """Where the node answers, and what a POST to it has to bring; empty when it is off."""

    url: str = ""
    token: str = ""


async def _page(stack: AsyncExitStack, config: Config, board: Board, say: Say) -> Page:
    """Serve page and API as long as the node lives. When another node has the usual port, a free one is taken."""
    if not config.web.enabled:
        return Page()
    from tapeline.web.server import build_app, serve

    token = secrets.token_urlsafe(24)
    group = await stack.enter_async_context(anyio.create_task_group())
    stack.callback(group.cancel_scope.cancel)
    app = build_app(board, token)
    try:
        url = await group.start(serve, app, config.web.port)
    except PortInUse:
        if config.web.port != WebConfig().port:
            raise
        url = await group.start(serve, app, 0)
    say(f"page: {url}")
    return Page(url, token)


async def _stream_server(stack: AsyncExitStack, config: Config, home: Home, say: Say) -> str:
    if config.streams.redis_url:
        say(f"stream server: {without_password(config.streams.redis_url)}")
        return config.streams.redis_url
    server = await stack.enter_async_context(embedded_valkey(home.valkey_path))
    say(f"stream server: embedded Valkey on {server.socket_path}")
    return f"unix://{server.socket_path}"


async def _with_lanes(config: Config, store: LaneStore) -> Config:
    """Return the settings with the number of lanes that the server has, unless they say one."""
    lanes = config.streams.lanes or (await lay_out(store, config.streams)).lanes
    return msgspec.structs.replace(config, streams=msgspec.structs.replace(config.streams, lanes=lanes))


def _tell_of_model(board: Board, say: Say, trouble: str) -> None:
    """Say and show what is wrong with the embedded model, or that it answers again."""
    board.show_trouble(LLM_HOST, trouble)
    say(trouble or f"{MODEL_NAME} answers again")


async def _counts(stack: AsyncExitStack, home: Home, address: str) -> LimiterState:
    """Return where requests on a key are counted: here with the verbs that run without a node, there with all hosts."""
    return BothLimiterStates(limits_of(home), await stack.enter_async_context(connect_limits(address)))


async def _clock(
    stack: AsyncExitStack,
    config: Config,
    calendar: SessionCalendar,
    simulator: Simulator | None,
    store: LaneStore,
    say: Say,
) -> Clock:
    """Return the clock. The pace of a replay begins where there is something to watch: at what the lanes have not."""
    if simulator is None:
        return SystemClock()
    open_ns = calendar.session(config.replay.day).open_ns
    covered_ns = await Publisher(store, config.streams.lanes, underlying_of).open() or open_ns
    if covered_ns > open_ns:
        say(f"the replay goes on after its first {(covered_ns - open_ns) // (MINUTE_S * NS_PER_S)} minutes")
    authority = ReplayAuthority(simulator.url, speed=config.replay.speed, open_ns=max(open_ns, covered_ns))
    return LogicalClock(simulator.now_ns, await stack.enter_async_context(authority))


@dataclass(frozen=True, slots=True)
class Asked:
    """Everybody who is asked: the market's vendors, and those of a run from discovery to trade."""

    vendors: Vendors
    research: Research
    yahoo: Yahoo


async def open_vendors(
    stack: AsyncExitStack,
    config: Config,
    keys: AlpacaKeys,
    environ: Mapping[str, str],
    clock: Clock,
    server: Outcome[ModelServer],
    *,
    replay: bool,
    state: LimiterState | None = None,
) -> Asked:
    """Open the gateways, and make the adapters of everybody there is a key for."""
    feed = config.feed
    reddit = REPLAY_REDDIT if replay else reddit_keys(environ)
    youtube = REPLAY_YOUTUBE if replay else youtube_key(environ)
    hosts = [*alpaca_hosts(feed, keys, clock, state), news_host(feed, clock), *yahoo_hosts(feed, clock)]
    hosts += edgar_hosts(feed, clock)
    hosts += chain_hosts(feed, REPLAY_MASSIVE if replay else massive_key(environ) or "", clock)
    hosts += reddit_hosts(feed, reddit, clock) if reddit is not None else ()
    hosts += youtube_hosts(feed, youtube, clock) if youtube is not None else ()

    async def opened(hosts: Sequence[Host], how: FeedConfig) -> Gateway:
        gateway = Gateway(hosts, config=how, clock=clock, seed=config.node.seed, replay=replay)
        return await stack.enter_async_context(gateway)

    gateway, llm = await opened(hosts, feed), None
    url = await model_url(config, server)
    model: Outcome[LanguageModel]
    if url.value is None:
        model = nothing(url.kind, source=LLM_HOST, reason=url.reason)
    else:
        host = llm_host(config.llm, clock, base_url=url.value, api_key=llm_api_key(environ))
        llm = await opened([host], llm_feed(config.llm, feed))
        model = value_of(chat_model(llm, config.llm, server), source=LLM_HOST)
    bars = AlpacaBars(gateway, feed.alpaca)
    news, chain = GoogleNews(gateway, feed.news, clock=clock), bar_source(feed, gateway, bars)
    vendors = Vendors(gateway, bars, news, llm, chain)
    posts = None if reddit is None else Reddit(gateway, feed.reddit, clock=clock)
    videos = None if youtube is None else YouTube(gateway, feed.youtube, clock=clock)
    yahoo = Yahoo(gateway, clock=clock)
    return Asked(vendors, _research(config, vendors, yahoo, posts, videos, model, clock), yahoo)


def _experts(asked: Asked, clock: Clock, memory: IvMemory) -> Experts:
    """Return who is asked about the best candidates beside the session."""
    chains = chains_from(AlpacaOptions(asked.vendors.gateway), clock, memory)
    return Experts(chains, asked.yahoo.fetch_fundamentals)


def _stream(config: Config, home: Home, keys: AlpacaKeys, clock: Clock) -> Stream:
    """Return Alpaca's stream of the symbols that are watched in ``home``."""
    hearing = partial(listen, config.feed.alpaca, keys, clock=clock, seed=config.node.seed)
    return Stream(hearing, partial(read_watchlist, home.path / FILE_NAME), MAX_SYMBOLS)


def _research(
    config: Config,
    vendors: Vendors,
    yahoo: Yahoo,
    posts: Reddit | None,
    videos: YouTube | None,
    model: Outcome[LanguageModel],
    clock: Clock,
) -> Research:
    """Return whom a run from discovery to trade asks, and why the others are not there."""
    gateway, feed = vendors.gateway, config.feed
    talk: list[TalkSource] = [] if posts is None else [RedditTalk(posts, feed.reddit)]
    talk += [] if videos is None else [YouTubeTalk(videos, feed.youtube)]
    gaps = [("reddit", NO_REDDIT)] if posts is None else []
    gaps += [("youtube", NO_YOUTUBE)] if videos is None else []
    gaps += [("llm", f"no language model, rules only: {model.reason}")] if model.value is None else []
    edgar = Edgar(gateway, feed.edgar, clock=clock)
    return Research(
        talk=tuple(talk),
        sources=vendor_sources(yahoo, vendors.news, edgar, videos, clock=clock),
        model=model.value,
        gaps=tuple(gaps),
    )


def work(config: Config, address: str, name: str, marks_path: Path) -> None:
    """Be a worker process: own lanes of the server at ``address`` until told to end; keep their marks in a folder."""
    load_wanted(config.scan)  # indicators of the user's own may be among those that are kept live
    # A lane's first option needs the calendar: loaded beside the start, it holds up no other lane and no lease.
    threading.Thread(target=calendar_of, args=("XNYS",), name="calendar").start()
    ttl_s, marks = config.live.hot_ttl_s, Marks(marks_path, address)
    serve_worker(address, name, config.streams, lambda _lane: LaneState(config.live), hot_ttl_s=ttl_s, marks=marks)


async def lane_progress(address: str) -> list[LaneProgress]:
    """Return where each lane of a stream server stands."""
    async with connect(address) as store:
        return [await store.progress(lane) for lane in range((await store.layout()).lanes)]
