"""Yahoo: seven steps of evidence from two questions, with the crumb that they hang on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar

import httpx2
import pytest
from tests.feed.vendors.desk import CONFIG, Vendor, with_gateway
from tests.feed.worlds import OPEN_NS

from tapeline.core.clock import LogicalClock, together
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import Evidence, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.vendors.yahoo import Yahoo, vendor_symbol, yahoo_hosts

T = TypeVar("T")
SUMMARY = "/v10/finance/quoteSummary/BRK-B"
SERIES = "/ws/fundamentals-timeseries/v1/finance/timeseries/BRK-B"
COOKIE = httpx2.Response(404, headers={"set-cookie": "A3=d-cookie; Path=/; Secure"})
MODULES = {
    "price": {"marketCap": 5e9},
    "financialData": {"currentPrice": 10.0, "targetMeanPrice": 12.0},
    "calendarEvents": {"earnings": {"earningsDate": [OPEN_NS // 10**9 + 86_400]}},
    "insiderTransactions": {
        "transactions": [{"startDate": OPEN_NS // 10**9 - 60, "transactionText": "Sale at price 1.00", "value": 5}]
    },
}
LINES = {"timeseries": {"result": [{"annualNetIncome": [{"asOfDate": "2009-12-31", "reportedValue": {"raw": 7.0}}]}]}}


def _vendor(**other: Any) -> Vendor:
    answers: dict[str, Any] = {
        "/": COOKIE,
        "/v1/test/getcrumb": b"crumb.1/x",
        SUMMARY: {"quoteSummary": {"result": [MODULES], "error": None}},
        SERIES: LINES,
    }
    return Vendor(answers | {"/" + path.replace("__", "/"): answer for path, answer in other.items()})


def _ask(vendor: Vendor, use: Callable[[Yahoo, LogicalClock], Awaitable[T]]) -> T:
    async def main(gateway: Gateway, clock: LogicalClock) -> T:
        return await use(Yahoo(gateway, clock=clock), clock)

    return with_gateway(vendor, lambda clock: yahoo_hosts(CONFIG, clock), main)


async def _fundamentals(yahoo: Yahoo, _clock: LogicalClock) -> Outcome[Evidence]:
    return await yahoo.fetch_fundamentals("BRK.B")


async def _all_steps(yahoo: Yahoo, clock: LogicalClock) -> dict[str, Outcome[Evidence]]:
    found: dict[str, Outcome[Evidence]] = {}

    async def one(name: str) -> None:
        found[name] = await getattr(yahoo, name)("BRK.B", clock.now_ns() + 10**10)

    names = ("fundamentals", "analysts", "insiders", "earnings", "income", "balance", "cashflow")
    await together(clock, [partial(one, f"fetch_{name}") for name in names])
    return found


def test_seven_steps_at_once_cost_two_questions() -> None:
    vendor = _vendor()
    found = _ask(vendor, _all_steps)
    assert {name: outcome.kind for name, outcome in found.items()} == {
        "fetch_fundamentals": Kind.VALUE,
        "fetch_analysts": Kind.VALUE,
        "fetch_insiders": Kind.VALUE,
        "fetch_earnings": Kind.VALUE,
        "fetch_income": Kind.VALUE,
        "fetch_balance": Kind.NO_DATA,
        "fetch_cashflow": Kind.NO_DATA,
    }
    assert sorted(vendor.paths) == sorted(["/", "/v1/test/getcrumb", SUMMARY, SERIES])
    evidence = found["fetch_income"].unwrap()
    assert (evidence.step, evidence.symbol, evidence.source) == ("financial_history", "BRK.B", "yahoo")
    assert evidence.label is Label.SIMULATED
    assert dict(evidence.facts)["net_income_usd"] == 7.0


def test_questions_carry_the_crumb_and_its_cookie() -> None:
    vendor = _vendor()
    _ask(vendor, _fundamentals)
    _, crumb, asked = vendor.asked
    assert crumb.headers["cookie"] == asked.headers["cookie"] == "A3=d-cookie"
    assert asked.url.params["crumb"] == "crumb.1/x"
    assert "financialData" in asked.url.params["modules"]


def test_a_crumb_that_ran_out_is_renewed_once() -> None:
    def crumb(_request: httpx2.Request) -> bytes:
        return f"crumb-{vendor.paths.count('/v1/test/getcrumb')}".encode()

    def answer(request: httpx2.Request) -> object:
        if request.url.params["crumb"] == "crumb-1":
            return httpx2.Response(401, json={"finance": {"error": {"code": "Unauthorized"}}})
        return {"quoteSummary": {"result": [MODULES]}}

    vendor = Vendor({"/": COOKIE, "/v1/test/getcrumb": crumb, SUMMARY: answer})
    assert _ask(vendor, _fundamentals).is_value
    assert vendor.paths.count(SUMMARY) == 2


def test_a_vendor_that_wants_no_cookie_is_asked_without() -> None:
    vendor = Vendor(_vendor().answers | {"/": httpx2.Response(200)})
    assert _ask(vendor, _fundamentals).is_value
    assert "cookie" not in vendor.asked[-1].headers


@pytest.mark.parametrize("crumb", [b"", b"<html>Too Many</html>", b"two words", b"x" * 101, httpx2.Response(404)])
def test_without_a_crumb_the_step_is_an_error(crumb: object) -> None:
    outcome = _ask(Vendor({"/": COOKIE, "/v1/test/getcrumb": crumb}), _fundamentals)
    assert (outcome.kind, outcome.source) == (Kind.ERROR, "yahoo")


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (httpx2.Response(404, json={"quoteSummary": {"result": None}}), Kind.NO_DATA),
        (httpx2.Response(429), Kind.LIMITED),
        (httpx2.Response(500), Kind.ERROR),
        (b"<html>", Kind.ERROR),
        ({"quoteSummary": {"result": [{}]}}, Kind.NO_DATA),
        ({"quoteSummary": {"result": [{"price": {"marketCap": None}, "assetProfile": {}}]}}, Kind.NO_DATA),
    ],
)
def test_an_empty_description_is_no_description(answer: object, kind: Kind) -> None:
    outcome = _ask(Vendor(_vendor().answers | {SUMMARY: answer}), _fundamentals)
    assert outcome.kind is kind
    assert outcome.reason


def test_nobody_inside_who_did_anything_is_no_data() -> None:
    vendor = Vendor(_vendor().answers | {SUMMARY: {"quoteSummary": {"result": [{"price": {"marketCap": 1}}]}}})
    outcome = _ask(vendor, lambda yahoo, _: yahoo.fetch_insiders("BRK.B"))
    assert (outcome.kind, outcome.reason) == (Kind.NO_DATA, "no insider_activity of BRK.B")


@pytest.mark.parametrize(("symbol", "spelled"), [("AAPL", "AAPL"), ("BRK.B", "BRK-B"), ("../x", "--%2Fx")])
def test_symbols_are_spelled_as_the_vendor_does_and_fit_a_path(symbol: str, spelled: str) -> None:
    assert vendor_symbol(symbol) == spelled
