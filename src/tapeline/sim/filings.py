"""What a company has filed with the SEC: annual and quarterly reports, news of results, insiders' trades.

In: a company as the public knows it.  Out: ``Filing`` items, newest first, and the text of each.
They say what ``company`` says: the same quarters on the same days, the same insiders. Refuses nothing.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from tapeline.sim.company import REPORT_TIME, Company, Trade
from tapeline.sim.faults import draw
from tapeline.sim.statements import Quarter, total, working_day

REPORT_DELAY_DAYS = 4
"""From the news of the results to the report that is filed."""
FILED_QUARTERS = 6
EVENING = dt.time(17, 5)
_LETTERS = "-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_MAX_SYMBOL = 6

DESCRIPTIONS = {"10-K": "Annual report", "10-Q": "Quarterly report", "8-K": "Current report", "4": "Ownership form 4"}


@dataclass(frozen=True, slots=True)
class Filing:
    """One filing.

    Attributes
    ----------
    accession
        The SEC's number with its two hyphens.
    filed, time
        When it was accepted, in New York.
    report
        The day that it reports on.
    items
        Of an 8-K: 2.02 is results of operations.
    """

    accession: str
    form: str
    filed: dt.date
    time: dt.time
    report: dt.date
    items: str
    document: str
    text: str

    @property
    def folder(self) -> str:
        """The accession number as it stands in addresses."""
        return self.accession.replace("-", "")


def cik_of(symbol: str) -> int:
    """Return the made-up number of a symbol's company, up to ten digits; ``symbol_of`` finds back."""
    number = 0
    for letter in symbol[:_MAX_SYMBOL]:
        number = number * (len(_LETTERS) + 1) + _LETTERS.index(letter) + 1
    return number


def symbol_of(cik: int) -> str:
    """Return the symbol that ``cik_of`` was given."""
    symbol = ""
    while cik > 0:
        cik, digit = divmod(cik, len(_LETTERS) + 1)
        symbol = (_LETTERS[digit - 1] if digit else "?") + symbol
    return symbol


def filings_of(company: Company, now_day: dt.date, now_time: dt.time) -> list[Filing]:
    """Return what has been filed by a moment in New York, newest first."""
    found = []
    for part in company.published[-FILED_QUARTERS:]:
        found += [_results(company, part), _report(company, part)]
    found += [_ownership(company, trade) for trade in company.trades or ()]
    seen = [filing for filing in found if (filing.filed, filing.time) <= (now_day, now_time)]
    return sorted(seen, key=lambda filing: (filing.filed, filing.time, filing.accession), reverse=True)


def _results(company: Company, part: Quarter) -> Filing:
    """Return the news of a quarter's results, on the day that it is known."""
    text = (
        f"{company.name} reports results for the quarter ended {part.end}: revenue of ${part.lines['TotalRevenue']:,}, "
        f"net income of ${part.lines['NetIncome']:,}, or ${company.eps_of(part):.2f} per share."
    )
    return _filing(company, "8-K", part.reported, REPORT_TIME, part.end, text, "2.02,9.01")


def _report(company: Company, part: Quarter) -> Filing:
    """Return the annual report for a year's last quarter, the quarterly report for the others."""
    is_year = part.quarter == 4
    parts = [other for other in company.published if other.year == part.year] if is_year else [part]
    lines = total(parts)
    shown = ("TotalRevenue", "OperatingIncome", "NetIncome", "OperatingCashFlow", "TotalAssets", "StockholdersEquity")
    period = f"year {part.year}" if is_year else f"quarter ended {part.end}"
    rows = "\n".join(f"{name}: ${lines[name]:,}" for name in shown)
    text = f"{company.name}. Report for the {period}.\n{rows}\nThe figures are simulated."
    filed = working_day(part.reported + dt.timedelta(days=REPORT_DELAY_DAYS))
    return _filing(company, "10-K" if is_year else "10-Q", filed, EVENING, part.end, text)


def _ownership(company: Company, trade: Trade) -> Filing:
    what = "sold" if trade.is_sale else "bought"
    text = f"{trade.name}, {trade.relation}, {what} {trade.qty:,} shares of {company.name} at ${trade.price:.2f}."
    return _filing(company, "4", trade.filed, EVENING, trade.day, text)


def _filing(
    company: Company, form: str, filed: dt.date, time: dt.time, report: dt.date, text: str, items: str = ""
) -> Filing:
    # The number follows from what is filed, so that later filings change none.
    number = int(draw(company.key, form, filed, report, text) * 1_000_000)
    agent = cik_of(company.symbol) % 10_000_000_000
    accession = f"{agent:010d}-{filed.year % 100:02d}-{number:06d}"
    name = f"{company.symbol.lower().replace('.', '')}-{report:%Y%m%d}-{form.lower()}.htm"
    return Filing(accession, form, filed, time, report, items, name, text)
