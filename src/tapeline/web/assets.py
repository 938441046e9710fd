"""The page's own files, read once into memory.

In: the folder ``static``.  Out: one route per file, so there is no path to traverse.
Refuses a file of a kind that ``KINDS`` does not name.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

STATIC = Path(__file__).parent / "static"

KINDS = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}
"""Suffix -> media type; a licence has no suffix."""


def asset_routes(folder: Path = STATIC) -> list[Route]:
    """Return a route for every file below ``folder``, and ``/`` for its index."""
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    routes = [Route(f"/{name}", _show(path)) for name, path in files.items()]
    return [Route("/", _show(files["index.html"])), *routes]


def _show(path: Path) -> Callable[[Request], Awaitable[Response]]:
    body, kind = path.read_bytes(), KINDS[path.suffix]
    tag = f'"{blake2b(body, digest_size=8).hexdigest()}"'

    async def show(request: Request) -> Response:
        headers = {"etag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, media_type=kind, headers=headers)

    return show
