"""The SEC's EDGAR: the list of companies, what each has filed, and the documents.

In: requests on the paths of www.sec.gov and data.sec.gov.  Out: their JSON and HTML.
Refuses a client that does not name itself in its user agent (403), and more than ten requests a second.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from html import escape
from typing import Any
from zoneinfo import ZoneInfo

from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.clock import NEW_YORK
from tapeline.sim.company import Company, Registry
from tapeline.sim.door import Ask, Reply
from tapeline.sim.filings import DESCRIPTIONS, Filing, cik_of, filings_of, symbol_of
from tapeline.sim.tape import Tape
from tapeline.sim.wire import WireError

_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class EdgarSite:
    """The answers of both hosts."""

    tape: Tape
    registry: Registry

    def companies(self, ask: Ask) -> Reply:
        """Answer ``/files/company_tickers.json``: every symbol of the market, spelt with hyphens."""
        _check_agent(ask)
        market = self.tape.market
        found = {
            str(number): {
                "cik_str": cik_of(symbol),
                "ticker": symbol.replace(".", "-"),
                "title": market.names[column] or symbol,
            }
            for number, (symbol, column) in enumerate(self.tape.columns.items())
        }
        return Reply(found, Label.SIMULATED)

    def submissions(self, ask: Ask) -> Reply:
        """Answer ``/submissions/CIK##########.json``."""
        _check_agent(ask)
        name = ask.path["name"]
        digits = name.removeprefix("CIK").removesuffix(".json")
        if name != f"CIK{digits}.json" or len(digits) != 10:
            raise WireError(404, "NoSuchKey")
        symbol, company = self._company(digits, ask)
        filings = [] if company is None else self._filings(company, ask)
        column = self.tape.columns[symbol]
        body = {
            "cik": digits.lstrip("0"),
            "entityType": "operating",
            "sicDescription": self.tape.market.industries[column],
            "name": self.tape.market.names[column] or symbol,
            "tickers": [symbol.replace(".", "-")],
            "exchanges": ["NYSE"],
            "fiscalYearEnd": "1231",
            "filings": {"recent": _columns(filings), "files": []},
        }
        return Reply(body, Label.SIMULATED)

    def document(self, ask: Ask) -> Reply:
        """Answer ``/Archives/edgar/data/{cik}/{accession}/{document}``."""
        _check_agent(ask)
        _, company = self._company(ask.path["cik"], ask)
        filings = [] if company is None else self._filings(company, ask)
        wanted = ask.path["accession"].replace("-", ""), ask.path["document"]
        filing = next((one for one in filings if (one.folder, one.document) == wanted), None)
        if filing is None or company is None:
            raise WireError(404, "Not Found")
        lines = "".join(f"<p>{escape(line)}</p>" for line in filing.text.split("\n"))
        title = escape(f"{company.name}: form {filing.form}")
        page = f"<html><head><title>{title}</title></head><body>{lines}</body></html>"
        return Reply(page.encode(), Label.SIMULATED, "text/html")

    def _company(self, digits: str, ask: Ask) -> tuple[str, Company | None]:
        symbol = symbol_of(int(digits)) if digits.isascii() and digits.isdigit() and len(digits) <= 10 else ""
        if symbol not in self.tape.columns or ask.loses(symbol):
            raise WireError(404, "NoSuchKey")
        return symbol, self.registry.company(symbol, ask.now_ns)

    def _filings(self, company: Company, ask: Ask) -> list[Filing]:
        now = dt.datetime.fromtimestamp(ask.now_ns // NS_PER_S, NEW_YORK)
        return filings_of(company, now.date(), now.time())


def refusal(error: WireError) -> object:
    """Return an error as the SEC's pages say it."""
    message = "Request Rate Threshold Exceeded" if error.status == 429 else error.message
    return f"<html><head><title>SEC.gov</title></head><body><p>{escape(message)}</p></body></html>".encode()


def _check_agent(ask: Ask) -> None:
    """Refuse whoever does not say who they are; the SEC wants a name and an address."""
    if "@" not in (agent := ask.headers.get("user-agent", "")) and "(" not in agent:
        raise WireError(403, "Your Request Originates from an Undeclared Automated Tool")


def _columns(filings: list[Filing]) -> dict[str, list[Any]]:
    moments = [dt.datetime.combine(filing.filed, filing.time, NEW_YORK).astimezone(_UTC) for filing in filings]
    return {
        "accessionNumber": [filing.accession for filing in filings],
        "filingDate": [filing.filed.isoformat() for filing in filings],
        "reportDate": [filing.report.isoformat() for filing in filings],
        "acceptanceDateTime": [f"{moment:%Y-%m-%dT%H:%M:%S}.000Z" for moment in moments],
        "act": ["34"] * len(filings),
        "form": [filing.form for filing in filings],
        "items": [filing.items for filing in filings],
        "size": [len(filing.text) for filing in filings],
        "isXBRL": [int(filing.form.startswith("10-")) for filing in filings],
        "primaryDocument": [filing.document for filing in filings],
        "primaryDocDescription": [DESCRIPTIONS[filing.form] for filing in filings],
    }
