"""Annual statements: newest year first, growth only where it has a meaning."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

import pytest
from tests.feed.vendors.desk import response
from tests.feed.worlds import OPEN_NS

from tapeline.core.errors import BadMessage
from tapeline.feed.vendors import yahoo_statements as statements
from tapeline.feed.vendors.yahoo_statements import BALANCE, CASHFLOW, INCOME


def _series(line: str, values: dict[str, float | None]) -> dict[str, Any]:
    entries: list[dict[str, Any] | None] = [
        {"dataId": 1, "asOfDate": day, "periodType": "12M", "currencyCode": "USD", "reportedValue": {"raw": raw}}
        for day, raw in values.items()
    ]
    name = f"annual{line}"
    return {"meta": {"symbol": ["AAPL"], "type": [name]}, "timestamp": [1, 2], name: [None, *entries]}


def _parsed(*series: dict[str, Any]) -> statements.Statements:
    return statements.parse_statements(response({"timeseries": {"result": list(series), "error": None}}))


def test_the_newest_year_and_its_growth() -> None:
    revenue = _series("TotalRevenue", {"2008-12-31": 80.0, "2009-12-31": 100.0, "2010-12-31": 999.0})
    income = _series("NetIncome", {"2008-12-31": -5.0, "2009-12-31": 10.0})
    found = _parsed(revenue, income, _series("Unknown", {"2009-12-31": 1.0}))
    facts = dict(statements.statement_facts(found, INCOME, OPEN_NS))
    assert facts["fiscal_years_count"] == 2.0
    assert facts["revenue_usd"] == 100.0
    assert facts["revenue_growth_pct"] == pytest.approx(25.0)
    assert facts["net_income_usd"] == 10.0
    assert math.isnan(facts["net_income_growth_pct"])  # from a loss
    assert math.isnan(facts["ebitda_usd"])
    assert statements.years_of(found, INCOME, OPEN_NS) == (dt.date(2009, 12, 31), dt.date(2008, 12, 31))
    assert statements.years_of(found, BALANCE, OPEN_NS) == ()


def test_years_in_words_newest_first() -> None:
    found = _parsed(
        _series("OperatingCashFlow", {"2008-12-31": 5e5, "2009-12-31": 2.5e9}),
        _series("FreeCashFlow", {"2009-12-31": -3e6, "2008-12-31": None}),
    )
    passages = statements.statement_passages(found, CASHFLOW, OPEN_NS)
    assert [passage.text for passage in passages] == [
        "Fiscal year to 2009-12-31: operating cash flow 2.50 billion USD, free cash flow -3.00 million USD",
        "Fiscal year to 2008-12-31: operating cash flow 500000 USD",
    ]
    assert passages[0].event_ns > passages[1].event_ns


def test_one_year_has_no_growth() -> None:
    facts = dict(statements.statement_facts(_parsed(_series("TotalAssets", {"2009-12-31": 9.0})), BALANCE, OPEN_NS))
    assert facts["total_assets_usd"] == 9.0
    assert math.isnan(facts["total_assets_growth_pct"])


def test_shares_are_a_count() -> None:
    found = _parsed(_series("OrdinarySharesNumber", {"2009-12-31": 9e8}))
    assert dict(statements.statement_facts(found, BALANCE, OPEN_NS))["shares_count"] == 9e8
    assert statements.statement_passages(found, BALANCE, OPEN_NS)[0].text.endswith("shares 900.00 million")


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {},
        {"timeseries": {"result": [{"annualNetIncome": [{"asOfDate": "soon", "reportedValue": {"raw": 1}}]}]}},
        {"timeseries": {"result": [{"annualNetIncome": 5}]}},
        {"timeseries": {"result": [{"annualNetIncome": [{"asOfDate": "2009-12-31", "reportedValue": {"raw": "x"}}]}]}},
    ],
)
def test_another_shape_is_refused(body: object) -> None:
    with pytest.raises(BadMessage):
        statements.parse_statements(response(body))


def test_a_company_without_statements_has_no_lines() -> None:
    assert statements.parse_statements(response({"timeseries": {"result": None}})).lines == {}
