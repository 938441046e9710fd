"""EDGAR's paths."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient
from tests.sim.worlds import SYMBOLS, make_client, move

from tapeline.sim.faults import Fault, FaultPlan


def ciks(client: TestClient) -> dict[str, int]:
    found = client.get("/files/company_tickers.json").json()
    return {company["ticker"]: company["cik_str"] for company in found.values()}


def submissions(client: TestClient, symbol: str) -> Any:
    return client.get(f"/submissions/CIK{ciks(client)[symbol]:010d}.json").json()


def test_every_symbol_has_a_number_of_its_own() -> None:
    found = ciks(make_client())
    assert set(found) == {symbol.replace(".", "-") for symbol in SYMBOLS}
    assert len(set(found.values())) == len(SYMBOLS)


def test_filings_stand_in_columns_of_one_length_newest_first() -> None:
    body = submissions(make_client(), "IBM")
    assert body["tickers"] == ["IBM"]
    recent = body["filings"]["recent"]
    assert {len(column) for column in recent.values()} == {len(recent["form"])}
    assert {"10-K", "10-Q", "8-K"} <= set(recent["form"])
    assert recent["filingDate"] == sorted(recent["filingDate"], reverse=True)
    assert recent["acceptanceDateTime"][0].endswith("Z")


def test_a_document_is_where_the_filing_says() -> None:
    client = make_client()
    body = submissions(client, "IBM")
    recent = body["filings"]["recent"]
    folder = recent["accessionNumber"][0].replace("-", "")
    page = client.get(f"/Archives/edgar/data/{body['cik']}/{folder}/{recent['primaryDocument'][0]}")
    assert page.headers["content-type"].startswith("text/html")
    assert "IBM" in page.text
    assert client.get(f"/Archives/edgar/data/{body['cik']}/{folder}/other.htm").status_code == 404


@pytest.mark.parametrize("path", ["CIK1.json", "CIK0000000001.json", "CIKabcdefghij.json", "CIK9999999999.xml"])
def test_a_number_that_nobody_has_is_not_found(path: str) -> None:
    assert make_client().get(f"/submissions/{path}").status_code == 404


def test_whoever_does_not_say_who_they_are_is_refused() -> None:
    refused = make_client().get("/files/company_tickers.json", headers={"User-Agent": "python-httpx/0.28"})
    assert refused.status_code == 403
    assert "Undeclared Automated Tool" in refused.text


def test_more_than_ten_a_second_are_refused_and_a_second_later_it_goes_on() -> None:
    client = make_client()
    answers = [client.get("/files/company_tickers.json") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1].headers["Retry-After"] == "1"
    move(client, "09:00:01")
    assert client.get("/files/company_tickers.json").status_code == 200


def test_a_dead_edgar_and_a_lost_symbol() -> None:
    dead = make_client(faults=FaultPlan(fault=(Fault("status", 1.0, family="edgar"),)))
    assert dead.get("/files/company_tickers.json").status_code == 500
    lost = make_client(faults=FaultPlan(fault=(Fault("missing", 1.0, family="edgar"),)))
    assert lost.get(f"/submissions/CIK{ciks(lost)['IBM']:010d}.json").status_code == 404
