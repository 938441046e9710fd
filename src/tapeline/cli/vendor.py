"""The vendor that the verbs of the feed ask: the real one with your key, or whatever speaks its format.

In: settings and the environment.  Out: a gateway and an adapter on the right clock.
Refuses to ask without a key. A server on this machine that owns a clock (``tapeline sim``) is asked on that clock.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import msgspec

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import Clock, LogicalClock, SystemClock, actor
from tapeline.core.config import Config
from tapeline.core.config.secrets import alpaca_keys, massive_key
from tapeline.core.errors import BadInput
from tapeline.feed.gateway import Gateway
from tapeline.feed.replay import ReplayAuthority
from tapeline.feed.sources import BarSource
from tapeline.feed.validate import sort_out_symbols
from tapeline.feed.vendors.alpaca import AlpacaBars, Asset, alpaca_hosts
from tapeline.feed.vendors.choice import bar_source, chain_hosts
from tapeline.feed.vendors.yahoo import yahoo_hosts

_LOOK_S = 2.0
"""Real seconds for finding out whether a server on this machine owns a clock."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """Who is asked, and by which clock."""

    config: Config
    clock: Clock
    calendar: SessionCalendar
    gateway: Gateway
    bars: AlpacaBars
    source: BarSource
    """The configured chain of vendors; ``bars`` alone when there is no other."""

    async def known(self, wanted: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...], str]:
        """Return the symbols the vendor lists (all of them when none are wanted), the others with the reason, and why
        they could not be checked, if so."""
        outcome = await self.bars.fetch_assets()
        assets: tuple[Asset, ...] = outcome.value or ()
        if not outcome.is_value or not assets:
            if not wanted:
                raise BadInput(
                    f"the vendor's list of stocks could not be read ({outcome.reason}): name them by --symbols"
                )
            return tuple(sorted(set(wanted))), (), f"symbols are not checked: {outcome.reason or 'the list is empty'}"
        return *sort_out_symbols(wanted or [asset.symbol for asset in assets if asset.tradable], assets), ""


@asynccontextmanager
async def open_vendor(config: Config, environ: Mapping[str, str]) -> AsyncIterator[Vendor]:
    """Open the gateway to Alpaca's hosts, or to the servers that stand in their place. The body is an actor.

    Raises
    ------
    BadInput
        Without a key pair in the environment.
    """
    keys = alpaca_keys(environ)
    if keys is None:
        raise BadInput("asking the vendor needs its key: set APCA_API_KEY_ID and APCA_API_SECRET_KEY")
    async with AsyncExitStack() as stack:
        clock = await _clock(stack, config.feed.alpaca.base_url)
        hosts = [*alpaca_hosts(config.feed, keys, clock), *yahoo_hosts(config.feed, clock)]
        hosts += chain_hosts(config.feed, massive_key(environ) or "", clock)
        is_replay = isinstance(clock, LogicalClock)
        gateway = Gateway(hosts, config=config.feed, clock=clock, seed=config.node.seed, replay=is_replay)
        await stack.enter_async_context(gateway)
        await stack.enter_async_context(actor(clock))
        bars = AlpacaBars(gateway, config.feed.alpaca)
        yield Vendor(config, clock, SessionCalendar(), gateway, bars, bar_source(config.feed, gateway, bars))


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
