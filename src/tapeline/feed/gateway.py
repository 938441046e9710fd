"""The one way out: every vendor is asked through here.

In: a host, a path, parameters or a body.  Out: ``Outcome`` of the parsed answer, with the moment it is true of.
Refuses to raise for what a vendor does: no data, a limit, a failure are outcomes. In front of the pooled client stand,
in this order: single-flight cache, circuit breaker, limiter, retries (each charged to the limiter).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, TypeVar

import anyio
import httpx2

from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S
from tapeline.feed.breaker import NOT_ASKED, Breaker, BreakerState
from tapeline.feed.cache import TtlCache
from tapeline.feed.handover import Handover
from tapeline.feed.http import LATENCY_HEADER, SERVED_HEADER, SHARED_STEP_NS, Host, HostStats, Refusal, Response
from tapeline.feed.limiter import NoSlot
from tapeline.feed.request import Params, Request, build_request
from tapeline.feed.retry import RetryBudget, backoff_s
from tapeline.feed.verdict import TooLarge, Verdict, message, retry_after_ns

T = TypeVar("T")

PATIENCE_S = 120.0
"""Longest wait for a slot or a retry when the caller names no deadline: two windows of a vendor's minute."""
_LONGEST_CAUSE = 240
"""Characters of a failure that are repeated while nobody is asked."""
_REFUSALS = frozenset({400, 413, 414, 422})
"""A part of the same question may still do."""
_REPLAY_WALL_S = 300.0
"""In a replay the logical clock decides what is late; the wall only ends what hangs."""


@dataclass(slots=True)
class _Lane:
    """One host, with all that is kept about it."""

    host: Host
    client: httpx2.AsyncClient
    budget: RetryBudget
    breakers: dict[str, Breaker] = field(default_factory=dict)
    stats: HostStats = field(default_factory=HostStats)


@dataclass(slots=True)
class _Flight:
    """A request in the air, and whoever waits for the same answer."""

    landed: Handover
    outcome: Outcome[Any] | None = None


class Gateway:
    """Pooled, limited, cached and patient HTTP. An async context manager.

    Parameters
    ----------
    hosts
        Who may be asked, by name.
    config
        Timeouts, retries, bounds.
    clock
        Whose time all of it runs on. On a logical clock, callers must be actors (``core/clock.py``).
    seed
        Of the jitter between tries.
    transport
        What sends; None uses one connection pool per host.
    replay
        True when a simulator owns the clock: the latency it names in a header is slept on the clock after the answer,
        and an answer later than the read timeout is a timeout. False ignores the header.
    """

    def __init__(
        self,
        hosts: Sequence[Host],
        *,
        config: FeedConfig,
        clock: Clock,
        seed: int = 0,
        transport: httpx2.AsyncBaseTransport | None = None,
        replay: bool = False,
    ) -> None:
        self._config = config
        self._clock = clock
        self._seed = seed
        self._replay = replay
        self._max_bytes = round(config.max_response_mb * 1e6)
        self._cache = TtlCache(self._max_bytes)
        self._flights: dict[Hashable, _Flight] = {}
        self._lanes = {host.name: _Lane(host, self._client(host, transport), RetryBudget()) for host in hosts}

    async def __aenter__(self) -> Gateway:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with anyio.CancelScope(shield=True):
            for lane in self._lanes.values():
                await lane.client.aclose()

    @property
    def stats(self) -> Mapping[str, HostStats]:
        """Counters by host name; live, for reading."""
        return {name: lane.stats for name, lane in self._lanes.items()}

    def breaker_state(self, host: str, circuit: str = "") -> BreakerState:
        """Return what the breaker of a host's circuit does now."""
        return self._breaker(self._lanes[host], circuit).state(self._clock.now_ns())

    def trouble(self, host: str) -> str:
        """Return what the last try of each of a host's circuits failed of; empty when they went well."""
        return "; ".join(breaker.cause for breaker in self._lanes[host].breakers.values() if breaker.cause)

    def move(self, host: str, base_url: str) -> None:
        """Ask a host at another address from now on, without grudge: it was started again there."""
        lane = self._lanes[host]
        lane.client.base_url = httpx2.URL(base_url)
        lane.breakers.clear()

    async def get(self, host: str, path: str, params: Params | None = None, *, ttl_s: float = 0.0) -> Outcome[Response]:
        """Read the bare answer; see ``fetch``."""
        return await self.fetch(host, path, params, parse=_whole, ttl_s=ttl_s)

    async def fetch(
        self,
        host: str,
        path: str,
        params: Params | None = None,
        *,
        parse: Callable[[Response], T],
        method: str = "GET",
        json: Any = None,
        form: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
        ttl_s: float = 0.0,
        deadline_ns: int | None = None,
        circuit: str = "",
        accept: AbstractSet[int] = frozenset(),
    ) -> Outcome[T]:
        """Ask, and parse the answer.

        Parameters
        ----------
        host
            A host's name.
        path, params
            What to ask for. All of it is the key of cache and single flight: the same question asked twice at once is
            sent once.
        parse
            Makes a value of the answer. ``BadMessage`` counts as a failure of the host and is tried again. What it
            returns may be shared between callers and must not be changed.
        method
            ``GET`` or ``POST``.
        json, form
            The body of a POST, one of them.
        headers
            For this request alone, besides the host's. What looks like a secret is shown nowhere.
        safe
            That a POST may be sent twice without harm. Only then it is tried again, shared and kept, as every GET is.
        ttl_s
            How long a value, or that there is none, may be given again; 0 for never.
        deadline_ns
            When the caller gives up. Waits that would pass it are not begun.
        circuit
            A part of the host with a breaker of its own, e.g. the vendor's feed.
        accept
            Statuses besides 2xx that ``parse`` understands.

        Returns
        -------
        Outcome
            value; no_data for 204 and 404; limited for 429, an open breaker or no slot in time; error otherwise,
            as a ``Refusal`` when the vendor says that the question is wrong (400, 413, 414, 422).
        """
        lane, now_ns = self._lanes[host], self._clock.now_ns()
        request = build_request(
            path,
            params,
            method=method,
            json=json,
            form=form,
            headers=headers,
            is_safe=safe,
            circuit=circuit,
            accept=accept,
            deadline_ns=now_ns + round(PATIENCE_S * NS_PER_S) if deadline_ns is None else deadline_ns,
        )
        if request.is_safe:
            return await self._share(lane, request, parse, ttl_s)
        return (await self._persist(lane, request, parse)).outcome

    async def _share(self, lane: _Lane, request: Request, parse: Callable[[Response], T], ttl_s: float) -> Outcome[T]:
        """Give the answer that is kept, or wait for the one that is in the air, or ask."""
        key = (lane.host.name, request.key, parse)
        while True:
            if (kept := self._cache.find(key, self._clock.now_ns())) is not None:
                lane.stats.cache_hits += 1
                return kept
            if (flight := self._flights.get(key)) is None:
                return await self._fly(lane, request, parse, key, ttl_s)
            await flight.landed.wait()
            if flight.outcome is not None:  # None: its task was cancelled, somebody else has to ask
                lane.stats.shared += 1
                return flight.outcome

    async def _fly(
        self, lane: _Lane, request: Request, parse: Callable[[Response], T], key: Hashable, ttl_s: float
    ) -> Outcome[T]:
        flight = self._flights[key] = _Flight(Handover(self._clock))
        try:
            verdict = await self._persist(lane, request, parse)
            outcome = flight.outcome = verdict.outcome
            if ttl_s > 0 and outcome.kind in (Kind.VALUE, Kind.NO_DATA):
                expires_ns = self._clock.now_ns() + round(ttl_s * NS_PER_S)
                self._cache.keep(key, outcome, expires_ns=expires_ns, size=verdict.size)
            return outcome
        finally:
            del self._flights[key]
            flight.landed.wake()

    async def _persist(self, lane: _Lane, request: Request, parse: Callable[[Response], T]) -> Verdict:
        """Try until there is an outcome that another try would not better, or no try is left."""
        lane.budget.earn()
        attempt = 0
        while True:
            verdict = await self._try(lane, request, parse)
            attempt += 1
            wait_ns = verdict.wait_until_ns
            if wait_ns is None or attempt > self._config.retries or not request.is_safe:
                return verdict
            if not lane.budget.spend():
                return verdict
            pause_s = backoff_s(self._config.retry_base_s, attempt, seed=self._seed, identity=request.identity)
            wait_ns = max(wait_ns, self._clock.now_ns() + round(pause_s * NS_PER_S))
            if wait_ns > request.deadline_ns:
                return verdict
            await self._clock.sleep_until(wait_ns)
            lane.stats.retries += 1

    async def _try(self, lane: _Lane, request: Request, parse: Callable[[Response], T]) -> Verdict:
        """Send once, if breaker and limiter agree, and judge the answer."""
        breaker = self._breaker(lane, request.circuit)
        admitted = breaker.admit(self._clock.now_ns())
        if admitted is BreakerState.OPEN:
            wait_s = max(0.0, (breaker.retry_ns - self._clock.now_ns()) / NS_PER_S)
            lane.stats.refused += 1
            reason = f"{breaker.cause[:_LONGEST_CAUSE]}{NOT_ASKED} {wait_s:.1f} s)"
            return Verdict(self._none(lane, request, Kind.LIMITED, reason), None)
        ok: bool | None = None
        cause = ""
        try:
            verdict = await self._send_and_judge(lane, request, parse)
            ok, cause = verdict.ok, verdict.outcome.reason
            return verdict
        finally:
            breaker.settle(admitted, ok, self._clock.now_ns(), cause)

    async def _send_and_judge(self, lane: _Lane, request: Request, parse: Callable[[Response], T]) -> Verdict:
        try:
            async with lane.host.limiter.slot(request.deadline_ns):
                lane.stats.requests += 1
                lane.stats.of_circuit[request.circuit] += 1
                response = await self._send(lane, request)
        except NoSlot as error:
            lane.stats.refused += 1
            return Verdict(self._none(lane, request, Kind.LIMITED, str(error)), None)
        except TimeoutError:
            lane.stats.timeouts += 1
            return self._failed(lane, request, f"no answer to {request.path} in time")
        except httpx2.HTTPError as error:
            if isinstance(error, httpx2.TimeoutException):
                lane.stats.timeouts += 1
            return self._failed(lane, request, f"{request.path}: {type(error).__name__} {error}")
        except TooLarge:
            reason = f"the answer to {request.path} exceeds {self._config.max_response_mb:g} MB"
            return self._failed(lane, request, reason, is_hopeless=True)
        self._reconcile(lane, response)
        return self._judge(lane, request, response, parse)

    async def _send(self, lane: _Lane, request: Request) -> Response:
        # An answer that drips is cut, too: the bound is on the whole answer, not on the gap between two bytes.
        wall_s = _REPLAY_WALL_S if self._replay else self._config.connect_timeout_s + self._config.read_timeout_s
        with anyio.fail_after(wall_s):
            asking = lane.client.stream(
                request.method,
                request.path,
                params=dict(request.params),
                content=request.body or None,
                headers=request.sent_headers(),
            )
            async with asking as answer:
                body = bytearray()
                async for chunk in answer.aiter_bytes():
                    body += chunk
                    if len(body) > self._max_bytes:
                        raise TooLarge
        lane.stats.received_bytes += len(body)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        response = Response(answer.status_code, headers, bytes(body), self._clock.now_ns())
        if not self._replay:
            return response
        await self._sleep_latency(request, response)
        return Response(response.status, headers, response.body, self._clock.now_ns())

    async def _sleep_latency(self, request: Request, response: Response) -> None:
        """Let the simulated latency pass on the clock. Raises TimeoutError when it exceeds the read timeout."""
        now_ns = self._clock.now_ns()
        served_ns = round((response.number(SERVED_HEADER) or 0.0) * 1e6)
        if served_ns > now_ns + SHARED_STEP_NS:
            # Another process has moved the simulator's time: ours catches up, or this request would count too early.
            now_ns = served_ns
        latency_ns = round((response.number(LATENCY_HEADER) or 0.0) * 1e6)
        patience_ns = min(round(self._config.read_timeout_s * NS_PER_S), max(0, request.deadline_ns - now_ns))
        # Answers of one moment wake in an order of their own, not in that in which this machine delivered them.
        own_ns = int.from_bytes(hashlib.sha256(request.identity.encode()).digest()[:4]) % 1_000
        await self._clock.sleep_until(now_ns + min(latency_ns, patience_ns) + own_ns)
        if latency_ns > patience_ns:
            raise TimeoutError

    def _judge(self, lane: _Lane, request: Request, response: Response, parse: Callable[[Response], T]) -> Verdict:
        status, size = response.status, len(response.body)
        if status == httpx2.codes.TOO_MANY_REQUESTS:
            lane.stats.limited += 1
            until_ns = retry_after_ns(response, self._clock.now_ns())
            lane.host.limiter.pause(until_ns)
            return Verdict(self._none(lane, request, Kind.LIMITED, f"{request.path} answered 429"), None, until_ns)
        if status >= httpx2.codes.INTERNAL_SERVER_ERROR:
            words = message(response, lane.host, request)
            return self._failed(lane, request, f"{request.path} answered {status}: {words}")
        if status in (httpx2.codes.NO_CONTENT, httpx2.codes.NOT_FOUND) and status not in request.accept:
            return Verdict(self._none(lane, request, Kind.NO_DATA, f"{request.path} answered {status}"), ok=True)
        if not httpx2.codes.is_success(status) and status not in request.accept:
            reason = f"{request.path} answered {status}: {message(response, lane.host, request)}"
            outcome = self._none(lane, request, Kind.ERROR, reason)
            if status in _REFUSALS:
                outcome = Refusal(outcome.kind, outcome.source, None, outcome.reason, outcome.as_of_ns)
            return Verdict(outcome, ok=True)  # the host works; the question is wrong
        try:
            parsed = parse(response)
        except BadMessage as error:
            return self._failed(lane, request, f"the answer to {request.path} cannot be read: {error}")
        return Verdict(value_of(parsed, source=lane.host.name, as_of_ns=response.received_ns), ok=True, size=size)

    def _reconcile(self, lane: _Lane, response: Response) -> None:
        remaining, reset_s = response.number("x-ratelimit-remaining"), response.number("x-ratelimit-reset")
        if remaining is not None:
            reset_ns = None if reset_s is None else round(reset_s * NS_PER_S)
            lane.host.limiter.reconcile(math.floor(remaining), reset_ns)

    def _failed(self, lane: _Lane, request: Request, reason: str, *, is_hopeless: bool = False) -> Verdict:
        lane.stats.failures += 1
        wait_until_ns = None if is_hopeless else self._clock.now_ns()
        return Verdict(self._none(lane, request, Kind.ERROR, reason), ok=False, wait_until_ns=wait_until_ns)

    def _none(self, lane: _Lane, request: Request, kind: Kind, reason: str) -> Outcome[Any]:
        text = request.redact(lane.host.redact(reason))[:300]
        return nothing(kind, source=lane.host.name, reason=text, as_of_ns=self._clock.now_ns())

    def _breaker(self, lane: _Lane, circuit: str) -> Breaker:
        if circuit not in lane.breakers:
            open_ns = round(self._config.breaker_open_s * NS_PER_S)
            lane.breakers[circuit] = Breaker(failures=self._config.breaker_failures, open_ns=open_ns)
        return lane.breakers[circuit]

    def _client(self, host: Host, transport: httpx2.AsyncBaseTransport | None) -> httpx2.AsyncClient:
        read_s = _REPLAY_WALL_S if self._replay else self._config.read_timeout_s
        return httpx2.AsyncClient(
            base_url=host.base_url,
            headers={**host.secret_headers, "user-agent": "tapeline"},
            timeout=httpx2.Timeout(read_s, connect=self._config.connect_timeout_s),
            # Connections outlive the pause between two polls, so a poll needs no new handshake.
            limits=httpx2.Limits(
                max_connections=64, max_keepalive_connections=16, keepalive_expiry=2 * self._config.cycle_s
            ),
            transport=transport,
            http2=host.base_url.startswith("https"),  # where the server offers it
            trust_env=not host.is_local,
        )


def _whole(response: Response) -> Response:
    return response
