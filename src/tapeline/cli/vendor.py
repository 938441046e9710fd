"""The vendor that the verbs of the feed ask: the real one with your key, or whatever speaks its format.

In: settings and the environment.  Out: a gateway and an adapter on the right clock.
Refuses to ask without a key. A server on this machine that owns a clock (``tapeline sim``) is asked on that clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from tapeline.cli.counting import open_counts
from tapeline.cli.poll_record import REPLAY_KEYS, Record, Replay
from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import Clock, LogicalClock, SystemClock, actor
from tapeline.core.config import Config
from tapeline.core.config.secrets import AlpacaKeys, alpaca_keys, massive_key
from tapeline.core.errors import BadInput
from tapeline.core.home import default_home
from tapeline.feed.gateway import Gateway
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.shared_limit import LimiterState
from tapeline.feed.sources import BarSource, DailySource
from tapeline.feed.validate import sort_out_symbols
from tapeline.feed.vendors.alpaca import AlpacaBars, Asset, alpaca_hosts
from tapeline.feed.vendors.alpaca_crypto import CALENDAR, AlpacaCrypto, split_markets
from tapeline.feed.vendors.choice import bar_source, chain_hosts
from tapeline.feed.vendors.yahoo import yahoo_hosts

_LOOK_S = 2.0
"""Real seconds for finding out whether a server on this machine owns a clock."""


@dataclass(frozen=True, slots=True)
class Market:
    """Symbols that are asked of one source, and when that market is open."""

    symbols: tuple[str, ...]
    source: BarSource
    daily: DailySource
    calendar: SessionCalendar

    @property
    def is_always_open(self) -> bool:
        """Whether it has no bell: coins."""
        return self.calendar.mic == CALENDAR


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who is asked, and by which clock."""

    config: Config
    clock: Clock
    calendar: SessionCalendar
    gateway: Gateway
    bars: AlpacaBars
    source: BarSource
    """The configured chain of vendors of stocks; ``bars`` alone when there is no other."""
    crypto: AlpacaCrypto

    def markets(self, symbols: Sequence[str]) -> list[Market]:
        """Return the markets that ``symbols`` are traded in: stocks by the exchange's calendar, coins at any time."""
        stocks, pairs = split_markets(symbols)
        found = [Market(stocks, self.source, self.bars, self.calendar)] if stocks else []
        return [*found, Market(pairs, self.crypto, self.crypto, SessionCalendar(CALENDAR))] if pairs else found

    async def known(self, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], str]:
        """Return the symbols the vendor lists (all stocks when none are wanted), the others with the reason, and why
        they could not be checked, if so."""
        stocks, pairs = split_markets(wanted)
        good, refused, unchecked = ((), (), "") if pairs and not stocks else await self._known_stocks(stocks)
        if pairs:
            outcome = await self.bars.fetch_assets("crypto")
            if outcome.value:
                listed, strangers = sort_out_symbols(pairs, outcome.value, what="pair")
                return (*good, *listed), (*refused, *strangers), unchecked
            unchecked = unchecked or f"pairs are not checked: {outcome.reason or 'the list is empty'}"
        return (*good, *sorted(set(pairs))), refused, unchecked

    async def _known_stocks(self, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], str]:
        outcome = await self.bars.fetch_assets()
        assets: tuple[Asset, ...] = outcome.value or ()
        if not outcome.is_value or not assets:
            if not wanted:
                raise BadInput(
                    f"the vendor's list of stocks could not be read ({outcome.reason}): name them by --symbols"
                )
            return tuple(sorted(set(wanted))), (), f"symbols are not checked: {outcome.reason or 'the list is empty'}"
        return *sort_out_symbols(wanted or [asset.symbol for asset in assets if asset.tradable], assets), ""


@dataclass(frozen=True, slots=True)
class _Way:
    """How the vendor is reached."""

    clock: Clock
    keys: AlpacaKeys
    massive: str
    state: LimiterState | None
    transport: httpx2.AsyncBaseTransport | None
    is_replay: bool
    """Whether answers name their latency."""


@asynccontextmanager
async def open_vendor(
    config: Config, environ: Mapping[str, str], tape: Record | Replay | None = None
) -> AsyncIterator[Vendor]:
    """Open the gateway to Alpaca's hosts, or to the servers that stand in their place. The body is an actor.

    Parameters
    ----------
    tape
        Keeps what is asked, or answers it instead of a vendor.

    Raises
    ------
    BadInput
        Without a key pair in the environment, which a replay does not need.
    """
    async with AsyncExitStack() as stack:
        way = _recorded(tape) if isinstance(tape, Replay) else await _network(stack, config, environ, tape)
        clock = way.clock
        hosts = [*alpaca_hosts(config.feed, way.keys, clock, way.state), *yahoo_hosts(config.feed, clock)]
        hosts += chain_hosts(config.feed, way.massive, clock)
        gateway = Gateway(
            hosts,
            config=config.feed,
            clock=clock,
            seed=config.node.seed,
            transport=way.transport,
            replay=way.is_replay,
        )
        await stack.enter_async_context(gateway)
        await stack.enter_async_context(actor(clock))
        bars = AlpacaBars(gateway, config.feed.alpaca)
        source = bar_source(config.feed, gateway, bars)
        yield Vendor(config, clock, SessionCalendar(), gateway, bars, source, AlpacaCrypto(gateway))


async def _network(stack: AsyncExitStack, config: Config, environ: Mapping[str, str], record: Record | None) -> _Way:
    """Return the way to the servers that are configured, on whose clock they have."""
    keys = alpaca_keys(environ)
    if keys is None:
        raise BadInput("asking the vendor needs its key: set APCA_API_KEY_ID and APCA_API_SECRET_KEY")
    clock = await _clock(stack, config.feed.alpaca.base_url)
    is_replay = isinstance(clock, LogicalClock)
    simulator = config.feed.alpaca.base_url if is_replay else ""
    state = await open_counts(stack, config, default_home(environ), simulator)
    transport = None if record is None else record.transport(config, clock, keys, environ)
    return _Way(clock, keys, massive_key(environ) or "", state, transport, is_replay)


def _recorded(replay: Replay) -> _Way:
    """Return the way to a recording: nobody is asked, so nothing counts and no key is needed."""
    return _Way(replay.clock, REPLAY_KEYS, "replay", None, replay.transport(), replay.recipe.is_logical)


async def _clock(stack: AsyncExitStack, base_url: str) -> Clock:
    """Return the clock of a simulator at ``base_url``, or the wall."""
    if httpx2.URL(base_url).host not in ("127.0.0.1", "::1", "localhost"):
        return SystemClock()
    try:
        async with httpx2.AsyncClient(trust_env=False, timeout=_LOOK_S) as client:
            answer = await client.get(f"{base_url.rstrip('/')}/sim/clock")
        told: Any = msgspec.json.decode(answer.content) if answer.is_success else {}
    except (httpx2.HTTPError, msgspec.MsgspecError):
        return SystemClock()  # whether it is there at all, the first question will tell
    now_ns = told.get("now_ns") if isinstance(told, dict) else None
    if not isinstance(now_ns, int):
        return SystemClock()
    return LogicalClock(now_ns, await stack.enter_async_context(ReplayAuthority(base_url)))
