"""What every request passes: who may ask, and what a browser may do with the answer.

In: any HTTP request.  Out: the same request, and its answer with the headers that keep other sites out.
Refuses a Host header that is not this machine's (DNS rebinding), and a token that is not the node's. There is no CORS:
another site's script gets no answer to read.
"""

from __future__ import annotations

import hmac
from typing import Annotated

from fastapi import HTTPException, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

OUR_NAMES = frozenset({"127.0.0.1", "localhost"})
"""With any port, so that a tunnel works: the name is what an attacker's page cannot choose."""

LOGO_STYLE_HASH = "sha256-3pRED1tOXas1FXFoPb9TGCjmYe9XQsmO9OV23khV2nY="
"""Of the one style element that lightweight-charts makes, for its attribution logo; a test compares it."""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        f"style-src 'self' '{LOGO_STYLE_HASH}'",
        "img-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)

HEADERS = {
    "content-security-policy": POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
"""On every answer."""

NO_TOKEN = (
    "starting a run needs the node's token: send `Authorization: Bearer TOKEN` with the token of run/node.json "
    "in the node's home"
)


class Door:
    """The middleware around the whole application."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let the request in when it asks for this machine by name; see the answer out with ``HEADERS``."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", "no-cache")
            await send(message)

        app = self._app if _asks_for_us(scope) else _not_us
        await app(scope, receive, send_with_headers)


def _asks_for_us(scope: Scope) -> bool:
    hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
    if len(hosts) != 1:
        return False
    name, colon, port = hosts[0].lower().partition(":")
    return name in OUR_NAMES and (not colon or port.isdigit())


_not_us = JSONResponse({"detail": "this node answers only to 127.0.0.1 and localhost"}, status_code=403)

_bearer = HTTPBearer(auto_error=False, description="The token of run/node.json in the node's home.")
_header = APIKeyHeader(name="X-Tapeline-Token", auto_error=False, description="The same token, by itself.")


class TokenCheck:
    """A dependency of every route that changes something."""

    def __init__(self, token: str) -> None:
        if not token:
            raise ValueError("an empty token would let everybody in")
        self._token = token.encode()

    def __call__(
        self,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)] = None,
        plain: Annotated[str | None, Security(_header)] = None,
    ) -> None:
        """Raise a 401 unless one of the two headers holds the token; the comparison takes constant time."""
        given = bearer.credentials if bearer is not None else plain or ""
        if not hmac.compare_digest(given.encode(), self._token):
            raise HTTPException(401, NO_TOKEN, headers={"WWW-Authenticate": "Bearer"})
