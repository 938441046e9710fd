"""What Yahoo's quote summary says of a company, as facts with their units.

In: the answer to one question for all modules.  Out: ``Summary``, and the facts and passages of five steps from it.
Refuses to turn what is not there into a number: an absent, empty or unreadable field is NaN. Whatever is dated later
than the moment of asking is left out.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct, field

from tapeline.core.errors import BadMessage
from tapeline.core.types import DAY_S, NS_PER_S, Label, Passage
from tapeline.feed.http import Response, decode
from tapeline.feed.vendors.google_news import clean_text

SOURCE = "yahoo"
MODULES = (
    "assetProfile",
    "calendarEvents",
    "defaultKeyStatistics",
    "earningsHistory",
    "financialData",
    "insiderTransactions",
    "price",
    "recommendationTrend",
    "summaryDetail",
)
MAX_ROWS = 200
"""Insider transactions and past quarters read of one answer."""
INSIDER_DAYS = 90
MAX_SUMMARY = 3_000
MAX_PASSAGES = 20
_LATEST_S = 4e9
_LARGEST = 1e18
_DAY_NS = DAY_S * NS_PER_S

Facts = tuple[tuple[str, float], ...]

_FUNDAMENTALS = (
    ("market_cap_usd", "price", "marketCap", 1.0),
    ("pe_ratio", "summaryDetail", "trailingPE", 1.0),
    ("forward_pe_ratio", "summaryDetail", "forwardPE", 1.0),
    ("price_to_book_ratio", "defaultKeyStatistics", "priceToBook", 1.0),
    ("price_to_sales_ratio", "summaryDetail", "priceToSalesTrailing12Months", 1.0),
    ("peg_ratio", "defaultKeyStatistics", "pegRatio", 1.0),
    ("enterprise_to_ebitda_ratio", "defaultKeyStatistics", "enterpriseToEbitda", 1.0),
    ("eps_usd", "defaultKeyStatistics", "trailingEps", 1.0),
    ("forward_eps_usd", "defaultKeyStatistics", "forwardEps", 1.0),
    ("book_value_per_share_usd", "defaultKeyStatistics", "bookValue", 1.0),
    ("shares_count", "defaultKeyStatistics", "sharesOutstanding", 1.0),
    ("short_ratio_days", "defaultKeyStatistics", "shortRatio", 1.0),
    ("dividend_yield_pct", "summaryDetail", "dividendYield", 100.0),
    ("payout_ratio_pct", "summaryDetail", "payoutRatio", 100.0),
    ("revenue_usd", "financialData", "totalRevenue", 1.0),
    ("revenue_growth_pct", "financialData", "revenueGrowth", 100.0),
    ("earnings_growth_pct", "financialData", "earningsGrowth", 100.0),
    ("gross_margin_pct", "financialData", "grossMargins", 100.0),
    ("operating_margin_pct", "financialData", "operatingMargins", 100.0),
    ("profit_margin_pct", "financialData", "profitMargins", 100.0),
    ("return_on_equity_pct", "financialData", "returnOnEquity", 100.0),
    ("return_on_assets_pct", "financialData", "returnOnAssets", 100.0),
    ("debt_to_equity_pct", "financialData", "debtToEquity", 1.0),
    ("current_ratio", "financialData", "currentRatio", 1.0),
    ("total_cash_usd", "financialData", "totalCash", 1.0),
    ("total_debt_usd", "financialData", "totalDebt", 1.0),
    ("free_cash_flow_usd", "financialData", "freeCashflow", 1.0),
)
"""Fact, module, field, and what makes the fact's unit of the field's: most shares come as fractions."""

_ANALYSTS = (
    ("target_mean_usd", "targetMeanPrice"),
    ("target_median_usd", "targetMedianPrice"),
    ("target_high_usd", "targetHighPrice"),
    ("target_low_usd", "targetLowPrice"),
    ("analysts_count", "numberOfAnalystOpinions"),
    ("recommendation_mean", "recommendationMean"),
)
_TRENDS = (
    ("strong_buy_count", "strongBuy"),
    ("buy_count", "buy"),
    ("hold_count", "hold"),
    ("sell_count", "sell"),
    ("strong_sell_count", "strongSell"),
)

Fields = dict[str, Any]


class _Results(Struct, frozen=True):
    """{"result":[{"price":{...}, ...}],"error":null}; a module that a company has not is absent or null."""

    result: list[dict[str, Fields | None]] | None = None


class _Answer(Struct, frozen=True):
    """{"quoteSummary":{...}}"""

    summary: _Results = field(name="quoteSummary")


@dataclass(frozen=True, slots=True)
class Summary:
    """A company's modules by the vendor's names, each there and possibly empty; and where they come from."""

    modules: Mapping[str, Fields]
    label: Label


def parse_summary(response: Response) -> Summary:
    """Return the modules of the one company. Raises BadMessage for another shape or more companies."""
    results = decode(response, _Answer).summary.result or [{}]
    if len(results) > 1:
        raise BadMessage(f"{len(results)} companies for one symbol")
    return Summary({name: results[0].get(name) or {} for name in MODULES}, response.label)


def number(value: object) -> float:
    """Return a field's number: bare, or the ``raw`` of a formatted one.

    Anything else is NaN; ``Infinity`` and what is beyond any company too, so that no sum of numbers overflows.
    """
    if isinstance(value, dict):
        value = value.get("raw")
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        return math.nan
    return float(value)


def fundamentals(summary: Summary) -> Facts:
    """Return step 2: valuation, profitability and balance of the last twelve months."""
    return tuple((fact, scale * number(summary.modules[module].get(key))) for fact, module, key, scale in _FUNDAMENTALS)


def profile(summary: Summary, now_ns: int) -> tuple[Passage, ...]:
    """Return what the company says it does, as one passage; none when it says nothing."""
    about = summary.modules["assetProfile"]
    words = clean_text(_text(about.get("longBusinessSummary")), MAX_SUMMARY)
    trade = clean_text(", ".join(filter(None, (_text(about.get("sector")), _text(about.get("industry"))))), 200)
    said = f"{trade}. {words}".strip(". ") if trade else words
    return (Passage(SOURCE, now_ns, said, "", summary.label),) if said else ()


def analysts(summary: Summary) -> Facts:
    """Return step 7: price targets, the mean recommendation (1 strong buy to 5 sell), this month's counts of each.

    ``target_upside_pct`` is the mean target over the vendor's own price.
    """
    financial = summary.modules["financialData"]
    price, target = number(financial.get("currentPrice")), number(financial.get("targetMeanPrice"))
    months = [row for row in _rows(summary.modules["recommendationTrend"].get("trend")) if row.get("period") == "0m"]
    latest: Fields = months[0] if months else {}
    return (
        ("target_upside_pct", 100.0 * (target / price - 1.0) if price > 0 else math.nan),
        *((fact, number(financial.get(key))) for fact, key in _ANALYSTS),
        *((fact, number(latest.get(key))) for fact, key in _TRENDS),
    )


@dataclass(frozen=True, slots=True)
class InsiderTrade:
    """What somebody inside the company did with its shares; ``side`` is 0 for what is neither bought nor sold."""

    event_ns: int
    who: str
    words: str
    side: int
    shares: float
    value_usd: float


def insider_trades(summary: Summary, now_ns: int) -> tuple[InsiderTrade, ...]:
    """Return the trades up to ``now_ns``, newest first, then by who. Grants, gifts and exercises have side 0."""
    found = []
    for row in _rows(summary.modules["insiderTransactions"].get("transactions")):
        event_ns = _moment_ns(row.get("startDate"))
        if event_ns is None or event_ns > now_ns:
            continue
        words = clean_text(_text(row.get("transactionText")), 200)
        side = 1 if words.startswith("Purchase") else -1 if words.startswith("Sale") else 0
        who = clean_text(f"{_text(row.get('filerName'))}, {_text(row.get('filerRelation'))}", 120).strip(", ")
        found.append(InsiderTrade(event_ns, who, words, side, number(row.get("shares")), number(row.get("value"))))
    return tuple(sorted(found, key=lambda trade: (-trade.event_ns, trade.who, trade.words)))


def insiders(trades: Sequence[InsiderTrade], now_ns: int) -> Facts:
    """Return step 8: what insiders bought and sold for their own account in the last 90 days, in dollars and trades."""
    recent = [trade for trade in trades if now_ns - trade.event_ns <= INSIDER_DAYS * _DAY_NS]
    bought = [trade.value_usd for trade in recent if trade.side > 0]
    sold = [trade.value_usd for trade in recent if trade.side < 0]
    paid, received = _sum_known(bought), _sum_known(sold)
    return (
        ("net_90d_usd", paid - received),
        ("bought_90d_usd", paid),
        ("sold_90d_usd", received),
        ("buys_90d_count", float(len(bought))),
        ("sells_90d_count", float(len(sold))),
    )


def insider_passages(trades: Sequence[InsiderTrade], label: Label) -> tuple[Passage, ...]:
    """Return the newest trades in words."""
    return tuple(
        Passage(SOURCE, trade.event_ns, f"{_day(trade.event_ns)}: {trade.who}: {trade.words or 'a filing'}", "", label)
        for trade in trades[:MAX_PASSAGES]
    )


def earnings(summary: Summary, now_ns: int) -> Facts:
    """Return step 9: when the next results come, what is expected of them, and how the last four compared.

    ``days_to_earnings`` counts from now to the earliest date that is not past, in days.
    """
    coming = summary.modules["calendarEvents"].get("earnings")
    coming = coming if isinstance(coming, dict) else {}
    dates = coming.get("earningsDate")
    moments = [_moment_ns(date) for date in (dates if isinstance(dates, list) else [])[:MAX_ROWS]]
    ahead = [moment for moment in moments if moment is not None and moment >= now_ns - now_ns % _DAY_NS]
    surprises = [100.0 * surprise for _, _, surprise in _quarters(summary, now_ns)]
    return (
        ("days_to_earnings", max(0.0, (min(ahead) - now_ns) / _DAY_NS) if ahead else math.nan),
        ("eps_estimate_usd", number(coming.get("earningsAverage"))),
        ("revenue_estimate_usd", number(coming.get("revenueAverage"))),
        ("last_surprise_pct", surprises[0] if surprises else math.nan),
        ("mean_surprise_pct", math.fsum(surprises) / len(surprises) if surprises else math.nan),
        ("quarters_beaten_count", float(sum(s > 0 for s in surprises)) if surprises else math.nan),
    )


def earnings_passages(summary: Summary, now_ns: int) -> tuple[Passage, ...]:
    """Return the past quarters in words, newest first."""
    return tuple(
        Passage(SOURCE, moment, f"Quarter to {_day(moment)}: earnings per share of {actual:g} USD", "", summary.label)
        for moment, actual, _ in _quarters(summary, now_ns)
    )


def _quarters(summary: Summary, now_ns: int) -> list[tuple[int, float, float]]:
    """Return (end, earnings per share, surprise as a fraction) of the quarters that have both, newest first."""
    found = []
    for row in _rows(summary.modules["earningsHistory"].get("history")):
        moment = _moment_ns(row.get("quarter"))
        actual, surprise = number(row.get("epsActual")), number(row.get("surprisePercent"))
        if moment is not None and moment <= now_ns and math.isfinite(actual) and math.isfinite(surprise):
            found.append((moment, actual, surprise))
    return sorted(found, reverse=True)[:4]


def _rows(value: object) -> list[Fields]:
    """Return the objects of a list, ``MAX_ROWS`` at most; nothing for anything else."""
    return [row for row in value[:MAX_ROWS] if isinstance(row, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _moment_ns(value: object) -> int | None:
    """Return a field's moment: seconds since 1970, bare or formatted; None for anything else."""
    seconds = number(value)
    return round(seconds) * NS_PER_S if 0.0 <= seconds < _LATEST_S else None


def _sum_known(values: Sequence[float]) -> float:
    """Return the sum of the known values: 0 of none, NaN when there are values and none is known."""
    known = [value for value in values if math.isfinite(value)]
    return math.fsum(known) if known or not values else math.nan


def _day(moment_ns: int) -> str:
    return dt.datetime.fromtimestamp(moment_ns // NS_PER_S, dt.UTC).date().isoformat()
