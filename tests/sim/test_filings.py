"""Filings say what the company's other sources say, on the same days."""

from __future__ import annotations

import datetime as dt

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.sim.test_company import known
from tests.sim.worlds import DAY

from tapeline.sim.company import Company
from tapeline.sim.filings import cik_of, filings_of, symbol_of

NOON = dt.time(12)


def company() -> Company:
    return next(company for company in known() if company.published and company.trades)


@given(st.text("ABCXYZ09.-", min_size=1, max_size=6))
def test_a_number_leads_back_to_its_symbol(symbol: str) -> None:
    assert symbol_of(cik_of(symbol)) == symbol
    assert 0 < cik_of(symbol) < 10**10


@pytest.mark.parametrize("cik", [0, 39, 320193, 9_999_999_999])
def test_any_number_is_some_text(cik: int) -> None:
    assert isinstance(symbol_of(cik), str)


def test_every_known_quarter_has_its_news_and_its_report() -> None:
    found = filings_of(company(), DAY, NOON)
    news = {filing.report: filing for filing in found if filing.form == "8-K"}
    for part in company().published[-6:]:
        assert news[part.end].filed == part.reported
        assert f"{part.lines['NetIncome']:,}" in news[part.end].text
        assert "2.02" in news[part.end].items
    reports = [filing for filing in found if filing.form in ("10-K", "10-Q")]
    assert {filing.form for filing in reports if filing.report.month == 12} == {"10-K"}
    assert {filing.form for filing in reports if filing.report.month != 12} == {"10-Q"}
    assert all(filing.filed > news[filing.report].filed for filing in reports)
    assert all(filing.filed.weekday() < 5 for filing in reports)


def test_an_insiders_trade_is_a_form_4() -> None:
    forms = [filing for filing in filings_of(company(), DAY, dt.time(23)) if filing.form == "4"]
    assert len(forms) == len(company().trades or ())
    assert {filing.report for filing in forms} == {trade.day for trade in company().trades or ()}


def test_filings_come_newest_first_once_and_not_before_their_time() -> None:
    for one in known()[:80]:
        found = filings_of(one, DAY, NOON)
        times = [(filing.filed, filing.time) for filing in found]
        assert times == sorted(times, reverse=True)
        assert all(moment <= (DAY, NOON) for moment in times)
        assert len({filing.accession for filing in found}) == len(found)


def test_a_year_in_the_annual_report_is_the_year_of_the_statements() -> None:
    report = next(filing for filing in filings_of(company(), DAY, NOON) if filing.form == "10-K")
    year, lines = company().years[-1]
    assert report.report == dt.date(year, 12, 31)
    assert f"TotalRevenue: ${lines['TotalRevenue']:,}" in report.text
