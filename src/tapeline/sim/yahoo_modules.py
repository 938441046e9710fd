"""What Yahoo's quote summary says of a company, module by module.

In: a company as the public knows it.  Out: plain fields under Yahoo's names; None where there is nothing to say.
Refuses to know more than ``company`` does. Ratios are made of the figures beside them, so they agree.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable
from typing import Any

from tapeline.core.types import NS_PER_S
from tapeline.sim.clock import NEW_YORK, new_york_day
from tapeline.sim.company import INSIDER_DAYS, INSIDERS, REPORT_TIME, Company, epoch_s, moment_s
from tapeline.sim.faults import draw
from tapeline.sim.filings import DESCRIPTIONS, cik_of, filings_of

GAPS = 0.03
"""Fraction of fields that a company lacks for no reason that anybody could see."""

Fields = dict[str, Any]


def asset_profile(company: Company, _: int) -> Fields:
    """Return what the company does; every word of it is made."""
    site = company.symbol.lower().replace(".", "-")
    of = f" in {company.industry}" if company.industry else ""
    sales = company.trailing.get("TotalRevenue")
    return {
        "sector": company.sector or None,
        "industry": company.industry or None,
        "country": "United States",
        "website": f"https://www.{site}.example",
        "fullTimeEmployees": round(sales / (150_000 + 400_000 * draw(company.key, "staff"))) if sales else None,
        "longBusinessSummary": f"{company.name} does business{of}. This description is simulated.",
        "companyOfficers": [{"maxAge": 1, "name": name.title(), "title": title} for name, title in INSIDERS[:3]],
    }


def price(company: Company, now_ns: int) -> Fields:
    """Return the price and what it makes the company worth."""
    return {
        "symbol": company.symbol,
        "shortName": company.name,
        "longName": company.name,
        "quoteType": "EQUITY",
        "currency": "USD",
        "currencySymbol": "$",
        "exchange": "NYQ",
        "exchangeName": "NYSE",
        "regularMarketPrice": _money(company.price),
        "regularMarketPreviousClose": _money(company.year_closes[-1]),
        "regularMarketTime": now_ns // NS_PER_S,
        "marketCap": _whole(company.market_cap),
    }


def quote_type(company: Company, _: int) -> Fields:
    """Return what kind of thing the symbol is."""
    return {
        "symbol": company.symbol,
        "quoteType": "EQUITY",
        "shortName": company.name,
        "longName": company.name,
        "exchange": "NYQ",
        "timeZoneFullName": "America/New_York",
        "timeZoneShortName": "EDT",
    }


def summary_detail(company: Company, _: int) -> Fields:
    """Return valuation and dividends."""
    dividend = _dividend(company)
    sales = company.trailing.get("TotalRevenue")
    return {
        "previousClose": _money(company.year_closes[-1]),
        "marketCap": _whole(company.market_cap),
        "trailingPE": _ratio(company.price, company.eps) if company.eps > 0 else None,
        "forwardPE": _ratio(company.price, _forward_eps(company)) if _forward_eps(company) > 0 else None,
        "priceToSalesTrailing12Months": _ratio(company.market_cap, sales),
        "dividendRate": _money(dividend) if dividend else None,
        "dividendYield": _ratio(dividend, company.price) if dividend else None,
        "payoutRatio": _ratio(dividend, company.eps) if company.eps > 0 else None,
        "fiftyTwoWeekHigh": _money(max(company.year_closes)),
        "fiftyTwoWeekLow": _money(min(company.year_closes)),
        "beta": round(0.4 + 1.2 * draw(company.key, "beta"), 3),
        "currency": "USD",
    }


def key_statistics(company: Company, _: int) -> Fields:
    """Return shares, book value and enterprise value."""
    lines = company.trailing
    book = lines["StockholdersEquity"] / company.shares if lines else math.nan
    worth = company.market_cap + lines["NetDebt"] if lines and company.price == company.price else math.nan
    growth = _growth(company, "NetIncome")
    ratio = company.price / company.eps if company.eps > 0 else math.nan
    return {
        "sharesOutstanding": company.shares,
        "floatShares": int(company.shares * (0.85 + 0.14 * draw(company.key, "float"))),
        "heldPercentInsiders": round(0.12 * draw(company.key, "held") ** 2, 5),
        "shortRatio": round(1 + 7 * draw(company.key, "short"), 2),
        "bookValue": _money(book),
        "priceToBook": _ratio(company.price, book) if book > 0 else None,
        "enterpriseValue": _whole(worth),
        "enterpriseToRevenue": _ratio(worth, lines.get("TotalRevenue")),
        "enterpriseToEbitda": _ratio(worth, lines.get("EBITDA")) if lines.get("EBITDA", 0) > 0 else None,
        "trailingEps": _money(company.eps),
        "forwardEps": _money(_forward_eps(company)),
        "pegRatio": _ratio(ratio, 100 * growth) if growth > 0 else None,
        "netIncomeToCommon": lines.get("NetIncome"),
        "profitMargins": _ratio(lines.get("NetIncome"), lines.get("TotalRevenue")),
        "mostRecentQuarter": epoch_s(company.published[-1].end) if company.published else None,
        "lastFiscalYearEnd": epoch_s(dt.date(company.years[-1][0], 12, 31)) if company.years else None,
    }


def financial_data(company: Company, _: int) -> Fields:
    """Return margins, growth, cash and debt, and the analysts' targets."""
    lines, analysts = company.trailing, company.analysts
    sales = lines.get("TotalRevenue")
    return {
        "currentPrice": _money(company.price),
        "targetHighPrice": analysts.target_high if analysts else None,
        "targetLowPrice": analysts.target_low if analysts else None,
        "targetMeanPrice": analysts.target_mean if analysts else None,
        "targetMedianPrice": analysts.target_median if analysts else None,
        "recommendationMean": analysts.mean_rating if analysts else None,
        "recommendationKey": _verdict(analysts.mean_rating) if analysts else "none",
        "numberOfAnalystOpinions": analysts.count if analysts else None,
        "totalCash": lines.get("CashAndCashEquivalents"),
        "totalDebt": lines.get("TotalDebt"),
        "totalRevenue": sales,
        "revenuePerShare": _ratio(sales, company.shares),
        "grossProfits": lines.get("GrossProfit"),
        "ebitda": lines.get("EBITDA"),
        "operatingCashflow": lines.get("OperatingCashFlow"),
        "freeCashflow": lines.get("FreeCashFlow"),
        "currentRatio": _ratio(lines.get("CurrentAssets"), lines.get("CurrentLiabilities")),
        "debtToEquity": _ratio(100 * lines["TotalDebt"], lines["StockholdersEquity"]) if lines else None,
        "returnOnAssets": _ratio(lines.get("NetIncome"), lines.get("TotalAssets")),
        "returnOnEquity": _ratio(lines.get("NetIncome"), lines.get("StockholdersEquity")),
        "grossMargins": _ratio(lines.get("GrossProfit"), sales),
        "operatingMargins": _ratio(lines.get("OperatingIncome"), sales),
        "ebitdaMargins": _ratio(lines.get("EBITDA"), sales),
        "profitMargins": _ratio(lines.get("NetIncome"), sales),
        "revenueGrowth": _finite(round(_growth(company, "TotalRevenue"), 4)),
        "earningsGrowth": _finite(round(_growth(company, "NetIncome"), 4)),
        "financialCurrency": "USD",
    }


def recommendation_trend(company: Company, _: int) -> Fields | None:
    """Return how analysts have rated it in four months."""
    if company.analysts is None:
        return None
    names = ("strongBuy", "buy", "hold", "sell", "strongSell")
    months = enumerate(company.analysts.ratings)
    trend = [{"period": f"{-back}m" if back else "0m", **dict(zip(names, row, strict=True))} for back, row in months]
    return {"trend": trend}


def insider_transactions(company: Company, _: int) -> Fields | None:
    """Return what insiders have bought and sold, newest first."""
    if company.trades is None:
        return None
    rows = []
    for trade in company.trades:
        what = "Sale" if trade.is_sale else "Purchase"
        rows.append(
            {
                "filerName": trade.name,
                "filerRelation": trade.relation,
                "filerUrl": "",
                "moneyText": "",
                "transactionText": f"{what} at price {trade.price:.2f} per share.",
                "startDate": epoch_s(trade.day),
                "ownership": "D",
                "shares": trade.qty,
                "value": trade.value,
                "maxAge": 1,
            }
        )
    return {"transactions": rows}


def net_purchases(company: Company, _: int) -> Fields | None:
    """Return the insiders' trades of half a year, added up."""
    if company.trades is None:
        return None
    bought = [trade.qty for trade in company.trades if not trade.is_sale]
    sold = [trade.qty for trade in company.trades if trade.is_sale]
    held = round(company.shares * 0.12 * draw(company.key, "held") ** 2) or 1
    return {
        "period": f"{INSIDER_DAYS // 30}m",
        "buyInfoCount": len(bought),
        "buyInfoShares": sum(bought),
        "buyPercentInsiderShares": round(sum(bought) / held, 5),
        "sellInfoCount": len(sold),
        "sellInfoShares": sum(sold),
        "sellPercentInsiderShares": round(sum(sold) / held, 5),
        "netInfoCount": len(bought) + len(sold),
        "netInfoShares": sum(bought) - sum(sold),
        "netPercentInsiderShares": round((sum(bought) - sum(sold)) / held, 5),
        "totalInsiderShares": held,
    }


def calendar_events(company: Company, now_ns: int) -> Fields | None:
    """Return when the next results are due and what is expected of them, and the dates of dividends."""
    if company.due is None:
        return None
    _, day = company.due
    earnings: Fields = {"earningsDate": [moment_s(max(day, new_york_day(now_ns)), REPORT_TIME)]}
    if company.analysts is not None and len(company.published) >= 4:
        year_ago = company.published[-4]
        factor = 1 + min(max(_growth(company, "TotalRevenue"), -0.3), 0.5)
        expected, sales = company.eps_of(year_ago) * factor, year_ago.lines["TotalRevenue"] * factor
        width = max(0.02, 0.05 * abs(expected))
        earnings |= {
            "earningsAverage": round(expected, 2),
            "earningsLow": round(expected - width, 2),
            "earningsHigh": round(expected + width, 2),
            "revenueAverage": round(sales),
            "revenueLow": round(0.97 * sales),
            "revenueHigh": round(1.03 * sales),
        }
    found: Fields = {"earnings": earnings}
    if _dividend(company):
        last = company.published[-1].reported
        found["exDividendDate"] = epoch_s(last + dt.timedelta(days=10))
        found["dividendDate"] = epoch_s(last + dt.timedelta(days=32))
    return found


def earnings_history(company: Company, _: int) -> Fields | None:
    """Return how the last four quarters compared with what was expected; always in Yahoo's formatted form."""
    if not company.published or company.analysts is None:
        return None
    rows = []
    for back, part in enumerate(reversed(company.published[-4:])):
        actual, expected = company.eps_of(part), company.eps_expected(part)
        surprise = _finite((actual - expected) / abs(expected)) if expected else None
        row = {
            "epsActual": actual,
            "epsEstimate": expected,
            "epsDifference": round(actual - expected, 2),
            "surprisePercent": surprise if surprise is None else round(surprise, 4),
        }
        shown = {name: formatted(value) for name, value in row.items()}
        quarter = {"raw": epoch_s(part.end), "fmt": part.end.isoformat()}
        rows.append({"maxAge": 1, **shown, "quarter": quarter, "period": f"-{back + 1}q"})
    return {"history": rows[::-1]}


def sec_filings(company: Company, now_ns: int) -> Fields:
    """Return what has been filed with the SEC, newest first, and where."""
    now = dt.datetime.fromtimestamp(now_ns // NS_PER_S, NEW_YORK)
    base = f"https://www.sec.gov/Archives/edgar/data/{cik_of(company.symbol)}"
    rows = [
        {
            "date": filing.filed.isoformat(),
            "epochDate": moment_s(filing.filed, filing.time),
            "type": filing.form,
            "title": DESCRIPTIONS[filing.form],
            "edgarUrl": f"{base}/{filing.folder}/{filing.document}",
            "maxAge": 1,
        }
        for filing in filings_of(company, now.date(), now.time())
    ]
    return {"filings": rows}


MODULES: dict[str, Callable[[Company, int], Fields | None]] = {
    "assetProfile": asset_profile,
    "summaryProfile": asset_profile,
    "calendarEvents": calendar_events,
    "defaultKeyStatistics": key_statistics,
    "earningsHistory": earnings_history,
    "financialData": financial_data,
    "insiderTransactions": insider_transactions,
    "netSharePurchaseActivity": net_purchases,
    "price": price,
    "quoteType": quote_type,
    "recommendationTrend": recommendation_trend,
    "secFilings": sec_filings,
    "summaryDetail": summary_detail,
}


def module(name: str, company: Company, now_ns: int) -> Fields | None:
    """Return one module; None when the source has nothing of the kind. Some fields are missing here and there."""
    if (fields := MODULES[name](company, now_ns)) is None:
        return None
    kept = {}
    for field, value in fields.items():
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        is_lost = is_number and field not in _ALWAYS and draw(company.key, name, field, "gap") < GAPS
        kept[field] = None if is_lost else value
    return {"maxAge": 86_400, **kept}


_ALWAYS = frozenset({"regularMarketPrice", "regularMarketTime", "currentPrice", "sharesOutstanding", "marketCap"})


def formatted(value: object) -> object:
    """Return a number as Yahoo shows it to pages: raw and readable; {} for none."""
    if isinstance(value, bool) or not isinstance(value, int | float | None):
        return value
    return {} if value is None else {"raw": value, "fmt": f"{value:,.2f}"}


def _growth(company: Company, line: str) -> float:
    """Return the growth of the last four quarters over the four before, as a fraction; NaN from a loss."""
    now, before = company.trailing.get(line, 0), company.trailing_before.get(line, 0)
    return now / before - 1 if before > 0 else math.nan


def _forward_eps(company: Company) -> float:
    growth = _growth(company, "TotalRevenue")
    return company.eps * (1 + growth) if company.analysts is not None else math.nan


def _dividend(company: Company) -> float:
    """Return dollars a share over the last four quarters."""
    return -company.trailing.get("CashDividendsPaid", 0) / company.shares


def _verdict(mean: float) -> str:
    names = ("strong_buy", "buy", "hold", "underperform", "sell")
    return names[min(4, max(0, round(mean) - 1))]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _money(value: float) -> float | None:
    return _finite(round(value, 2))


def _whole(value: float) -> int | None:
    return round(value) if math.isfinite(value) else None


def _ratio(above: float | None, below: float | None) -> float | None:
    return _finite(round(above / below, 5)) if above is not None and below else None
