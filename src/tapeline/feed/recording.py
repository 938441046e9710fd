"""Traffic on record: what was asked and what came back, byte for byte, and the same again without a network.

In: a transport, and a file.  Out: the same answers, kept; or kept answers, in the order and at the moments they came.
Refuses to keep a secret: request headers are left out, secret parameters and cookies blotted out, and whatever secret a
vendor repeats in its answer. A question that is not on record is an error, never a call.
"""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO

import anyio.lowlevel
import httpx2
import msgspec

from tapeline.core.clock import Clock
from tapeline.core.errors import BadInput, DataError
from tapeline.feed.request import SECRET_NAME

VERSION = 2
BLOT = "***"
CRUMB = "crumb"
"""Yahoo's secret: a parameter, and the whole answer of the path that ends with it."""
MAX_STRANGE = 100
"""Questions that are not on record after which a replay is given up."""


class _Stamp(msgspec.Struct, frozen=True):
    version: int


class Exchange(msgspec.Struct, frozen=True):
    """One line of a recording: a question, and its answer as it came over the wire (base64)."""

    version: int
    at_ns: int
    """When it was complete, on the clock of the recording; 0 where nobody told the time."""
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
    clock
        Whose time is noted with each answer.
    """

    def __init__(
        self,
        inner: httpx2.AsyncBaseTransport,
        path: Path,
        secrets: Iterable[str] = (),
        *,
        clock: Clock | None = None,
    ) -> None:
        self._inner, self._clock = inner, clock
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
        headers = tuple(
            (name, BLOT if _is_secret(name) else self._blot(value.encode()).decode())
            for name, value in answer.headers.multi_items()
        )
        kept = BLOT.encode() if request.url.path.endswith(CRUMB) else self._blot(content)
        exchange = Exchange(
            VERSION,
            0 if self._clock is None else self._clock.now_ns(),
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
    """Answers from a recording: each question gets its answers in the order in which they came.

    Parameters
    ----------
    path
        The recording.
    clock
        A logical clock on which each answer comes at its moment; None gives all at once.
    on_end
        Called at the first question after the last answer was given, and when too many questions are strange.

    Attributes
    ----------
    strange
        Questions that are not on record, or not this often, though others are left; the first few.
    """

    def __init__(self, path: Path, *, clock: Clock | None = None, on_end: Callable[[], None] = lambda: None) -> None:
        self._clock, self._on_end = clock, on_end
        self.strange: list[str] = []
        self._left: defaultdict[tuple[str, str, str], deque[Exchange]] = defaultdict(deque)
        for exchange in read_recording(path):
            self._left[exchange.method, exchange.url, exchange.asked].append(exchange)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Give the next answer to this question."""
        await anyio.lowlevel.checkpoint()
        question = f"{request.method} {question_url(request.url)}"
        left = self._left[request.method, question_url(request.url), _digest(request)]
        if not left:
            if self.left:
                self.strange.append(question)
            if not self.left or len(self.strange) >= MAX_STRANGE:
                self._on_end()
                await anyio.lowlevel.checkpoint()
            raise httpx2.ConnectError(f"{request.method} {request.url.path} is not on record, or not this often")
        exchange = left.popleft()
        if self._clock is not None:
            await self._clock.sleep_until(exchange.at_ns)
        content = base64.b64decode(exchange.content)
        return httpx2.Response(exchange.status, headers=list(exchange.headers), content=content)

    @property
    def left(self) -> int:
        """Exchanges that nobody has asked for yet."""
        return sum(len(exchanges) for exchanges in self._left.values())


def read_recording(path: Path) -> list[Exchange]:
    """Return a recording's exchanges. Raises DataError with the line that is wrong, and what to do."""
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise DataError(f"cannot read the recording {path}: {error.strerror}") from None
    return [_read_line(line, f"line {number} of the recording {path}") for number, line in enumerate(lines, 1)]


def _read_line(line: bytes, where: str) -> Exchange:
    try:
        version = msgspec.json.decode(line, type=_Stamp).version
        if version != VERSION:
            raise DataError(f"{where} is of version {version}, and {VERSION} is read here: record it again")
        exchange = msgspec.json.decode(line, type=Exchange)
        base64.b64decode(exchange.content, validate=True)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        raise DataError(
            f"{where} cannot be read ({error}): it was cut off or changed; remove it, or record again"
        ) from None
    return exchange


def question_url(url: httpx2.URL) -> str:
    """Return the address without its host, so that a recording serves any; secret parameters are blotted out."""
    pairs: list[tuple[str, str | int | float | bool | None]] = [
        (name, BLOT if _is_secret(name) else value) for name, value in url.params.multi_items()
    ]
    return f"{url.path}?{httpx2.QueryParams(pairs)}"


def _is_secret(name: str) -> bool:
    return name == CRUMB or (name != "page_token" and SECRET_NAME.search(name) is not None)


def _digest(request: httpx2.Request) -> str:
    return hashlib.sha256(request.content).hexdigest()
