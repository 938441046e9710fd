"""The gateway: what a vendor may do to us, and that it never becomes an exception, a burst or a leaked key."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

import anyio
import httpx2
import pytest
from tests.feed.worlds import BACKENDS, KEYS, OPEN_NS, Handler, answer, gateway_to, run

from tapeline.core.clock import LogicalClock, actor, sleep_s
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import NS_PER_S
from tapeline.feed.breaker import BreakerState
from tapeline.feed.gateway import Gateway
from tapeline.feed.handover import share_out
from tapeline.feed.http import Response
from tapeline.feed.vendors.alpaca import DATA_HOST, TRADING_HOST

CONFIG = FeedConfig()


def _ask(
    handler: Handler, config: FeedConfig = CONFIG, *, times: int = 1, ttl_s: float = 0.0, replay: bool = True
) -> tuple[list[Outcome[Response]], Gateway, int]:
    """Ask ``times`` times in a row; return the outcomes, the gateway and the nanoseconds that passed."""

    async def main(clock: LogicalClock) -> tuple[list[Outcome[Response]], Gateway, int]:
        async with gateway_to(handler, clock, config, replay=replay) as gateway:
            outcomes = [await gateway.get(DATA_HOST, "/x", {"a": 1}, ttl_s=ttl_s) for _ in range(times)]
            return outcomes, gateway, clock.now_ns() - OPEN_NS

    return run(main)


def _in_turn(*replies: httpx2.Response) -> Handler:
    """Answer with each reply once, then with the last for ever."""
    left: Iterator[httpx2.Response] = iter(replies[:-1])
    last = replies[-1]
    return lambda _request: (
        next(left, None) or httpx2.Response(last.status_code, headers=last.headers, content=last.content)
    )


def test_a_value_knows_who_said_it_and_when() -> None:
    outcomes, gateway, _ = _ask(lambda _: answer({"ok": True}))
    assert outcomes[0].unwrap().body == b'{"ok": true}'
    assert outcomes[0].source == DATA_HOST
    assert 0 <= (outcomes[0].as_of_ns or 0) - OPEN_NS < 1_000  # less than what keeps two answers of one moment apart
    assert gateway.stats[DATA_HOST].requests == 1
    assert gateway.stats[TRADING_HOST].requests == 0
    assert gateway.stats[DATA_HOST].received_bytes == 12


@pytest.mark.parametrize(
    ("status", "kind", "requests"),
    [
        (204, Kind.NO_DATA, 1),
        (301, Kind.ERROR, 1),
        (400, Kind.ERROR, 1),
        (401, Kind.ERROR, 1),
        (404, Kind.NO_DATA, 1),
        (422, Kind.ERROR, 1),
        (429, Kind.LIMITED, 4),
        (500, Kind.ERROR, 4),
        (503, Kind.ERROR, 4),
    ],
)
def test_every_status_has_its_outcome_and_only_what_may_pass_is_tried_again(
    status: int, kind: Kind, requests: int
) -> None:
    outcomes, gateway, _ = _ask(lambda _: answer({"message": "no such thing"}, status))
    assert outcomes[0].kind is kind
    assert str(status) in outcomes[0].reason
    assert gateway.stats[DATA_HOST].requests == requests
    assert gateway.stats[DATA_HOST].retries == requests - 1


def test_a_status_that_the_caller_understands_is_parsed() -> None:
    async def main(clock: LogicalClock) -> Outcome[int]:
        async with gateway_to(lambda _: answer({"message": "invalid symbol: A~"}, 400), clock, CONFIG) as gateway:
            return await gateway.fetch(DATA_HOST, "/x", parse=lambda reply: reply.status, accept={400})

    assert run(main).unwrap() == 400


def test_a_retry_that_works_is_a_value_and_was_charged_to_the_limiter() -> None:
    outcomes, gateway, passed_ns = _ask(_in_turn(answer({}, 500), answer({}, 502), answer({"ok": 1})))
    assert outcomes[0].is_value
    assert gateway.stats[DATA_HOST].requests == 3
    assert gateway._lanes[DATA_HOST].host.limiter.used == 3
    assert 0.75 * NS_PER_S <= passed_ns <= 2.25 * NS_PER_S + 3_000


def test_retries_wait_the_same_on_every_run_and_another_time_for_another_seed() -> None:
    def passed_ns(seed: int) -> int:
        async def main(clock: LogicalClock) -> int:
            async with gateway_to(lambda _: answer({}, 500), clock, CONFIG) as gateway:
                gateway._seed = seed
                await gateway.get(DATA_HOST, "/x")
                return clock.now_ns()

        return run(main)

    assert passed_ns(7) == passed_ns(7) != passed_ns(8)


def test_retry_after_is_honoured_on_the_clock() -> None:
    outcomes, _, passed_ns = _ask(_in_turn(answer({}, 429, {"Retry-After": "17"}), answer({"ok": 1})))
    assert outcomes[0].is_value
    assert 17 * NS_PER_S <= passed_ns < 18.5 * NS_PER_S


def test_a_rate_limit_reset_is_honoured_when_there_is_no_retry_after() -> None:
    reset_s = OPEN_NS // NS_PER_S + 23
    outcomes, _, passed_ns = _ask(_in_turn(answer({}, 429, {"X-RateLimit-Reset": str(reset_s)}), answer({"ok": 1})))
    assert outcomes[0].is_value
    assert 23 * NS_PER_S <= passed_ns < 24.5 * NS_PER_S


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    async def main(clock: LogicalClock) -> tuple[Outcome[Response], int]:
        refuse = _in_turn(answer({}, 429, {"Retry-After": "50"}))
        async with gateway_to(refuse, clock, CONFIG) as gateway:
            deadline_ns = OPEN_NS + 10 * NS_PER_S
            first = await gateway.fetch(DATA_HOST, "/x", parse=lambda r: r, deadline_ns=deadline_ns)
            second = await gateway.fetch(DATA_HOST, "/y", parse=lambda r: r, deadline_ns=deadline_ns)
            assert (first.kind, second.kind) == (Kind.LIMITED, Kind.LIMITED)
            assert gateway.stats[DATA_HOST].requests == 1
            return second, clock.now_ns()

    second, now_ns = run(main)
    assert now_ns < OPEN_NS + NS_PER_S
    assert "after the deadline" in second.reason


def test_the_servers_count_holds_us_back_when_others_use_the_key() -> None:
    _, gateway, _ = _ask(lambda _: answer({}, headers={"X-RateLimit-Remaining": "3"}))
    assert gateway._lanes[DATA_HOST].host.limiter.used == CONFIG.requests_per_minute - 3


@pytest.mark.parametrize("error", [httpx2.ConnectError("refused"), httpx2.RemoteProtocolError("peer closed")])
def test_a_broken_connection_is_an_error_outcome(error: Exception) -> None:
    def handler(_request: httpx2.Request) -> httpx2.Response:
        raise error

    outcomes, gateway, _ = _ask(handler)
    assert outcomes[0].kind is Kind.ERROR
    assert type(error).__name__ in outcomes[0].reason
    assert gateway.stats[DATA_HOST].failures == 4


def test_an_answer_that_cannot_be_read_is_tried_again_and_named() -> None:
    replies = [b'{"cut', b'{"value": 3}']

    def parse(reply: Response) -> bytes:
        if reply.body.endswith(b"}"):
            return reply.body
        raise BadMessage("input data was truncated")

    async def main(clock: LogicalClock) -> list[Outcome[bytes]]:
        def handler(_request: httpx2.Request) -> httpx2.Response:
            return httpx2.Response(200, content=replies.pop(0) if replies else b'{"cut')

        async with gateway_to(handler, clock, CONFIG) as gateway:
            return [await gateway.fetch(DATA_HOST, "/x", {"n": n}, parse=parse) for n in range(2)]

    healed, broken = run(main)
    assert healed.unwrap() == b'{"value": 3}'
    assert broken.kind is Kind.ERROR
    assert "input data was truncated" in broken.reason


def test_an_answer_over_the_bound_is_refused_and_not_asked_for_again() -> None:
    config = FeedConfig(max_response_mb=0.001)
    outcomes, gateway, _ = _ask(lambda _: httpx2.Response(200, content=b"x" * 1_001), config)
    assert outcomes[0].kind is Kind.ERROR
    assert "exceeds 0.001 MB" in outcomes[0].reason
    assert gateway.stats[DATA_HOST].requests == 1


def test_simulated_latency_passes_on_the_clock_and_a_stall_is_a_timeout() -> None:
    outcomes, _, passed_ns = _ask(lambda _: answer({}, headers={"X-Replay-Latency-Ms": "250.5"}))
    assert outcomes[0].is_value
    assert 0 <= passed_ns - 250_500_000 < 1_000
    outcomes, gateway, passed_ns = _ask(lambda _: answer({}, headers={"X-Replay-Latency-Ms": "30000"}))
    assert outcomes[0].kind is Kind.ERROR
    assert gateway.stats[DATA_HOST].timeouts == 4
    assert passed_ns >= 40 * NS_PER_S


def test_the_simulators_latency_means_nothing_to_a_real_clock() -> None:
    _, _, passed_ns = _ask(lambda _: answer({}, headers={"X-Replay-Latency-Ms": "250"}), replay=False)
    assert passed_ns == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_same_question_at_once_is_sent_once(backend: str) -> None:
    async def main(clock: LogicalClock) -> Gateway:
        slow = {"X-Replay-Latency-Ms": "100"}
        async with gateway_to(lambda _: answer({"n": 1}, headers=slow), clock, CONFIG) as gateway:
            outcomes = await share_out(clock, range(8), 8, lambda _: gateway.get(DATA_HOST, "/x", {"a": 1}))
            assert all(outcome is outcomes[0] for outcome in outcomes)
            return gateway

    stats = run(main, backend=backend).stats[DATA_HOST]
    assert (stats.requests, stats.shared) == (1, 7)


@pytest.mark.parametrize("backend", BACKENDS)
def test_whoever_waits_for_a_cancelled_question_asks_it(backend: str) -> None:
    async def main(clock: LogicalClock) -> list[Kind | None]:
        scope = anyio.CancelScope()
        slow = {"X-Replay-Latency-Ms": "1000"}
        async with gateway_to(lambda _: answer({"n": 1}, headers=slow), clock, CONFIG) as gateway:

            async def first() -> Kind | None:
                with scope:
                    return (await gateway.get(DATA_HOST, "/x")).kind
                return None

            async def second() -> Kind | None:
                await sleep_s(clock, 0.1)
                return (await gateway.get(DATA_HOST, "/x")).kind

            async def canceller() -> Kind | None:
                await sleep_s(clock, 0.5)
                scope.cancel()
                return None

            jobs: list[Callable[[], object]] = [first, second, canceller]
            return await share_out(clock, jobs, 3, lambda job: job())  # type: ignore[arg-type,return-value]

    assert run(main, backend=backend) == [None, Kind.VALUE, None]


def test_an_answer_is_given_again_for_its_time_with_the_moment_it_was_true_of() -> None:
    async def main(clock: LogicalClock) -> Gateway:
        async with gateway_to(lambda _: answer({}), clock, CONFIG) as gateway:
            first = await gateway.get(DATA_HOST, "/x", {"days": 90}, ttl_s=10)
            await sleep_s(clock, 9)
            assert await gateway.get(DATA_HOST, "/x", {"days": 90}, ttl_s=10) is first
            assert await gateway.get(DATA_HOST, "/x", {"days": 200}, ttl_s=10) is not first
            await sleep_s(clock, 2)
            assert await gateway.get(DATA_HOST, "/x", {"days": 90}, ttl_s=10) is not first
            return gateway

    stats = run(main).stats[DATA_HOST]
    assert (stats.requests, stats.cache_hits) == (3, 1)


@pytest.mark.parametrize(("status", "requests"), [(404, 1), (400, 2)])
def test_that_there_is_nothing_is_kept_but_an_error_is_not(status: int, requests: int) -> None:
    _, gateway, _ = _ask(lambda _: answer({}, status), times=2, ttl_s=60)
    assert gateway.stats[DATA_HOST].requests == requests


def test_a_host_that_keeps_failing_is_left_alone_and_asked_again_later() -> None:
    replies = [answer({}, 500)] * 5

    def handler(_request: httpx2.Request) -> httpx2.Response:
        return replies.pop() if replies else answer({"ok": 1})

    async def main(clock: LogicalClock) -> list[BreakerState]:
        seen = []
        async with gateway_to(handler, clock, FeedConfig(retries=0)) as gateway:
            for _ in range(5):
                assert (await gateway.get(DATA_HOST, "/x")).kind is Kind.ERROR
            seen.append(gateway.breaker_state(DATA_HOST))
            refused = await gateway.get(DATA_HOST, "/x")
            assert refused.kind is Kind.LIMITED
            assert "breaker is open for another 60.0 s" in refused.reason
            assert gateway.stats[DATA_HOST].requests == 5
            await sleep_s(clock, 60)
            seen.append(gateway.breaker_state(DATA_HOST))
            assert (await gateway.get(DATA_HOST, "/x")).is_value
            seen.append(gateway.breaker_state(DATA_HOST))
        return seen

    assert run(main) == [BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED]


def test_a_circuit_of_its_own_fails_alone() -> None:
    async def main(clock: LogicalClock) -> tuple[BreakerState, BreakerState]:
        async with gateway_to(lambda _: answer({}, 500), clock, FeedConfig(retries=4)) as gateway:
            await gateway.fetch(DATA_HOST, "/x", parse=lambda reply: reply, circuit="sip")
            return gateway.breaker_state(DATA_HOST, "sip"), gateway.breaker_state(DATA_HOST, "iex")

    assert run(main) == (BreakerState.OPEN, BreakerState.CLOSED)


def test_a_storm_of_failures_spends_the_budget_and_no_more() -> None:
    config = FeedConfig(breaker_failures=100_000, requests_per_minute=100_000)
    _, gateway, _ = _ask(lambda _: answer({}, 500), config, times=100)
    assert gateway.stats[DATA_HOST].retries <= 20 + 0.2 * 100


def test_keys_go_to_the_vendor_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    sent: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        sent.append(request.headers["APCA-API-SECRET-KEY"])
        return answer({"message": f"forbidden: {KEYS.key_id} {KEYS.secret_key}"}, 403)

    with caplog.at_level(logging.DEBUG):
        outcomes, gateway, _ = _ask(handler)
    assert sent == [KEYS.secret_key]
    for text in (outcomes[0].reason, repr(gateway.stats), repr(gateway._lanes), caplog.text):
        assert KEYS.secret_key not in text
        assert KEYS.key_id not in text
    assert "forbidden: *** ***" in outcomes[0].reason


def test_a_vendors_words_come_as_one_printable_line() -> None:
    body = b"<html>\x1b[31m" + b"no\n" * 2_000
    outcomes, _, _ = _ask(lambda _: httpx2.Response(400, content=body))
    assert outcomes[0].reason.isprintable()
    assert len(outcomes[0].reason) <= 300


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_crowd_never_exceeds_the_limit_at_the_server(backend: str) -> None:
    arrivals: list[int] = []

    async def main(clock: LogicalClock) -> None:
        def handler(_request: httpx2.Request) -> httpx2.Response:
            arrivals.append(clock.now_ns())
            return answer({}, 500 if len(arrivals) % 7 == 0 else 200, {"X-Replay-Latency-Ms": "40"})

        async with gateway_to(handler, clock, FeedConfig(requests_per_minute=10)) as gateway:
            await share_out(clock, range(60), 6, lambda n: gateway.get(DATA_HOST, "/x", {"n": n}))

    run(main, backend=backend)
    assert len(arrivals) > 60
    for first in arrivals:
        assert sum(first <= other <= first + 60 * NS_PER_S for other in arrivals) <= 10


def test_an_answer_that_drips_is_cut_on_a_real_clock() -> None:
    async def main(clock: LogicalClock) -> Outcome[Response]:
        async def never(_request: httpx2.Request) -> httpx2.Response:
            await anyio.sleep_forever()
            raise AssertionError

        config = FeedConfig(connect_timeout_s=0.01, read_timeout_s=0.01, retries=0)
        async with gateway_to(never, clock, config, replay=False) as gateway:  # type: ignore[arg-type]
            return await gateway.get(DATA_HOST, "/x")

    assert "in time" in run(main).reason


def test_a_bug_in_a_parser_is_raised_and_leaves_nothing_behind() -> None:
    def broken(_reply: Response) -> int:
        raise ZeroDivisionError

    async def main(clock: LogicalClock) -> bool:
        async with gateway_to(lambda _: answer({}), clock, CONFIG) as gateway:
            with pytest.raises(ZeroDivisionError):
                await gateway.fetch(DATA_HOST, "/x", parse=broken)
            async with actor(clock):
                pass
            return (await gateway.get(DATA_HOST, "/x")).is_value

    assert run(main)
