"""The API: what the node shows, and the one thing that it can be asked to do.

In: a ``NodeView`` and the node's token.  Out: JSON. Reading is open, as only this machine can ask; every POST needs the
token. An answer that is no success holds ``{"detail": sentence}``.
Refuses unknown symbols (404), queries out of range (400, 422), a run while one is on its way (409).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import Response, StreamingResponse

from tapeline.core.types import Dossier
from tapeline.loop.board import Account, LoopStatus, NodeStatus, NodeView, ScanNews, ScanRow, SymbolPage, Tile
from tapeline.web.door import TokenCheck
from tapeline.web.events import Events
from tapeline.web.parts import Parts

Mode = Literal["streaming", "sequential"]


class Health(msgspec.Struct, frozen=True):
    """That the node answers, and how far it is."""

    status: str
    state: str
    version: str


class Started(msgspec.Struct, frozen=True):
    """The answer to a run that was started."""

    status: str
    message: str


class Refusal(msgspec.Struct, frozen=True):
    """Every answer that is no success."""

    detail: str


SHAPES: dict[str, Any] = {
    "Health": Health,
    "NodeStatus": NodeStatus,
    "Tiles": tuple[Tile, ...],
    "ScanRows": tuple[ScanRow, ...],
    "ScanNews": ScanNews,
    "Account": Account,
    "LoopStatus": LoopStatus,
    "SymbolPage": SymbolPage,
    "Dossier": Dossier,
    "Started": Started,
    "Refusal": Refusal,
}
"""Name in the API's description -> type."""


def _answers(shape: str, *refusals: int) -> dict[int | str, dict[str, Any]]:
    """Return what a route's description says of its answers."""
    named = {200: shape, **dict.fromkeys(refusals, "Refusal")}
    return {
        code: {
            "description": name,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
        }
        for code, name in named.items()
    }


def build_api(parts: Parts, events: Events, token: str) -> APIRouter:
    """Return the routes below ``/api``."""
    router = APIRouter(prefix="/api", default_response_class=Response)
    _add_parts(router, parts)
    _add_symbols(router, parts.view)
    _add_events(router, events)
    _add_runs(router, parts.view, TokenCheck(token))
    return router


def _add_parts(router: APIRouter, parts: Parts) -> None:
    """Add the routes of what everybody watches; each answers 304 to who has it already."""

    def answer(request: Request, name: str) -> Response:
        part = parts.get(name)
        headers = {"etag": f'"{part.tag}"'}
        if request.headers.get("if-none-match") == headers["etag"]:
            return Response(status_code=304, headers=headers)
        return Response(part.body, media_type="application/json", headers=headers)

    @router.get("/health", responses=_answers("Health"))
    async def health() -> Response:
        """Say that the node answers."""
        status = parts.view.status()
        return _json(Health("ok", status.state, status.version))

    @router.get("/status", responses=_answers("NodeStatus"))
    async def status(request: Request) -> Response:
        """Return how the node stands: the market's time, its state, its sources, its tally."""
        return answer(request, "status")

    @router.get("/market", responses=_answers("Tiles"))
    async def market(request: Request) -> Response:
        """Return one tile for every symbol of the universe."""
        return answer(request, "market")

    @router.get("/scan", responses=_answers("ScanRows"))
    async def scan(request: Request) -> Response:
        """Return the candidates of the last scan, best first."""
        return answer(request, "scan")

    @router.get("/scan/news", responses=_answers("ScanNews"))
    async def scan_news(request: Request) -> Response:
        """Return what is to be said of the last scan: new entrants, changes, who is left out, what is missing."""
        return answer(request, "scan_news")

    @router.get("/portfolio", responses=_answers("Account"))
    async def portfolio(request: Request) -> Response:
        """Return the paper account: cash, positions, fills and the equity curve."""
        return answer(request, "portfolio")

    @router.get("/bot/loop-status", responses=_answers("LoopStatus"))
    async def loop_status(request: Request) -> Response:
        """Return how the run from discovery to trade stands, ticker by ticker."""
        return answer(request, "loop")


def _add_symbols(router: APIRouter, view: NodeView) -> None:
    @router.get("/symbols/{symbol}", responses=_answers("SymbolPage", 404))
    async def symbol_page(symbol: str) -> Response:
        """Return everything about one symbol: bars, indicators, headlines, fills, its dossier."""
        page = view.symbol(symbol.upper())
        if page is None:
            raise HTTPException(404, f"{_named(symbol)} is not in this market: /api/market lists its symbols")
        return _json(page)

    @router.get("/dossiers/{symbol}", responses=_answers("Dossier", 404))
    async def dossier(symbol: str) -> Response:
        """Return the last dossier of one symbol."""
        found = view.dossier(symbol.upper())
        if found is None:
            raise HTTPException(404, f"there is no dossier of {_named(symbol)}: no run has analysed it in this session")
        return _json(found)


def _add_events(router: APIRouter, events: Events) -> None:
    answers = _answers("Refusal", 503)
    answers[200] = {"description": "Messages of what changed.", "content": {"text/event-stream": {}}}

    @router.get("/events", responses=answers)
    async def follow() -> Response:
        """Follow the node: `changed` messages with the tag of each part that is new."""
        return StreamingResponse(events.stream(), media_type="text/event-stream", headers={"cache-control": "no-store"})


def _add_runs(router: APIRouter, view: NodeView, check: TokenCheck) -> None:
    @router.post("/bot/run-loop", responses=_answers("Started", 400, 401, 409, 422), dependencies=[Depends(check)])
    async def run_loop(
        request: Request,
        max_tickers: Annotated[int | None, Query(ge=1, description="Tickers to analyse at most.")] = None,
        mode: Annotated[Mode | None, Query(description="As each ticker is found, or phase by phase.")] = None,
    ) -> Response:
        """Start a run from discovery to trade; it begins with the market's next minute."""
        if unknown := sorted(set(request.query_params) - {"max_tickers", "mode"}):
            raise HTTPException(422, f"{_named(unknown[0])} is unknown here: there are max_tickers and mode")
        await view.run_loop(max_tickers, mode)
        return _json(Started("started", "A run from discovery to trade begins with the market's next minute."))


def _named(symbol: str) -> str:
    """Return a symbol as a sentence may hold it: text of the world, so bounded."""
    return repr(symbol[:32])


def _json(body: object) -> Response:
    return Response(msgspec.json.encode(body), media_type="application/json")
