"""Modules of the quote summary agree with each other and with the company."""

from __future__ import annotations

import json

import pytest
from tests.sim.test_company import known
from tests.sim.worlds import at

from tapeline.sim.yahoo_modules import MODULES, formatted, module

NOW = at("10:00")


def test_every_module_of_every_company_is_plain_json_without_nan() -> None:
    for company in known():
        for name in MODULES:
            told = module(name, company, NOW)
            assert json.loads(json.dumps(told, allow_nan=False)) == told


def test_ratios_are_made_of_the_figures_beside_them() -> None:
    for company in known():
        found = {name: MODULES[name](company, NOW) or {} for name in MODULES}
        financial, detail, keys = found["financialData"], found["summaryDetail"], found["defaultKeyStatistics"]
        assert (financial["totalRevenue"] is None) == (not company.published)
        if not company.published or company.price != company.price:
            assert detail["trailingPE"] is None
            continue
        assert found["price"]["marketCap"] == round(company.price * keys["sharesOutstanding"])
        margin = keys["netIncomeToCommon"] / financial["totalRevenue"]
        assert financial["profitMargins"] == keys["profitMargins"] == pytest.approx(margin, abs=1e-5)
        if company.eps > 0.1:
            assert detail["trailingPE"] == pytest.approx(company.price / keys["trailingEps"], rel=0.05)
        else:
            assert company.eps > 0 or detail["trailingPE"] is None


def test_insiders_add_up() -> None:
    company = next(company for company in known() if company.trades and len(company.trades) > 3)
    rows = (module("insiderTransactions", company, NOW) or {})["transactions"]
    net = MODULES["netSharePurchaseActivity"](company, NOW) or {}
    assert net["netInfoCount"] == len(rows)
    signed = [row["shares"] * (-1 if row["transactionText"].startswith("Sale") else 1) for row in rows]
    assert net["netInfoShares"] == sum(signed)


def test_the_next_results_are_not_past_and_the_last_ones_are_not_future() -> None:
    for company in known():
        if calendar := MODULES["calendarEvents"](company, NOW):
            assert calendar["earnings"]["earningsDate"][0] * 10**9 > NOW - 86_400 * 10**9
        if history := MODULES["earningsHistory"](company, NOW):
            ends = [row["quarter"]["raw"] for row in history["history"]]
            assert ends == sorted(ends)
            assert ends[-1] * 10**9 < NOW


def test_some_fields_are_missing_here_and_there() -> None:
    lost = sum(
        MODULES["financialData"](company, NOW)["totalCash"] is not None  # type: ignore[index]
        and (module("financialData", company, NOW) or {})["totalCash"] is None
        for company in known()
    )
    assert 2 < lost < 50


@pytest.mark.parametrize(
    ("value", "shown"), [(1234.5, {"raw": 1234.5, "fmt": "1,234.50"}), (None, {}), ("x", "x"), (True, True)]
)
def test_numbers_are_shown_as_yahoo_shows_them(value: object, shown: object) -> None:
    assert formatted(value) == shown
