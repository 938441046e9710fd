"""Traffic on record: what was asked and what came back, byte for byte, and the same again without a network.

In: a transport, and a file.  Out: the same answers, kept; or kept answers, in the order in which they came.
Refuses to keep a secret: request headers are left out, secret parameters and cookies blotted out, and whatever secret a
vendor repeats in its answer. A question that is not on record is an error, never a call.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict, deque
from collections.abc import Iterable
from pathlib import Path
from typing import IO

import anyio.lowlevel
import httpx2
import msgspec

from tapeline.core.errors import BadInput, DataError
from tapeline.feed.request import SECRET_NAME

VERSION = 1
BLOT = "***"


class Exchange(msgspec.Struct, frozen=True):
    """One line of a recording: a question, and its answer as it came over the wire (base64)."""

    version: int
    method: str
    url: str
    asked: str
    """SHA-256 of the body that was sent."""
    status: int
    headers: tuple[tuple[str, str], ...]
    content: str


class RecordingTransport(httpx2.AsyncBaseTransport):
    """Hands requests on and writes every exchange down. A context manager; the file is appended to.

    Parameters
    ----------
    inner
        What sends.
    path
        The recording; made for its owner only.
    secrets
        Values that must not be in it.
    """

    def __init__(self, inner: httpx2.AsyncBaseTransport, path: Path, secrets: Iterable[str] = ()) -> None:
        self._inner = inner
        self._secrets = [secret for secret in secrets if secret]
        try:
            self._file: IO[bytes] = path.open("ab")
            path.chmod(0o600)
        except OSError as error:
            raise BadInput(f"cannot write the recording {path}: {error.strerror}") from None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send, keep, and pass on."""
        request.headers["accept-encoding"] = "identity"  # what is compressed cannot be searched for secrets
        answer = await self._inner.handle_async_request(request)
        try:
            stream = answer.stream
            if not isinstance(stream, httpx2.AsyncByteStream):
                raise TypeError(f"{type(self._inner).__name__} gives no answer that can be read here")
            content = b"".join([chunk async for chunk in stream])  # as it came, decoded of nothing
        finally:
            await answer.aclose()
        headers = tuple((name, BLOT if _is_secret(name) else value) for name, value in answer.headers.multi_items())
        kept = self._blot(content)
        exchange = Exchange(
            VERSION,
            request.method,
            question_url(request.url),
            _digest(request),
            answer.status_code,
            headers,
            base64.b64encode(kept).decode(),
        )
        self._file.write(msgspec.json.encode(exchange) + b"\n")
        self._file.flush()
        return httpx2.Response(answer.status_code, headers=answer.headers, content=content)

    async def aclose(self) -> None:
        """Close the file and what sends."""
        self._file.close()
        await self._inner.aclose()

    def _blot(self, content: bytes) -> bytes:
        for secret in self._secrets:
            content = content.replace(secret.encode(), BLOT.encode())
        return content


class ReplayTransport(httpx2.AsyncBaseTransport):
    """Answers from a recording: each question gets its answers in the order in which they came."""

    def __init__(self, path: Path) -> None:
        self._left: defaultdict[tuple[str, str, str], deque[Exchange]] = defaultdict(deque)
        for exchange in read_recording(path):
            self._left[exchange.method, exchange.url, exchange.asked].append(exchange)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Give the next answer to this question."""
        await anyio.lowlevel.checkpoint()
        left = self._left[request.method, question_url(request.url), _digest(request)]
        if not left:
            raise httpx2.ConnectError(f"{request.method} {request.url.path} is not on record, or not this often")
        exchange = left.popleft()
        content = base64.b64decode(exchange.content)
        return httpx2.Response(exchange.status, headers=list(exchange.headers), content=content)

    @property
    def left(self) -> int:
        """Exchanges that nobody has asked for yet."""
        return sum(len(exchanges) for exchanges in self._left.values())


def read_recording(path: Path) -> list[Exchange]:
    """Return a recording's exchanges. Raises DataError with the line that is wrong."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"cannot read the recording {path}: {error.strerror}") from None
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(msgspec.json.decode(line, type=Exchange))
        except msgspec.MsgspecError as error:
            raise DataError(f"line {number} of the recording {path} cannot be read: {error}") from None
        if found[-1].version != VERSION:
            raise DataError(f"line {number} of the recording {path} is of version {found[-1].version}, not {VERSION}")
    return found


def question_url(url: httpx2.URL) -> str:
    """Return the address without its host, so that a recording serves any; secret parameters are blotted out."""
    pairs: list[tuple[str, str | int | float | bool | None]] = [
        (name, BLOT if _is_secret(name) else value) for name, value in url.params.multi_items()
    ]
    return f"{url.path}?{httpx2.QueryParams(pairs)}"


def _is_secret(name: str) -> bool:
    return name != "page_token" and SECRET_NAME.search(name) is not None


def _digest(request: httpx2.Request) -> str:
    return hashlib.sha256(request.content).hexdigest()
