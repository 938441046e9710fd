"""A company's annual statements by Yahoo's time series, as facts with their units.

In: the answer to one question for all lines of all statements.  Out: ``Statements``, the facts and passages of a step.
Refuses fiscal years that end after the moment of asking, and growth from a year that was zero or a loss.
"""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import Struct, ValidationError, convert, field

from tapeline.core.errors import BadMessage
from tapeline.core.types import NS_PER_S, Label, Passage
from tapeline.feed.http import Response, decode

SOURCE = "yahoo"
PREFIX = "annual"
MAX_YEARS = 10

Facts = tuple[tuple[str, float], ...]


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a statement: the vendor's name, ours without the unit, its unit, whether its growth tells a thing."""

    vendor: str
    name: str
    unit: str = "usd"
    has_growth: bool = False


INCOME = (
    Line("TotalRevenue", "revenue", has_growth=True),
    Line("GrossProfit", "gross_profit"),
    Line("OperatingIncome", "operating_income", has_growth=True),
    Line("NetIncome", "net_income", has_growth=True),
    Line("EBITDA", "ebitda"),
    Line("InterestExpense", "interest_expense"),
    Line("ResearchAndDevelopment", "research"),
    Line("DilutedEPS", "diluted_eps"),
)
BALANCE = (
    Line("TotalAssets", "total_assets", has_growth=True),
    Line("TotalLiabilitiesNetMinorityInterest", "total_liabilities"),
    Line("StockholdersEquity", "equity", has_growth=True),
    Line("CashAndCashEquivalents", "cash"),
    Line("TotalDebt", "total_debt"),
    Line("CurrentAssets", "current_assets"),
    Line("CurrentLiabilities", "current_liabilities"),
    Line("Inventory", "inventory"),
    Line("OrdinarySharesNumber", "shares", unit="count"),
)
CASHFLOW = (
    Line("OperatingCashFlow", "operating_cash_flow", has_growth=True),
    Line("CapitalExpenditure", "capital_expenditure"),
    Line("FreeCashFlow", "free_cash_flow", has_growth=True),
    Line("RepurchaseOfCapitalStock", "buyback"),
    Line("CashDividendsPaid", "dividends_paid"),
)
TYPES = tuple(sorted(f"{PREFIX}{line.vendor}" for line in (*INCOME, *BALANCE, *CASHFLOW)))
"""Everything that is asked for, in one question."""


class _Reported(Struct, frozen=True):
    """{"raw":1.0,"fmt":"1"}"""

    raw: float | None = None


class _Entry(Struct, frozen=True):
    """{"asOfDate":"2009-12-31","periodType":"12M","currencyCode":"USD","reportedValue":{...}}"""

    day: dt.date = field(name="asOfDate")
    reported: _Reported = field(name="reportedValue")


class _Series(Struct, frozen=True):
    """{"result":[{"meta":{...},"timestamp":[...],"annualNetIncome":[...]}, ...],"error":null}"""

    result: list[dict[str, Any]] | None = None


class _Answer(Struct, frozen=True):
    """{"timeseries":{...}}"""

    timeseries: _Series


@dataclass(frozen=True, slots=True)
class Statements:
    """The vendor's name of a line -> fiscal year's end -> value; and where they come from."""

    lines: Mapping[str, Mapping[dt.date, float]]
    label: Label


def parse_statements(response: Response) -> Statements:
    """Return every line that was asked for and is there. Raises BadMessage for another shape."""
    lines: dict[str, dict[dt.date, float]] = {}
    for series in decode(response, _Answer).timeseries.result or []:
        for name in series.keys() & set(TYPES):
            try:
                entries = convert(series[name], list[_Entry | None])
            except ValidationError as error:
                raise BadMessage(f"{name}: {error}") from None
            years = {entry.day: entry.reported.raw for entry in entries if entry is not None}
            lines[name.removeprefix(PREFIX)] = {day: raw for day, raw in years.items() if raw is not None}
    return Statements(lines, response.label)


def years_of(statements: Statements, lines: Sequence[Line], now_ns: int) -> tuple[dt.date, ...]:
    """Return the fiscal years of which one of ``lines`` is known, by their end, newest first."""
    today = dt.datetime.fromtimestamp(now_ns // NS_PER_S, dt.UTC).date()
    ends = {day for line in lines for day in statements.lines.get(line.vendor, {}) if day <= today}
    return tuple(sorted(ends, reverse=True)[:MAX_YEARS])


def statement_facts(statements: Statements, lines: Sequence[Line], now_ns: int) -> Facts:
    """Return the newest year's lines, the growth of some in percent, and how many years there are."""
    years = years_of(statements, lines, now_ns)
    facts = [("fiscal_years_count", float(len(years)))]
    for line in lines:
        values = statements.lines.get(line.vendor, {})
        last, before = (values.get(year, math.nan) for year in (*years, *(dt.date.min,) * 2)[:2])
        facts.append((f"{line.name}_{line.unit}", last))
        if line.has_growth:
            facts.append((f"{line.name}_growth_pct", 100.0 * (last / before - 1.0) if before > 0 else math.nan))
    return tuple(facts)


def statement_passages(statements: Statements, lines: Sequence[Line], now_ns: int) -> tuple[Passage, ...]:
    """Return each year in words, newest first."""
    return tuple(
        Passage(SOURCE, _midnight_ns(year), _told(statements, lines, year), "", statements.label)
        for year in years_of(statements, lines, now_ns)
    )


def _told(statements: Statements, lines: Sequence[Line], year: dt.date) -> str:
    known = [(line, statements.lines.get(line.vendor, {}).get(year)) for line in lines]
    said = [f"{line.name.replace('_', ' ')} {_amount(value, line.unit)}" for line, value in known if value is not None]
    return f"Fiscal year to {year.isoformat()}: {', '.join(said)}"


def _amount(value: float, unit: str) -> str:
    """Return an amount as people say it."""
    spelled = "USD" if unit == "usd" else ""
    for size, word in ((1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return f"{value / size:.2f} {word} {spelled}".strip()
    return f"{value:g} {spelled}".strip()


def _midnight_ns(day: dt.date) -> int:
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC).timestamp()) * NS_PER_S
