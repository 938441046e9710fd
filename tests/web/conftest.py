"""A client that speaks to the application in memory, and one that speaks to a served one."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from tests.web.scripted import TOKEN, ScriptedView

from tapeline.web.server import build_app


@pytest.fixture
def anyio_backend() -> str:
    """uvicorn and FastAPI run on asyncio."""
    return "asyncio"


@pytest.fixture
def view() -> ScriptedView:
    """A node in the middle of the day."""
    view = ScriptedView()
    view.go_to(60)
    return view


@pytest.fixture
def app(view: ScriptedView) -> FastAPI:
    """The application over the view."""
    return build_app(view, TOKEN)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    """A client without a network."""
    transport = httpx2.ASGITransport(app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1:8321") as client:
        yield client


@pytest.fixture
def with_token() -> dict[str, str]:
    """The header that lets a POST in."""
    return {"Authorization": f"Bearer {TOKEN}"}
