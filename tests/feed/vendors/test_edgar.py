"""EDGAR: what was filed, by who asks politely."""

from __future__ import annotations

from typing import Any

import pytest
from tests.feed.vendors.desk import CONFIG, Vendor, response, with_gateway
from tests.feed.worlds import OPEN_NS

from tapeline.core.clock import LogicalClock
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.vendors.edgar import MAX_FILINGS, Edgar, Filing, edgar_hosts, parse_submissions

COMPANIES = {
    "0": {"cik_str": 320193, "ticker": "AAPL", "title": "Apple Inc."},
    "1": {"cik_str": 1067983, "ticker": "BRK-B", "title": "Berkshire"},
}
PAGE = "/submissions/CIK0001067983.json"
ROW = {
    "accessionNumber": "0001067983-10-000012",
    "acceptanceDateTime": "2010-05-05T20:30:00.000Z",
    "form": "8-K",
    "reportDate": "2010-05-05",
    "primaryDocument": "d8k.htm",
    "primaryDocDescription": "RESULTS",
    "items": "2.02,9.01",
}


def _submissions(*rows: dict[str, str], **columns: Any) -> dict[str, Any]:
    recent: dict[str, Any] = {name: [(ROW | row)[name] for row in rows] for name in ROW}
    return {"cik": "0001067983", "name": "Berkshire", "filings": {"recent": recent | columns, "files": []}}


def _ask(symbol: str, *rows: dict[str, str], **answers: Any) -> tuple[Outcome[tuple[Filing, ...]], Vendor]:
    plain: dict[str, Any] = {"/files/company_tickers.json": COMPANIES, PAGE: _submissions(*rows)}
    vendor = Vendor(plain | answers)

    async def main(gateway: Gateway, clock: LogicalClock) -> Outcome[tuple[Filing, ...]]:
        return await Edgar(gateway, CONFIG.edgar, clock=clock).fetch_filings(symbol)

    return with_gateway(vendor, lambda clock: edgar_hosts(CONFIG, clock), main), vendor


def test_a_filing_is_found_by_its_ticker() -> None:
    outcome, vendor = _ask("BRK.B", {})
    assert outcome.unwrap() == (
        Filing(
            event_ns=OPEN_NS - 17 * 3_600 * 10**9,
            form="8-K",
            description="RESULTS",
            items="2.02,9.01",
            report_day="2010-05-05",
            url="https://www.sec.gov/Archives/edgar/data/1067983/000106798310000012/d8k.htm",
            label=Label.SIMULATED,
        ),
    )
    assert vendor.paths == ["/files/company_tickers.json", PAGE]
    assert {request.headers["user-agent"] for request in vendor.asked} == {CONFIG.edgar.user_agent}


def test_filings_of_the_future_old_ones_and_other_forms_are_left_out() -> None:
    outcome, _ = _ask(
        "BRK.B",
        {"acceptanceDateTime": "2010-05-06T13:30:01Z"},
        {"acceptanceDateTime": "2009-12-01T00:00:00Z"},
        {"form": "SC 13G"},
    )
    assert (outcome.kind, outcome.reason) == (Kind.NO_DATA, "BRK.B has filed nothing in 120 days")


def test_the_newest_filings_come_first_and_are_bounded() -> None:
    days = [f"2010-04-{day:02d}T12:00:00Z" for day in range(1, 31)]
    outcome, _ = _ask("BRK.B", *({"acceptanceDateTime": day} for day in days))
    moments = [filing.event_ns for filing in outcome.unwrap()]
    assert len(moments) == MAX_FILINGS
    assert moments == sorted(moments, reverse=True)


def test_a_ticker_that_the_sec_does_not_know_is_no_data() -> None:
    outcome, vendor = _ask("ZZZ")
    assert (outcome.kind, outcome.reason) == (Kind.NO_DATA, "the list of companies does not name ZZZ")
    assert len(vendor.asked) == 1


@pytest.mark.parametrize("companies", [b"<html>", {"0": {"cik_str": -1, "ticker": "A"}}, {"0": {"ticker": "A"}}])
def test_an_unreadable_list_is_an_error(companies: object) -> None:
    outcome, _ = _ask("BRK.B", **{"/files/company_tickers.json": companies})
    assert outcome.kind is Kind.ERROR


@pytest.mark.parametrize(
    "body",
    [
        {},
        _submissions({}, form=[]),
        _submissions({}, items=["a", "b"]),
        _submissions({"acceptanceDateTime": "soon"}),
        _submissions({"acceptanceDateTime": "2010-05-05T20:30:00"}),
    ],
)
def test_another_shape_is_refused(body: object) -> None:
    with pytest.raises(BadMessage):
        parse_submissions(response(body))


@pytest.mark.parametrize("document", ["", "../../x", "a b.htm", "javascript:x", 'x" onclick="'])
def test_an_address_that_no_browser_should_open_is_left_out(document: str) -> None:
    (filing,) = parse_submissions(response(_submissions({"primaryDocument": document})))
    assert filing.url == ""
