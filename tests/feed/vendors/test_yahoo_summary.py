"""Yahoo's summary as facts: what is absent is NaN, what is of the future is not seen."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.feed.vendors.desk import NOW_S, response
from tests.feed.worlds import OPEN_NS

from tapeline.core.errors import BadMessage
from tapeline.feed.vendors import yahoo_summary as summary

DAY_S = 86_400


def _parsed(**modules: Any) -> summary.Summary:
    return summary.parse_summary(response({"quoteSummary": {"result": [modules], "error": None}}))


@pytest.mark.parametrize(
    ("value", "number"),
    [
        (3, 3.0),
        (2.5, 2.5),
        ({"raw": 7.0, "fmt": "7"}, 7.0),
        ({}, math.nan),
        (None, math.nan),
        ("Infinity", math.nan),
        (True, math.nan),
        ([1], math.nan),
        ({"raw": "x"}, math.nan),
    ],
)
def test_a_number_is_read_or_nan(value: object, number: float) -> None:
    assert summary.number(value) == pytest.approx(number, nan_ok=True)


def test_fundamentals_carry_their_units() -> None:
    facts = dict(
        summary.fundamentals(
            _parsed(
                price={"marketCap": 1e9},
                summaryDetail={"trailingPE": "Infinity", "dividendYield": 0.025},
                financialData={"profitMargins": {"raw": 0.1}, "debtToEquity": 45.0, "revenueGrowth": None},
                defaultKeyStatistics=None,
            )
        )
    )
    assert facts["market_cap_usd"] == 1e9
    assert facts["dividend_yield_pct"] == 2.5
    assert facts["profit_margin_pct"] == 10.0
    assert facts["debt_to_equity_pct"] == 45.0
    for name in ("pe_ratio", "revenue_growth_pct", "eps_usd"):
        assert math.isnan(facts[name])


def test_what_a_company_does_is_one_passage() -> None:
    about = {"sector": "Technology", "industry": "Computers", "longBusinessSummary": "It makes\nphones."}
    (passage,) = summary.profile(_parsed(assetProfile=about), OPEN_NS)
    assert (passage.text, passage.event_ns) == ("Technology, Computers. It makes phones", OPEN_NS)
    assert summary.profile(_parsed(assetProfile={"sector": 5}), OPEN_NS) == ()


def test_analysts_are_counted_for_this_month() -> None:
    months = [
        {"period": "-1m", "buy": 1},
        {"period": "0m", "strongBuy": 2, "buy": 3, "hold": 4, "sell": 0, "strongSell": 1},
    ]
    facts = dict(
        summary.analysts(
            _parsed(
                financialData={"currentPrice": 200.0, "targetMeanPrice": 250.0, "numberOfAnalystOpinions": 9},
                recommendationTrend={"trend": months},
            )
        )
    )
    assert facts["target_upside_pct"] == 25.0
    assert (facts["strong_buy_count"], facts["buy_count"], facts["sell_count"]) == (2.0, 3.0, 0.0)
    assert math.isnan(facts["target_low_usd"])


def test_no_price_gives_no_upside() -> None:
    assert math.isnan(dict(summary.analysts(_parsed(financialData={"targetMeanPrice": 250.0})))["target_upside_pct"])


def _trade(age_days: float, text: str, value: float | None, name: str = "DOE JANE") -> dict[str, Any]:
    return {
        "filerName": name,
        "filerRelation": "Director",
        "transactionText": text,
        "startDate": {"raw": NOW_S - round(age_days * DAY_S)},
        "shares": 100,
        "value": value,
    }


def test_insiders_net_is_what_they_paid_less_what_they_received() -> None:
    rows = [
        _trade(1, "Purchase at price 10.00 per share.", 1_000.0),
        _trade(2, "Sale at price 10.00 - 11.00 per share.", 3_500.0),
        _trade(3, "Stock Award(Grant) at price 0.00 per share.", 9_999.0),
        _trade(91, "Sale at price 9.00 per share.", 8_888.0),
        _trade(-1, "Sale at price 99.00 per share.", 7_777.0),
    ]
    trades = summary.insider_trades(_parsed(insiderTransactions={"transactions": rows}), OPEN_NS)
    facts = dict(summary.insiders(trades, OPEN_NS))
    assert [trade.side for trade in trades] == [1, -1, 0, -1]
    assert facts == {
        "net_90d_usd": -2_500.0,
        "bought_90d_usd": 1_000.0,
        "sold_90d_usd": 3_500.0,
        "buys_90d_count": 1.0,
        "sells_90d_count": 1.0,
    }
    passages = summary.insider_passages(trades, _parsed().label)
    assert passages[0].text == "2010-05-05: DOE JANE, Director: Purchase at price 10.00 per share."


def test_a_sale_of_unknown_value_makes_the_net_unknown() -> None:
    rows = [_trade(1, "Sale at price 10.00 per share.", None)]
    trades = summary.insider_trades(_parsed(insiderTransactions={"transactions": rows}), OPEN_NS)
    assert math.isnan(dict(summary.insiders(trades, OPEN_NS))["net_90d_usd"])


def test_the_next_earnings_are_the_first_that_are_not_past() -> None:
    dates = [NOW_S - 90 * DAY_S, {"raw": NOW_S + 2 * DAY_S}, NOW_S + 30 * DAY_S]
    quarters = [
        {"quarter": {"raw": NOW_S - 40 * DAY_S}, "epsActual": 1.1, "surprisePercent": 0.10},
        {"quarter": NOW_S - 130 * DAY_S, "epsActual": 0.9, "surprisePercent": -0.02},
        {"quarter": NOW_S + 50 * DAY_S, "epsActual": 5.0, "surprisePercent": 9.0},
        {"quarter": NOW_S - 220 * DAY_S, "epsActual": None, "surprisePercent": 0.5},
    ]
    found = _parsed(
        calendarEvents={"earnings": {"earningsDate": dates, "earningsAverage": 1.2}},
        earningsHistory={"history": quarters},
    )
    facts = dict(summary.earnings(found, OPEN_NS))
    assert facts["days_to_earnings"] == 2.0
    assert facts["eps_estimate_usd"] == 1.2
    assert facts["last_surprise_pct"] == pytest.approx(10.0)
    assert facts["mean_surprise_pct"] == pytest.approx(4.0)
    assert facts["quarters_beaten_count"] == 1.0
    assert len(summary.earnings_passages(found, OPEN_NS)) == 2


def test_no_dates_and_no_quarters_are_nan() -> None:
    facts = summary.earnings(_parsed(calendarEvents={"earnings": []}, earningsHistory={"history": "none"}), OPEN_NS)
    assert all(math.isnan(value) for _, value in facts)


def test_an_empty_answer_has_every_module_empty() -> None:
    found = summary.parse_summary(response({"quoteSummary": {"result": None, "error": None}}))
    assert all(math.isnan(value) for _, value in summary.fundamentals(found))


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        {},
        {"quoteSummary": {"result": [{}, {}]}},
        {"quoteSummary": {"result": [{"price": 5}]}},
        {"quoteSummary": {"result": "x"}},
    ],
)
def test_another_shape_is_refused(body: object) -> None:
    with pytest.raises(BadMessage):
        summary.parse_summary(response(body))


NUMBERS = st.integers() | st.integers(10**300, 10**320) | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)


@given(value=JSON | st.dictionaries(st.sampled_from(["raw", "trend", "transactions", "earnings"]), JSON, max_size=3))
@example(value=10**400)
@example(value=1e308)
def test_no_value_in_any_place_does_more_than_be_unknown(value: object) -> None:
    row = dict.fromkeys(("shares", "value", "epsActual", "surprisePercent"), value)
    rows = [row | {"startDate": NOW_S, "quarter": NOW_S, "transactionText": "Sale"}] * 2
    fields = dict.fromkeys(("marketCap", "dividendYield", "currentPrice", "targetMeanPrice", "earnings"), value)
    for inner in (value, rows):
        lists = dict.fromkeys(("trend", "transactions", "history"), inner)
        found = _parsed(**dict.fromkeys(summary.MODULES, fields | lists))
        facts = (
            *summary.fundamentals(found),
            *summary.analysts(found),
            *summary.insiders(summary.insider_trades(found, OPEN_NS), OPEN_NS),
            *summary.earnings(found, OPEN_NS),
        )
        assert not any(math.isinf(number) for _, number in facts)
        assert summary.profile(found, OPEN_NS) == ()
