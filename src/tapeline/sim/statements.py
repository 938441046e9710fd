"""A made-up company's books, quarter by quarter: income, balance sheet and cash flow that agree to the dollar.

In: the terms of a business.  Out: ``Quarter`` items whose lines carry Yahoo's names.
Every balance sheet balances, every change of cash is the sum of its flows, and a year is the sum of its quarters.
Refuses nothing; a business that loses money issues stock, one that earns borrows.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from tapeline.sim.faults import draw

LEVELS = frozenset(
    {
        "CashAndCashEquivalents", "EndCashPosition", "AccountsReceivable", "Inventory", "CurrentAssets", "NetPPE",
        "OtherNonCurrentAssets", "TotalNonCurrentAssets", "TotalAssets", "AccountsPayable", "CurrentLiabilities",
        "LongTermDebt", "TotalDebt", "NetDebt", "TotalNonCurrentLiabilitiesNetMinorityInterest",
        "TotalLiabilitiesNetMinorityInterest", "StockholdersEquity", "CommonStockEquity",
        "TotalEquityGrossMinorityInterest", "WorkingCapital", "InvestedCapital",
    }
)  # fmt: skip
"""Lines that hold at the end of a period; all others add up over it."""

ENOUGH_CASH = 2.0
"""Quarters of revenue that a business keeps; what it has beyond goes into its own shares."""


@dataclass(frozen=True, slots=True)
class Terms:
    """How a business earns. Money in dollars, shares of revenue as fractions.

    Attributes
    ----------
    revenue
        Of the reference year, over four quarters.
    growth, season
        A year, and the shape of a year: four factors with a mean of 1.
    gross_margin, net_margin
        What is left after costs, and after everything.
    research
        Share of the operating expenses that is research.
    debt, cash, plant
        At the start, as fractions of a year's revenue.
    payout
        Fraction of the net income that is paid to shareholders.
    """

    key: str
    revenue: float
    growth: float
    season: tuple[float, float, float, float]
    gross_margin: float
    net_margin: float
    research: float
    debt: float
    cash: float
    plant: float
    payout: float
    tax: float = 0.33
    interest: float = 0.06


@dataclass(frozen=True, slots=True)
class Quarter:
    """Three months. ``lines`` are whole dollars by Yahoo's name; ``reported`` is the day they became known."""

    year: int
    quarter: int
    end: dt.date
    reported: dt.date
    lines: dict[str, int]


def quarters(terms: Terms, first_year: int, reference_year: int, count: int) -> tuple[Quarter, ...]:
    """Return the books of ``count`` quarters from the first of ``first_year`` on."""
    found: list[Quarter] = []
    balance = None
    for number in range(count):
        year, quarter = first_year + number // 4, number % 4
        years = year + quarter / 4 - reference_year
        noise = 0.96 + 0.08 * draw(terms.key, year, quarter, "revenue")
        revenue = round(terms.revenue / 4 * (1 + terms.growth) ** years * terms.season[quarter] * noise)
        if balance is None:
            balance = _opening(terms, revenue)
        lines = _income(terms, revenue, balance, draw(terms.key, year, quarter, "margin"))
        balance = _move(terms, lines, balance)
        end = dt.date(year + quarter // 3, (quarter + 1) % 4 * 3 + 1, 1) - dt.timedelta(days=1)
        found.append(Quarter(year, quarter + 1, end, _report_day(terms.key, end), {**lines, **balance}))
    return tuple(found)


def total(parts: Sequence[Quarter]) -> dict[str, int]:
    """Return the lines of a longer period: flows added up, levels of its end."""
    last = parts[-1].lines
    found = {name: last[name] if name in LEVELS else sum(part.lines[name] for part in parts) for name in last}
    return found | {"BeginningCashPosition": parts[0].lines["BeginningCashPosition"]}


def working_day(day: dt.date) -> dt.date:
    """Return the day itself, or the Monday after a weekend."""
    return day + dt.timedelta(days=7 - day.weekday()) if day.weekday() > 4 else day


def _report_day(key: str, end: dt.date) -> dt.date:
    return working_day(end + dt.timedelta(days=18 + int(draw(key, end, "report") * 20) + 8 * (end.month == 12)))


def _opening(terms: Terms, revenue: int) -> dict[str, int]:
    """Return the balance sheet before the first quarter; other assets make room for some equity."""
    year = 4 * revenue
    debt, cash, plant = round(terms.debt * year), round(terms.cash * year), round(terms.plant * year)
    owed = debt + round(0.3 * revenue)
    losses = round(-5 * min(terms.net_margin, 0.0) * year)
    other = max(0, round(1.6 * owed) - cash - plant) + year // 10 + losses
    return _balance(cash, round(0.5 * revenue), round(0.15 * revenue), plant, other, round(0.3 * revenue), debt)


def _income(terms: Terms, revenue: int, before: dict[str, int], luck: float) -> dict[str, int]:
    depreciation = before["NetPPE"] // 40
    cost = round(revenue * (1 - terms.gross_margin))
    interest = round(before["TotalDebt"] * terms.interest / 4)
    wanted = terms.net_margin / (1 - terms.tax * (terms.net_margin > 0)) + 0.04 * (luck - 0.5)
    expense = revenue - cost - interest - round(revenue * wanted)
    research = round(expense * terms.research)
    operating = revenue - cost - expense
    pretax = operating - interest
    tax = round(terms.tax * max(pretax, 0))
    net = pretax - tax
    return {
        "TotalRevenue": revenue,
        "OperatingRevenue": revenue,
        "CostOfRevenue": cost,
        "GrossProfit": revenue - cost,
        "ResearchAndDevelopment": research,
        "SellingGeneralAndAdministration": expense - research,
        "OperatingExpense": expense,
        "TotalExpenses": cost + expense,
        "OperatingIncome": operating,
        "EBIT": operating,
        "EBITDA": operating + depreciation,
        "ReconciledDepreciation": depreciation,
        "InterestExpense": interest,
        "PretaxIncome": pretax,
        "TaxProvision": tax,
        "NetIncome": net,
        "NetIncomeCommonStockholders": net,
        "NetIncomeContinuousOperations": net,
    }


def _move(terms: Terms, income: dict[str, int], before: dict[str, int]) -> dict[str, int]:
    """Return the balance sheet after a quarter and the cash flow that leads there."""
    revenue, cost, net = income["TotalRevenue"], income["CostOfRevenue"], income["NetIncome"]
    depreciation = income["ReconciledDepreciation"]
    receivable, stock, payable = round(0.5 * revenue), round(0.3 * cost), round(0.4 * cost)
    used = receivable - before["AccountsReceivable"] + stock - before["Inventory"] - payable + before["AccountsPayable"]
    operating = net + depreciation - used
    spent = round(depreciation * (1.0 + 4 * max(terms.growth, 0.0)))
    dividends = round(terms.payout * max(net, 0))
    cash = before["CashAndCashEquivalents"]
    left = cash + operating - spent - dividends
    raised, bought = max(0, round(0.2 * revenue) - left), max(0, left - round(ENOUGH_CASH * revenue))
    borrowed = raised if net > 0 else 0
    change = operating - spent - dividends + raised - bought
    plant = before["NetPPE"] + spent - depreciation
    debt = before["TotalDebt"] + borrowed
    flow = {
        "NetIncomeFromContinuingOperations": net,
        "DepreciationAndAmortization": depreciation,
        "ChangeInWorkingCapital": -used,
        "OperatingCashFlow": operating,
        "CapitalExpenditure": -spent,
        "InvestingCashFlow": -spent,
        "CashDividendsPaid": -dividends,
        "IssuanceOfDebt": borrowed,
        "IssuanceOfCapitalStock": raised - borrowed,
        "RepurchaseOfCapitalStock": -bought,
        "FinancingCashFlow": raised - bought - dividends,
        "ChangesInCash": change,
        "BeginningCashPosition": cash,
        "EndCashPosition": cash + change,
        "FreeCashFlow": operating - spent,
    }
    other = before["OtherNonCurrentAssets"]
    return {**_balance(cash + change, receivable, stock, plant, other, payable, debt), **flow}


def _balance(cash: int, receivable: int, stock: int, plant: int, other: int, payable: int, debt: int) -> dict[str, int]:
    current, lasting = cash + receivable + stock, plant + other
    equity = current + lasting - payable - debt
    return {
        "CashAndCashEquivalents": cash,
        "AccountsReceivable": receivable,
        "Inventory": stock,
        "CurrentAssets": current,
        "NetPPE": plant,
        "OtherNonCurrentAssets": other,
        "TotalNonCurrentAssets": lasting,
        "TotalAssets": current + lasting,
        "AccountsPayable": payable,
        "CurrentLiabilities": payable,
        "LongTermDebt": debt,
        "TotalDebt": debt,
        "NetDebt": debt - cash,
        "TotalNonCurrentLiabilitiesNetMinorityInterest": debt,
        "TotalLiabilitiesNetMinorityInterest": payable + debt,
        "StockholdersEquity": equity,
        "CommonStockEquity": equity,
        "TotalEquityGrossMinorityInterest": equity,
        "WorkingCapital": current - payable,
        "InvestedCapital": equity + debt,
    }
