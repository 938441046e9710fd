"""The second stage of ``scan`` on the command line: options and company figures of the best.

In: a finished scan, settings, keys.  Out: ``SecondLook``. Without a vendor's key the simulator is started on the scan's
day, and what it tells is labelled simulated.
Refuses to put a vendor's answers of one day beside a scan of another: they are missing then, with that reason.
"""

from __future__ import annotations

import datetime as dt
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tapeline.cli.vendor import Vendor, open_vendor
from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock
from tapeline.core.config import Config
from tapeline.core.config.secrets import alpaca_keys
from tapeline.core.home import Home, default_home
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import Candidate
from tapeline.feed.simulator import asking, open_simulator
from tapeline.feed.vendors.alpaca_options import AlpacaOptions
from tapeline.feed.vendors.yahoo import Yahoo
from tapeline.scan.chains import chains_from
from tapeline.scan.iv import IvMemory
from tapeline.scan.second import Ask, Experts, SecondLook, look_closer

SIMULATED_KEYS = {"APCA_API_KEY_ID": "replay", "APCA_API_SECRET_KEY": "replay"}
"""The simulator wants keys as the vendor does, and takes any."""
VOLATILITY_FILE = "volatility.json"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is asked for, and of which scan."""

    options: bool
    companies: bool
    day: dt.date
    universe: Path | None


async def look(config: Config, environ: Mapping[str, str], candidates: Sequence[Candidate], wish: Wish) -> SecondLook:
    """Ask about the candidates as of the close of the scan's day."""
    async with AsyncExitStack() as stack:
        if alpaca_keys(environ) is None:
            config = await _simulated(stack, config, wish)
            vendor = await stack.enter_async_context(open_vendor(config, {**environ, **SIMULATED_KEYS}))
            await vendor.clock.sleep_until(SessionCalendar().session(wish.day).close_ns)
        else:
            vendor = await stack.enter_async_context(open_vendor(config, environ))
        is_simulated = isinstance(vendor.clock, LogicalClock)
        memory = IvMemory(None if is_simulated else default_home(environ).path / "market" / VOLATILITY_FILE)
        found = await look_closer(candidates, config.scan, _experts(vendor, memory, wish), vendor.clock)
        memory.keep()
        return found


async def _simulated(stack: AsyncExitStack, config: Config, wish: Wish) -> Config:
    """Start the simulator on the scan's day and return the settings that ask there."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="tapeline-"))
    universe = "" if wish.universe is None else str(wish.universe.resolve())
    replay = msgspec.structs.replace(config.replay, day=wish.day, universe=universe, port=0)
    config = msgspec.structs.replace(config, replay=replay)
    home = Home(Path(folder))
    home.prepare()
    return asking(config, await open_simulator(stack, config, home, lambda _line: None))


def _experts(vendor: Vendor, memory: IvMemory, wish: Wish) -> Experts:
    running = vendor.calendar.next_session(vendor.clock.now_ns())
    is_open = running.open_ns <= vendor.clock.now_ns()
    told = running.day if is_open else vendor.calendar.previous_session(running.day).day
    chain: Ask[tuple[Any, ...]] = chains_from(AlpacaOptions(vendor.gateway), vendor.clock, memory)
    company: Ask[Any] = Yahoo(vendor.gateway, clock=vendor.clock).fetch_fundamentals
    if told != wish.day:
        chain = company = _of_another_day(f"the vendor tells what is so on {told}, and the scan is of {wish.day}")
    return Experts(chain if wish.options else None, company if wish.companies else None)


def _of_another_day(reason: str) -> Ask[Any]:
    async def ask(_symbol: str, _deadline_ns: int) -> Outcome[Any]:
        return nothing(Kind.STALE, source="scan", reason=reason)

    return ask
