"""The simulated vendors as one web application.

In: a market, a day and a plan of faults.  Out: a Starlette application with Alpaca's, the news' and our own routes.
Refuses nothing by itself; ``door`` and the routes do.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

import msgspec
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from tapeline.core.calendar import SessionCalendar
from tapeline.sim import alpaca_data, alpaca_trading
from tapeline.sim.alpaca_crypto import AlpacaCrypto
from tapeline.sim.alpaca_options import AlpacaOptions
from tapeline.sim.alpaca_stream import AlpacaStream
from tapeline.sim.clock import START_OF_DAY, ReplayClock, new_york_day, new_york_ns
from tapeline.sim.crypto import CryptoTape
from tapeline.sim.door import Door, Family
from tapeline.sim.faults import FaultPlan, Weather
from tapeline.sim.limits import SlidingLimit
from tapeline.sim.market import Market
from tapeline.sim.massive import MassiveAggregates
from tapeline.sim.massive import refusal as refuse_as_massive
from tapeline.sim.news import Newsroom
from tapeline.sim.rss import NewsSearch
from tapeline.sim.tape import Tape
from tapeline.sim.voices import VoiceLimits, voice_routes

MASSIVE_RANGE = "/v2/aggs/ticker/{ticker}/range/{multiplier}/{timespan}/{start}/{end}"
NODE = "node"
"""The participant that an anonymous request to move the clock speaks for."""


@dataclass(frozen=True, slots=True)
class SimSettings:
    """How the simulated vendors behave. Limits are requests in any 60 s of logical time; Alpaca's free ones are 200."""

    day: dt.date = dt.date(2010, 5, 6)
    seed: int = 7
    data_limit: int = 200
    trading_limit: int = 200
    news_limit: int = 120
    plan: alpaca_data.Plan = "basic"
    faults: FaultPlan = field(default_factory=FaultPlan)
    voices: VoiceLimits = field(default_factory=VoiceLimits)


class MoveClock(msgspec.Struct, frozen=True):
    """Body of ``POST /sim/clock``."""

    until_ns: int
    participant: str = NODE


class Participant(msgspec.Struct, frozen=True):
    """Body of ``POST /sim/participants``."""

    name: str


def build_app(market: Market, settings: SimSettings) -> Starlette:
    """Return the application. Its clock starts at 09:00 New York on ``settings.day``.

    Raises
    ------
    DataError
        When the market has no such session.
    """
    market.row_of(settings.day)
    clock = ReplayClock(new_york_ns(settings.day, START_OF_DAY))
    door = Door(clock, Weather(settings.faults, settings.seed))
    calendar = SessionCalendar()
    tape = Tape(market)
    tape.day_rows(settings.day)  # made now, so that the first request is as quick as the others
    vendors = _vendor_routes(door, tape, calendar, settings)
    stream = AlpacaStream(tape, clock, settings.plan)
    vendors.append(stream.route())
    routes = [*vendors, *voice_routes(door, tape, settings.seed, settings.voices), *_own_routes(door, calendar)]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _not_found})
    app.state.clock = clock
    return app


def _vendor_routes(door: Door, tape: Tape, calendar: SessionCalendar, settings: SimSettings) -> list[BaseRoute]:
    data = alpaca_data.AlpacaData(tape, settings.plan)
    trading = alpaca_trading.AlpacaTrading(tape, calendar)
    options = AlpacaOptions(tape)
    news = NewsSearch(tape, Newsroom(tape, settings.seed))
    of_data = Family("data", SlidingLimit(settings.data_limit), alpaca_data.NO_KEYS)
    of_trading = Family("trading", SlidingLimit(settings.trading_limit), alpaca_trading.NO_KEYS)
    crypto = AlpacaCrypto(CryptoTape(settings.seed))
    # Coins are free for all, and whoever shows a key spends the same allowance on them.
    of_crypto = Family("data", of_data.limit, limit_headers=lambda verdict, _: verdict.headers())
    massive = MassiveAggregates(tape)
    of_massive = Family("massive", SlidingLimit(settings.data_limit), refusal=refuse_as_massive)
    of_news = Family("news", SlidingLimit(settings.news_limit))
    return [
        door.route("/v2/stocks/bars", data.bars, of_data),
        door.route("/v2/stocks/bars/latest", data.latest_bars, of_data),
        door.route("/v2/stocks/trades/latest", data.latest_trades, of_data),
        door.route("/v2/stocks/quotes/latest", data.latest_quotes, of_data),
        door.route("/v2/stocks/snapshots", data.snapshots, of_data),
        door.route("/v2/stocks/{symbol}/bars", data.symbol_bars, of_data),
        door.route("/v1beta1/options/snapshots", options.snapshots, of_data),
        door.route("/v1beta1/options/snapshots/{underlying}", options.chain, of_data),
        door.route("/v1beta1/options/bars", options.bars, of_data),
        door.route("/v1beta3/crypto/{loc}/bars", crypto.bars, of_crypto),
        door.route("/v1beta3/crypto/{loc}/latest/bars", crypto.latest_bars, of_crypto),
        door.route("/v1beta3/crypto/{loc}/latest/trades", crypto.latest_trades, of_crypto),
        door.route("/v1beta3/crypto/{loc}/latest/quotes", crypto.latest_quotes, of_crypto),
        door.route("/v1beta3/crypto/{loc}/snapshots", crypto.snapshots, of_crypto),
        door.route("/v1/corporate-actions", data.corporate_actions, of_data),
        door.route("/v2/assets", trading.assets, of_trading),
        door.route("/v2/assets/{symbol_or_id}", trading.asset, of_trading),
        door.route("/v2/options/contracts", options.contracts, of_trading),
        door.route("/v2/options/contracts/{symbol}", options.contract, of_trading),
        door.route("/v2/clock", trading.clock, of_trading),
        door.route("/v2/calendar", trading.sessions, of_trading),
        door.route(MASSIVE_RANGE, massive.ranged, of_massive),
        door.route("/v2/aggs/grouped/locale/us/market/stocks/{date}", massive.grouped, of_massive),
        door.route("/rss/search", news.search, of_news),
    ]


def _own_routes(door: Door, calendar: SessionCalendar) -> list[Route]:
    """Return the routes that no vendor has: the clock, who takes part in it, and the statistics."""
    clock = door.clock

    async def show(_: Request) -> Response:
        session = calendar.next_session(clock.now_ns())
        is_open = session.open_ns <= clock.now_ns()
        following = calendar.next_session(session.close_ns) if is_open else session
        hours = {"open_ns": session.open_ns, "close_ns": session.close_ns, "next_open_ns": following.open_ns}
        day = new_york_day(clock.now_ns()).isoformat()
        body = {"now_ns": clock.now_ns(), "day": day, "is_open": is_open, **hours}
        return _json({**body, "participants": clock.participants})

    async def move(request: Request) -> Response:
        try:
            wish = msgspec.json.decode(await request.body(), type=MoveClock)
        except msgspec.DecodeError as error:
            return _json({"message": f"cannot move the clock: {error}"}, 400)
        return _json({"now_ns": await clock.ask(wish.participant, wish.until_ns)})

    async def join(request: Request) -> Response:
        try:
            clock.join(msgspec.json.decode(await request.body(), type=Participant).name)
        except msgspec.DecodeError as error:
            return _json({"message": f"nobody can join like this: {error}"}, 400)
        return _json({"now_ns": clock.now_ns(), "participants": clock.participants})

    async def leave(request: Request) -> Response:
        clock.leave(request.path_params["name"])
        return _json({"now_ns": clock.now_ns(), "participants": clock.participants})

    async def stats(_: Request) -> Response:
        return _json(door.stats.as_dict())

    return [
        Route("/sim/clock", show, methods=["GET"]),
        Route("/sim/clock", move, methods=["POST"]),
        Route("/sim/participants", join, methods=["POST"]),
        Route("/sim/participants/{name}", leave, methods=["DELETE"]),
        Route("/sim/stats", stats, methods=["GET"]),
    ]


async def _not_found(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return _json({"message": "endpoint not found." if status == 404 else "method not allowed."}, status)


def _json(body: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(body), status, media_type="application/json")
