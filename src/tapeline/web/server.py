"""The page and the API as an application, and the server that runs it inside the node.

In: a ``NodeView``, the node's token, a port.  Out: a listener on 127.0.0.1 until cancelled.
Refuses, in one sentence and with exit code 2, a port that is taken. It takes no signals: the node does.
"""

from __future__ import annotations

import errno
import socket
from collections.abc import Generator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any

import anyio
import msgspec
import uvicorn
from anyio.abc import TaskStatus
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from tapeline import __version__
from tapeline.core.errors import BadInput, PortInUse, Unavailable
from tapeline.loop.board import LoopBusy, NodeView
from tapeline.web.api import SHAPES, build_api
from tapeline.web.assets import asset_routes
from tapeline.web.door import Door
from tapeline.web.events import Events
from tapeline.web.parts import Parts

HOST = "127.0.0.1"
CLOSE_S = 1
"""Real seconds that answers on their way may take once the node ends."""

CODES: dict[type[Exception], int] = {BadInput: 400, LoopBusy: 409, Unavailable: 503}
"""Our own errors, whose text is one sentence for a person, and the status they answer with."""


def build_app(view: NodeView, token: str) -> FastAPI:
    """Return the application.

    Parameters
    ----------
    view
        What is shown. Read in the server's event loop only.
    token
        What a POST has to bring; not empty.
    """
    parts = Parts(view)
    events = Events(parts)
    # No page of documentation: those of FastAPI load from elsewhere. /openapi.json has it all.
    app = FastAPI(title="Tapeline", version=__version__, docs_url=None, redoc_url=None)
    app.include_router(build_api(parts, events, token))
    app.router.routes.extend(asset_routes())
    app.add_middleware(Door)
    for kind in CODES:
        app.add_exception_handler(kind, _ours)
    app.add_exception_handler(RequestValidationError, _bad_query)
    app.add_exception_handler(HTTPException, _refused)
    app.state.events = events
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    return app


async def serve(app: FastAPI, port: int, *, task_status: TaskStatus[str] = anyio.TASK_STATUS_IGNORED) -> None:
    """Answer on 127.0.0.1 until cancelled, then close within about a second, event streams included.

    Start it with ``base_url = await group.start(serve, app, port)``.

    Parameters
    ----------
    app
        From ``build_app``.
    port
        0 takes a free one.

    Raises
    ------
    PortInUse
        When another process has the port.
    """
    server = PageServer(app, listen(port))
    async with anyio.create_task_group() as group:
        await group.start(server.run_shielded)
        task_status.started(server.base_url)
        try:
            await anyio.sleep_forever()
        finally:
            app.state.events.close()
            server.should_exit = True


class PageServer(uvicorn.Server):
    """uvicorn inside the node's event loop: no signals, no log of its own, a listener that is open already."""

    def __init__(self, app: FastAPI, listener: socket.socket) -> None:
        settings: dict[str, Any] = {"access_log": False, "log_config": None, "lifespan": "off", "ws": "none"}
        settings |= {"server_header": False, "timeout_graceful_shutdown": CLOSE_S}
        super().__init__(uvicorn.Config(app, **settings))
        self._listener = listener
        self.base_url = f"http://{HOST}:{listener.getsockname()[1]}"
        self._listening = anyio.Event()

    async def run_shielded(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Run until ``should_exit``; a cancellation from outside waits for the orderly end."""
        with anyio.CancelScope(shield=True), self._listener:
            async with anyio.create_task_group() as group:
                group.start_soon(self.serve, [self._listener])
                await self._listening.wait()
                task_status.started()

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Take none."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self._listening.set()


def listen(port: int) -> socket.socket:
    """Return a listening socket on 127.0.0.1. Raises PortInUse when another process has the port."""
    # asyncio turns Nagle's delay off only for sockets that name their protocol; with it an answer takes 40 ms more.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(
                f"port {port} on {HOST} is taken: set web.port to another, or to 0 for a free one"
            ) from None
        raise BadInput(f"cannot listen on {HOST}:{port} ({error.strerror}): set web.port to another") from None
    return listener


async def _ours(_: Request, error: Exception) -> JSONResponse:
    code = next(code for kind, code in CODES.items() if isinstance(error, kind))
    return JSONResponse({"detail": str(error)}, code)


async def _bad_query(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    wrong = [f"{'.'.join(map(str, one['loc'][1:]))}: {one['msg'].lower()}" for one in error.errors()]
    return JSONResponse({"detail": f"cannot use this query: {'; '.join(wrong)}"}, HTTPStatus.UNPROCESSABLE_ENTITY)


async def _refused(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    bare = error.detail == HTTPStatus(error.status_code).phrase
    sentence = f"nothing answers {request.method} here: /openapi.json lists what does" if bare else error.detail
    return JSONResponse({"detail": sentence}, error.status_code, headers=error.headers)


def _describe(app: FastAPI) -> dict[str, Any]:
    """Return the API's description, with the shapes of its answers from our own types."""
    if app.openapi_schema is None:
        described = get_openapi(title=app.title, version=app.version, routes=app.routes)
        refs, found = msgspec.json.schema_components(
            SHAPES.values(), schema_hook=_any, ref_template="#/components/schemas/{name}"
        )
        schemas = described.setdefault("components", {}).setdefault("schemas", {})
        schemas.update(found)
        schemas.update({name: ref for name, ref in zip(SHAPES, refs, strict=True) if name not in found})
        app.openapi_schema = described
    return app.openapi_schema


def _any(kind: type) -> dict[str, Any]:
    """Describe what our types leave open: any value."""
    if kind is not object:
        raise NotImplementedError
    return {"description": "any value"}
