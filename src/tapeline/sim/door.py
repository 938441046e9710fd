"""The door that every vendor route stands behind: keys, rate limit, faults, latency, headers, statistics.

In: a request and the route's own answer.  Out: a response in the vendor's form.
Refuses what the vendor refuses: no keys (401, 403), too many requests (429), what a route cannot read (400, 404, 422).
"""

from __future__ import annotations

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
LABEL_HEADER = "X-Tapeline-Label"
"""Where the numbers of the answer come from; see ``core.types.Label``."""

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Ask:
    """A request as a route sees it: parameters, the moment of asking, and which symbols the answer must leave out."""

    params: Mapping[str, str]
    path: Mapping[str, str]
    now_ns: int
    loses: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a route answers: a body that is not encoded yet, or bytes with their media type."""

    body: object
    label: Label | None = None
    media_type: str = "application/json"


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
        What is said to a request without Alpaca's two key headers; None where no keys are needed.
    """

    name: str
    limit: SlidingLimit
    no_keys: WireError | None = None


@dataclass(slots=True)
class Door:
    """Makes routes out of answers. One door per server; it counts everything that passes."""

    clock: ReplayClock
    weather: Weather
    stats: Stats = field(default_factory=Stats)

    def route(self, path: str, answer: Answer, family: Family) -> Route:
        """Return the route that serves ``answer`` at ``path`` under the family's rules."""

        async def serve(request: Request) -> Response:
            now_ns = self.clock.now_ns()
            self.stats.arrived(path, family.name, now_ns)
            fate = self.weather.fate(request.url.path, _canonical(request.query_params.multi_items()), now_ns)
            try:
                response = self._serve(request, answer, family, fate, now_ns)
            except WireError as error:
                response = _json(error.status, error.body())
            response.headers[LATENCY_HEADER] = f"{fate.latency_ms:.3f}"
            self.stats.answered(response.status_code, len(response.body), fate.fault)
            return response

        return Route(path, serve, methods=["GET"])

    def _serve(self, request: Request, answer: Answer, family: Family, fate: Fate, now_ns: int) -> Response:
        if family.no_keys is not None and not _has_keys(request):
            raise family.no_keys
        verdict = family.limit.take(now_ns)
        if not verdict.served or fate.status == 429:
            return _too_many(family, verdict, now_ns)
        try:
            if fate.status is not None:
                raise WireError(fate.status, "internal server error")
            reply = answer(Ask(request.query_params, request.path_params, now_ns, fate.loses))
        except WireError as error:
            response = _json(error.status, error.body())
        else:
            body = reply.body if isinstance(reply.body, bytes) else _encode(reply.body)
            response = Response(body[: len(body) // 2] if fate.truncated else body, media_type=reply.media_type)
            if reply.label is not None:
                response.headers[LABEL_HEADER] = reply.label
        if family.no_keys is not None:
            response.headers.update(verdict.headers())
        return response


def _canonical(pairs: list[tuple[str, str]]) -> str:
    return urlencode(sorted(pairs))


def _has_keys(request: Request) -> bool:
    headers = request.headers
    return bool(headers.get("APCA-API-KEY-ID")) and bool(headers.get("APCA-API-SECRET-KEY"))


def _json(status: int, body: object) -> Response:
    return Response(_encode(body), status, media_type="application/json")


def _too_many(family: Family, verdict: Verdict, now_ns: int) -> Response:
    """Return the refusal; one that the fault plan ordered says to come back in a second."""
    reset_s = now_ns // NS_PER_S + 1 if verdict.served else verdict.reset_s
    refusal = Verdict(False, verdict.limit, 0, reset_s)
    response = _json(429, {"message": "too many requests."})
    if family.no_keys is not None:
        response.headers.update(refusal.headers())
    else:
        response.headers["Retry-After"] = str(max(1, reset_s - now_ns // NS_PER_S))
    return response
