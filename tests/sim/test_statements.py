"""Made-up books that agree to the dollar."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from tapeline.sim.statements import Quarter, Terms, quarters, total

fractions = st.floats(0, 1)


@st.composite
def terms(draw: st.DrawFn) -> Terms:
    swing = draw(st.floats(0, 0.12))
    return Terms(
        key=draw(st.text("abc", max_size=3)),
        revenue=draw(st.floats(1e6, 4e11)),
        growth=draw(st.floats(-0.1, 0.3)),
        season=(1 - swing, 1 - swing / 3, 1 + swing / 3, 1 + swing),
        gross_margin=draw(st.floats(0.2, 0.85)),
        net_margin=draw(st.floats(-0.15, 0.22)),
        research=draw(st.floats(0, 0.5)),
        debt=draw(st.floats(0, 0.8)),
        cash=draw(st.floats(0.05, 0.4)),
        plant=draw(st.floats(0.1, 0.7)),
        payout=draw(st.floats(0, 0.6)),
    )


@given(terms())
@settings(max_examples=40, deadline=None)
def test_every_statement_agrees_with_itself_and_with_the_one_before(business: Terms) -> None:
    before: Quarter | None = None
    for part in quarters(business, 2005, 2009, 22):
        line = part.lines
        assert line["TotalAssets"] == line["TotalLiabilitiesNetMinorityInterest"] + line["StockholdersEquity"]
        assert line["TotalRevenue"] - line["CostOfRevenue"] == line["GrossProfit"]
        assert line["GrossProfit"] - line["OperatingExpense"] == line["OperatingIncome"]
        assert line["OperatingIncome"] - line["InterestExpense"] - line["TaxProvision"] == line["NetIncome"]
        flows = line["OperatingCashFlow"] + line["InvestingCashFlow"] + line["FinancingCashFlow"]
        assert flows == line["ChangesInCash"] == line["EndCashPosition"] - line["BeginningCashPosition"]
        assert line["EndCashPosition"] == line["CashAndCashEquivalents"] >= 0
        assert line["StockholdersEquity"] > 0
        if before is not None:
            assert line["BeginningCashPosition"] == before.lines["EndCashPosition"]
            earned = line["NetIncome"] + line["CashDividendsPaid"]
            earned += line["IssuanceOfCapitalStock"] + line["RepurchaseOfCapitalStock"]
            assert line["StockholdersEquity"] - before.lines["StockholdersEquity"] == earned
        before = part


def plain() -> tuple[Quarter, ...]:
    season = (0.9, 1.0, 1.0, 1.1)
    return quarters(Terms("k", 4e9, 0.1, season, 0.5, 0.1, 0.2, 0.2, 0.2, 0.4, 0.3), 2005, 2009, 20)


def test_a_year_is_the_sum_of_its_quarters_and_ends_where_the_last_one_does() -> None:
    parts = plain()[:4]
    year = total(parts)
    assert year["NetIncome"] == sum(part.lines["NetIncome"] for part in parts)
    assert year["TotalAssets"] == parts[-1].lines["TotalAssets"]
    assert year["EndCashPosition"] - year["BeginningCashPosition"] == year["ChangesInCash"]


def test_quarters_end_with_their_months_and_are_reported_on_a_working_day_soon_after() -> None:
    ends = [part.end for part in plain()[:4]]
    assert ends == [dt.date(2005, 3, 31), dt.date(2005, 6, 30), dt.date(2005, 9, 30), dt.date(2005, 12, 31)]
    assert all(15 < (part.reported - part.end).days < 50 for part in plain())
    assert all(part.reported.weekday() < 5 for part in plain())


def test_revenue_is_about_what_was_asked_for_in_the_reference_year_and_grows() -> None:
    year = total(plain()[16:20])["TotalRevenue"]
    assert 0.9 < year / 4e9 < 1.15
    assert year > total(plain()[:4])["TotalRevenue"]


def test_more_quarters_change_none_of_the_first() -> None:
    season = (0.9, 1.0, 1.0, 1.1)
    business = Terms("k", 4e9, 0.1, season, 0.5, 0.1, 0.2, 0.2, 0.2, 0.4, 0.3)
    assert quarters(business, 2005, 2009, 24)[:20] == quarters(business, 2005, 2009, 20)
