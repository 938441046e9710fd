"""``poll --once``: the newest minute of every symbol, and what the poller knows of those without a bar.

In: settings and symbols.  Out: what is printed, and whether a page failed.
Refuses to call silence *no trade*: a symbol has no trade when another one of its feed has the minute, half a minute
after its end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tapeline.cli.poll_show import Newest, iso
from tapeline.core.types import MINUTE_S, NS_PER_S

if TYPE_CHECKING:
    from tapeline.cli.vendor import Market, Vendor

MINUTE_NS = MINUTE_S * NS_PER_S


async def newest_minute(vendor: Vendor, wanted: tuple[str, ...]) -> Newest:
    """Return the last minute that has ended of ``wanted`` symbols, or of all that the vendor lists."""
    symbols, refused, unchecked = await vendor.known(wanted)
    notes = (unchecked,) if unchecked else ()
    found = [await _newest_of(vendor, market) for market in vendor.markets(symbols)]
    return Newest(
        frames=[frame for one in found for frame in one.frames],
        no_trade=tuple(symbol for one in found for symbol in one.no_trade),
        unknown=tuple(symbol for one in found for symbol in one.unknown),
        missing=[pair for one in found for pair in one.missing],
        refused=(*refused, *(pair for one in found for pair in one.refused)),
        notes=(*notes, *(note for one in found for note in one.notes)),
        requests=sum(one.requests for one in found),
        pages=sum(one.pages for one in found),
    )


async def _newest_of(vendor: Vendor, market: Market) -> Newest:
    """Poll the last minute of one market that has ended, be it yesterday's."""
    from tapeline.feed.minutes import Minute
    from tapeline.feed.poller import Poller

    config = msgspec.structs.replace(vendor.config.feed, extended_hours=False)
    end_ns = _last_end_ns(vendor, market, round(config.publish_delay_s * NS_PER_S))
    start_ns = end_ns - MINUTE_NS
    poller = Poller(
        market.source,
        market.symbols,
        clock=vendor.clock,
        calendar=market.calendar,
        config=config,
        since_ns=start_ns,
    )
    report = await poller.cycle(end_ns)
    refused = [(symbol, reason) for symbol, reason, _ in report.quarantined]
    gone = {symbol for symbol, _ in (*refused, *report.missing)}
    known = {symbol: poller.minutes.state(symbol, start_ns) for symbol in market.symbols if symbol not in gone}
    unknown = tuple(symbol for symbol, state in known.items() if state not in (Minute.BAR, Minute.NO_TRADE))
    is_silent = not any(len(frame) for frame in report.frames)
    return Newest(
        frames=report.frames,
        no_trade=tuple(symbol for symbol, state in known.items() if state is Minute.NO_TRADE),
        unknown=unknown,
        missing=report.missing,
        refused=refused,
        notes=(*report.alerts, *([_say_unknown(market, start_ns, unknown, is_silent)] if unknown else [])),
        requests=report.requests,
        pages=report.pages,
    )


def _say_unknown(market: Market, start_ns: int, unknown: tuple[str, ...], is_silent: bool) -> str:
    """Return the sentence on symbols of which nothing is known."""
    if is_silent:
        return (
            f"the feed {market.source.feed} has no bar of the minute {iso(start_ns)} for any of the "
            f"{len(unknown)} symbols asked for: it may be silent, or nobody traded"
        )
    names = ", ".join(unknown[:20]) + (" ..." if len(unknown) > 20 else "")
    return f"no bar of the minute {iso(start_ns)} is known yet, and it may still come: {names}"


def _last_end_ns(vendor: Vendor, market: Market, delay_ns: int) -> int:
    """Return the end of the last minute whose bars should be out."""
    now_ns = vendor.clock.now_ns() - delay_ns
    session = market.calendar.next_session(now_ns)
    if now_ns < session.open_ns + MINUTE_NS:  # shut, or a minute has not ended yet
        session = market.calendar.previous_session(session.day)
    return min(now_ns - now_ns % MINUTE_NS, session.close_ns)
