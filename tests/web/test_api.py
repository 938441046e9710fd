"""The API: shapes of the document, sentences for what is refused, one run at a time."""

from __future__ import annotations

import httpx2
import msgspec
import numpy as np
import pytest
from tests.web.scripted import TOKEN, WORLDLY, ScriptedView, some_dossier

from tapeline.loop.board import Account, LoopStatus, NodeStatus, ScanNews, ScanRow, SymbolPage, Tile
from tapeline.web.api import SHAPES
from tapeline.web.server import build_app

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/api/status", NodeStatus),
        ("/api/market", tuple[Tile, ...]),
        ("/api/scan", tuple[ScanRow, ...]),
        ("/api/scan/news", ScanNews),
        ("/api/portfolio", Account),
        ("/api/bot/loop-status", LoopStatus),
        ("/api/symbols/AAPL", SymbolPage),
    ],
)
async def test_a_part_is_json_of_its_type(client: httpx2.AsyncClient, path: str, kind: type) -> None:
    answer = await client.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    msgspec.json.decode(answer.content, type=kind)


async def test_the_market_holds_every_symbol_with_its_label(client: httpx2.AsyncClient, view: ScriptedView) -> None:
    tiles = (await client.get("/api/market")).json()
    assert [tile["symbol"] for tile in tiles] == list(view.day.symbols)
    assert {tile["label"] for tile in tiles} == {"bridged"}


async def test_a_missing_price_is_null_and_not_a_number(client: httpx2.AsyncClient, view: ScriptedView) -> None:
    silent = view.day.symbols[int(np.flatnonzero(np.isnan(view.day.close).all(axis=0))[0])]
    tile = next(tile for tile in (await client.get("/api/market")).json() if tile["symbol"] == silent)
    assert tile["price"] is None
    assert tile["change_pct"] is None


async def test_an_unchanged_part_is_not_sent_again(client: httpx2.AsyncClient, view: ScriptedView) -> None:
    first = await client.get("/api/portfolio")
    view.bump()
    again = await client.get("/api/portfolio", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    view.fill("AAPL", "buy", 1.0, "why")
    assert (await client.get("/api/portfolio", headers={"If-None-Match": first.headers["etag"]})).status_code == 200


async def test_loop_status_has_the_documents_fields(client: httpx2.AsyncClient, view: ScriptedView) -> None:
    view.enter("NVDA", "discovered")
    view.enter("NVDA", "queued")
    status = (await client.get("/api/bot/loop-status")).json()
    assert {"running", "mode", "phase", "phases", "started_at", "ticker_status", "counters", "log"} <= status.keys()
    assert status["ticker_status"] == {"NVDA": "queued"}
    assert status["counters"] == {"discovered": 1, "collected": 0, "analyzed": 0, "traded": 0}
    assert status["log"][0].keys() == {"time", "message"}


async def test_a_symbol_is_found_in_any_case(client: httpx2.AsyncClient) -> None:
    assert (await client.get("/api/symbols/brk.b")).json()["symbol"] == "BRK.B"


@pytest.mark.parametrize("name", ["NOPE", "a" * 400, "%3Cscript%3E", "..%2f..%2fetc"])
async def test_an_unknown_symbol_is_a_404_with_a_bounded_sentence(client: httpx2.AsyncClient, name: str) -> None:
    answer = await client.get(f"/api/symbols/{name}")
    assert answer.status_code == 404
    assert 20 < len(answer.json()["detail"]) < 200


async def test_a_dossier_comes_whole_and_its_nan_as_null(client: httpx2.AsyncClient, view: ScriptedView) -> None:
    assert (await client.get("/api/dossiers/AAPL")).status_code == 404
    view.dossiers["AAPL"] = some_dossier("AAPL", view.now_ns)
    dossier = (await client.get("/api/dossiers/aapl")).json()
    assert dossier["conviction"] == 0.74
    assert dict(map(tuple, dossier["scorecard"]))["pe_ratio"] is None
    assert dossier["answers"][1]["answer"] == WORLDLY


async def test_health_answers_before_the_history_is_there() -> None:
    transport = httpx2.ASGITransport(build_app(ScriptedView(), TOKEN))
    async with httpx2.AsyncClient(transport=transport, base_url="http://localhost") as client:
        health = (await client.get("/api/health")).json()
        assert health == {"status": "ok", "state": "starting", "version": "0.1.0"}
        assert (await client.get("/api/market")).json() == []


async def test_a_run_starts_with_the_token_and_passes_what_was_asked(
    client: httpx2.AsyncClient, view: ScriptedView, with_token: dict[str, str]
) -> None:
    answer = await client.post("/api/bot/run-loop?max_tickers=4&mode=sequential", headers=with_token)
    assert answer.status_code == 200
    assert answer.json()["status"] == "started"
    assert view.asked == [(4, "sequential")]


async def test_a_run_without_a_wish_takes_the_configuration(client: httpx2.AsyncClient, view: ScriptedView) -> None:
    assert (await client.post("/api/bot/run-loop", headers={"X-Tapeline-Token": TOKEN})).status_code == 200
    assert view.asked == [(None, None)]


async def test_a_second_run_is_a_409(
    client: httpx2.AsyncClient, view: ScriptedView, with_token: dict[str, str]
) -> None:
    view.loop_running = True
    answer = await client.post("/api/bot/run-loop", headers=with_token)
    assert answer.status_code == 409
    assert "already" in answer.json()["detail"]


@pytest.mark.parametrize("query", ["max_tickers=0", "max_tickers=many", "mode=fast", "max_tickers=-3", "maxtickers=3"])
async def test_a_bad_query_is_a_422_that_names_the_parameter(
    client: httpx2.AsyncClient, view: ScriptedView, with_token: dict[str, str], query: str
) -> None:
    answer = await client.post(f"/api/bot/run-loop?{query}", headers=with_token)
    assert answer.status_code == 422
    assert query.partition("=")[0] in answer.json()["detail"]
    assert not view.asked


async def test_what_the_node_cannot_do_is_a_400_in_its_own_words(
    client: httpx2.AsyncClient, with_token: dict[str, str]
) -> None:
    answer = await client.post("/api/bot/run-loop?max_tickers=9999", headers=with_token)
    assert (answer.status_code, answer.json()["detail"]) == (400, "max_tickers is 201 or more: ask for 1 to 200")


async def test_what_is_not_there_says_where_to_look(client: httpx2.AsyncClient) -> None:
    for answer in (await client.get("/api/nothing"), await client.delete("/api/status")):
        assert answer.status_code in (404, 405)
        assert "/openapi.json" in answer.json()["detail"]


async def test_the_description_names_every_route_and_shape(client: httpx2.AsyncClient) -> None:
    described = (await client.get("/openapi.json")).json()
    assert "/api/bot/run-loop" in described["paths"]
    assert SHAPES.keys() <= described["components"]["schemas"].keys()
    refused = described["paths"]["/api/bot/run-loop"]["post"]["responses"]["409"]
    assert refused["content"]["application/json"]["schema"]["$ref"].endswith("/Refusal")
