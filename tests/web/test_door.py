"""The door: our names only, the token for every POST, headers that keep other sites out."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx2
import pytest
from fastapi import FastAPI
from tests.web.scripted import TOKEN, ScriptedView

from tapeline.web.assets import STATIC
from tapeline.web.door import LOGO_STYLE_HASH, TokenCheck

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8321", "localhost:9000", "LOCALHOST"])
async def test_this_machine_by_name_is_let_in(client: httpx2.AsyncClient, host: str) -> None:
    assert (await client.get("/api/health", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8321", "127.0.0.1.evil.example", "localhost:80:80", "localhost:x", "", "[::1]"],
)
@pytest.mark.parametrize("path", ["/", "/api/status", "/openapi.json"])
async def test_another_name_is_refused_everywhere(client: httpx2.AsyncClient, host: str, path: str) -> None:
    answer = await client.get(path, headers={"Host": host})
    assert answer.status_code == 403
    assert answer.json() == {"detail": "this node answers only to 127.0.0.1 and localhost"}


async def test_no_host_at_all_is_refused(app: FastAPI) -> None:
    sent = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": []}
    await app(scope, None, send)  # type: ignore[arg-type]
    assert sent[0]["status"] == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"X-Tapeline-Token": ""},
        {"Cookie": f"token={TOKEN}"},
    ],
)
async def test_a_post_without_the_token_changes_nothing(
    client: httpx2.AsyncClient, view: ScriptedView, headers: dict[str, str]
) -> None:
    for query in ("", "?mode=fast", f"?token={TOKEN}"):
        answer = await client.post(f"/api/bot/run-loop{query}", headers=headers)
        assert answer.status_code == 401
        assert "node.json" in answer.json()["detail"]
        assert answer.headers["www-authenticate"] == "Bearer"
    assert not view.asked


async def test_a_token_in_other_letters_is_wrong_and_no_crash(client: httpx2.AsyncClient) -> None:
    headers = {b"X-Tapeline-Token": "tökén".encode("latin-1")}
    assert (await client.post("/api/bot/run-loop", headers=headers)).status_code == 401


@pytest.mark.parametrize("path", ["/", "/js/main.js", "/api/status", "/api/symbols/NOPE"])
async def test_every_answer_keeps_other_sites_out(client: httpx2.AsyncClient, path: str) -> None:
    headers = (await client.get(path, headers={"Origin": "http://evil.example"})).headers
    assert "access-control-allow-origin" not in headers
    assert "script-src 'self';" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cross-origin-resource-policy"] == "same-origin"


async def test_a_preflight_of_another_site_is_refused(client: httpx2.AsyncClient) -> None:
    asked = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await client.options("/api/bot/run-loop", headers=asked)
    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_no_answer_holds_the_token(client: httpx2.AsyncClient) -> None:
    paths = ("/", "/api/health", "/api/status", "/api/bot/loop-status", "/openapi.json", "/js/run.js")
    for path in paths:
        assert TOKEN not in (await client.get(path)).text


def test_the_policy_names_the_style_that_the_chart_makes() -> None:
    chart = STATIC / "vendor/lightweight-charts/lightweight-charts.standalone.production.mjs"
    (style,) = re.findall(r'\.innerText="(a#tv-attr-logo[^"]*)"', chart.read_text())
    assert "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() == LOGO_STYLE_HASH


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="empty token"):
        TokenCheck("")
