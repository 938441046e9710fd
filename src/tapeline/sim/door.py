"""The door that every vendor route stands behind: keys, rate limit, faults, latency, headers, statistics.

In: a request and the route's own answer.  Out: a response in the vendor's form.
Refuses what the vendor refuses: no keys (401, 403), too many requests (429), what a route cannot read (400, 404, 422).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.clock import ReplayClock
from tapeline.sim.faults import Fate, Weather
from tapeline.sim.limits import SlidingLimit, Stats, Verdict
from tapeline.sim.wire import WireError

LATENCY_HEADER = "X-Replay-Latency-Ms"
"""How long the answer would have taken; a client on the logical clock sleeps it there."""
SERVED_HEADER = "X-Replay-Now-Ms"
"""When a request was counted, in milliseconds of the logical clock, which another client may have moved."""
LABEL_HEADER = "X-Tapeline-Label"
"""Where the numbers of the answer come from; see ``core.types.Label``."""

MAX_BODY_BYTES = 1_000_000

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as a route sees it: parameters, the moment of asking, and which symbols the answer must leave out."""

    params: Mapping[str, str]
    path: Mapping[str, str]
    now_ns: int
    loses: Callable[[str], bool]
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What a route answers: a body that is not encoded yet, or bytes with their media type."""

    body: object
    label: Label | None = None
    media_type: str = "application/json"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Answer = Callable[[Ask], Reply]


@dataclass(frozen=True, slots=True)
class Family:
    """Routes that share one rate limit and one way to say no.

    Attributes
    ----------
    name
        For the statistics.
    limit
        Shared by all clients: every key is a key of one account.
    no_keys
        What is said to a request without Alpaca's two key headers; None where no such keys are needed.
    refusal
        The vendor's own form of an error.
    limit_headers
        What every answer tells of the limit, given the epoch second; None is Alpaca's form where Alpaca's keys are
        needed, and nothing elsewhere.
    """

    name: str
    limit: SlidingLimit
    no_keys: WireError | None = None
    refusal: Callable[[WireError], object] = WireError.body
    limit_headers: Callable[[Verdict, int], dict[str, str]] | None = None

    def refuse(self, error: WireError) -> Response:
        """Return an error in the vendor's form."""
        body = self.refusal(error)
        if isinstance(body, bytes):
            return Response(body, error.status, media_type="text/html")
        return Response(_encode(body), error.status, media_type="application/json")

    def tell_limit(self, response: Response, verdict: Verdict, now_ns: int) -> None:
        """Put what the vendor tells of its limit into the answer's headers."""
        if self.limit_headers is not None:
            response.headers.update(self.limit_headers(verdict, now_ns // NS_PER_S))
        elif self.no_keys is not None:
            response.headers.update(verdict.headers())


@dataclass(slots=True)
class Door:
    """Makes routes out of answers. One door per server; it counts everything that passes."""

    clock: ReplayClock
    weather: Weather
    stats: Stats = field(default_factory=Stats)

    def route(self, path: str, answer: Answer, family: Family, method: str = "GET") -> Route:
        """Return the route that serves ``answer`` at ``path`` under the family's rules."""

        async def serve(request: Request) -> Response:
            now_ns = self.clock.now_ns()
            self.stats.arrived(path, family.name, now_ns)
            body = await _read(request)
            asked = _canonical(request.query_params.multi_items())
            if body:
                asked += "#" + hashlib.blake2b(body, digest_size=8).hexdigest()
            fate = self.weather.fate(request.url.path, asked, now_ns, family.name)
            try:
                response = self._serve(request, body, answer, family, fate, now_ns)
            except WireError as error:
                response = family.refuse(error)
            response.headers[LATENCY_HEADER] = f"{fate.latency_ms:.3f}"
            response.headers[SERVED_HEADER] = f"{now_ns / 1e6:.3f}"
            self.stats.answered(response.status_code, len(response.body), fate.fault)
            return response

        return Route(path, serve, methods=[method])

    def _serve(
        self, request: Request, body: bytes | None, answer: Answer, family: Family, fate: Fate, now_ns: int
    ) -> Response:
        if family.no_keys is not None and not _has_keys(request):
            raise family.no_keys
        verdict = family.limit.take(now_ns)
        if not verdict.served or fate.status == 429:
            return _too_many(family, verdict, now_ns)
        try:
            if fate.status is not None:
                raise WireError(fate.status, "internal server error")
            if body is None:
                raise WireError(413, f"a body has at most {MAX_BODY_BYTES} bytes")
            reply = answer(Ask(request.query_params, request.path_params, now_ns, fate.loses, request.headers, body))
        except WireError as error:
            response = family.refuse(error)
        else:
            content = reply.body if isinstance(reply.body, bytes) else _encode(reply.body)
            cut = content[: len(content) // 2] if fate.truncated else content
            response = Response(cut, reply.status, dict(reply.headers), reply.media_type)
            if reply.label is not None:
                response.headers[LABEL_HEADER] = reply.label
        family.tell_limit(response, verdict, now_ns)
        return response


async def _read(request: Request) -> bytes | None:
    """Return the body, or None when it is longer than any honest request's."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MAX_BODY_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _canonical(pairs: list[tuple[str, str]]) -> str:
    return urlencode(sorted(pairs))


def _has_keys(request: Request) -> bool:
    headers = request.headers
    return bool(headers.get("APCA-API-KEY-ID")) and bool(headers.get("APCA-API-SECRET-KEY"))


def _too_many(family: Family, verdict: Verdict, now_ns: int) -> Response:
    """Return the refusal; one that the fault plan ordered says to come back in a second."""
    reset_s = now_ns // NS_PER_S + 1 if verdict.served else verdict.reset_s
    refusal = Verdict(False, verdict.limit, 0, reset_s)
    response = family.refuse(WireError(429, "too many requests."))
    family.tell_limit(response, refusal, now_ns)
    if family.no_keys is None:
        response.headers["Retry-After"] = str(max(1, reset_s - now_ns // NS_PER_S))
    return response
