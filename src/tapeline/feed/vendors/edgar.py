"""SEC EDGAR: what a company has filed.

In: a symbol.  Out: outcome of ``Filing``s, newest first.
Refuses filings that were accepted after the moment of asking, and lists whose columns differ in length.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, Struct, field

from tapeline.core.clock import Clock
from tapeline.core.config.feed import EdgarConfig, FeedConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter
from tapeline.feed.vendors.google_news import clean_text

DATA_HOST = "edgar"
FILES_HOST = "edgar.files"
FORMS = ("10-K", "10-Q", "8-K", "4")
"""Annual and quarterly reports, events, trades of insiders."""
MAX_FILINGS = 10
MAX_AGE_DAYS = 120.0
"""A quarter and a month: always one report."""
LIST_TTL_S = 86_400.0
TTL_S = 900.0

_PART = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$")
_PART = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$")
_Cik = Annotated[int, Meta(ge=1, lt=10_000_000_000)]


@dataclass(frozen=True, slots=True)
class Filing:
    """One filing. ``event_ns`` is when it was accepted; ``items`` are the events of an 8-K by their numbers."""

    event_ns: int
    form: str
    description: str
    items: str
    report_day: str
    url: str
    label: Label


class _Company(Struct, frozen=True):
    """{"cik_str":320193,"ticker":"AAPL","title":"Apple Inc."}"""

    cik: _Cik = field(name="cik_str")
    ticker: str


class _Recent(Struct, frozen=True):
    """Columns, newest first."""

    accession: list[str] = field(name="accessionNumber")
    accepted: list[str] = field(name="acceptanceDateTime")
    form: list[str]
    report_day: list[str] = field(name="reportDate")
    document: list[str] = field(name="primaryDocument")
    description: list[str] = field(name="primaryDocDescription")
    items: list[str] = field(default_factory=list)


class _Filings(Struct, frozen=True):
    """{"recent":{...}}"""

    recent: _Recent


class _Submissions(Struct, frozen=True):
    """{"cik":"320193","name":"Apple Inc.","filings":{...}}"""

    filings: _Filings
    cik: int | str = ""


def edgar_hosts(config: FeedConfig, clock: Clock) -> tuple[Host, Host]:
    """Return EDGAR's data host and the one that has the list of companies; they count as one."""
    limiter = SlidingWindowLimiter(config.edgar.requests_per_minute, clock=clock)
    data = Host(DATA_HOST, config.edgar.base_url, limiter)
    return data, Host(FILES_HOST, config.edgar.files_url, limiter)


class Edgar:
    """Filings over the gateway.

    Parameters
    ----------
    gateway
        With the hosts of ``edgar_hosts``.
    config
        The name we go by, which the SEC's rules want.
    clock
        Tells what is the future.
    """

    name = "edgar"

    def __init__(self, gateway: Gateway, config: EdgarConfig, *, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._headers = {"user-agent": config.user_agent}

    async def fetch_filings(self, symbol: str, *, deadline_ns: int | None = None) -> Outcome[tuple[Filing, ...]]:
        """Fetch the filings of ``FORMS`` of the last ``MAX_AGE_DAYS``, newest first, at most ``MAX_FILINGS``.

        no_data when the SEC does not know the symbol or has nothing that is recent.
        """
        companies = await self._gateway.fetch(
            FILES_HOST,
            "/files/company_tickers.json",
            parse=parse_companies,
            headers=self._headers,
            ttl_s=LIST_TTL_S,
            deadline_ns=deadline_ns,
        )
        if companies.value is None:
            return companies.map(lambda _: ())
        cik = companies.value.get(symbol.replace(".", "-"))
        if cik is None:
            reason = f"the list of companies does not name {symbol}"
            return nothing(Kind.NO_DATA, source=self.name, reason=reason, as_of_ns=companies.as_of_ns)
        found = await self._gateway.fetch(
            DATA_HOST,
            f"/submissions/CIK{cik:010d}.json",
            parse=parse_submissions,
            headers=self._headers,
            ttl_s=TTL_S,
            deadline_ns=deadline_ns,
        )
        if found.value is None:
            return found
        now_ns = self._clock.now_ns()
        oldest_ns = now_ns - round(MAX_AGE_DAYS * 86_400) * NS_PER_S
        recent = tuple(f for f in found.value if f.form in FORMS and oldest_ns <= f.event_ns <= now_ns)[:MAX_FILINGS]
        if not recent:
            reason = f"{symbol} has filed nothing in {MAX_AGE_DAYS:g} days"
            return nothing(Kind.NO_DATA, source=self.name, reason=reason, as_of_ns=found.as_of_ns)
        return value_of(recent, source=self.name, as_of_ns=found.as_of_ns)


def parse_companies(response: Response) -> Mapping[str, int]:
    """Return ticker -> number of the company. Raises BadMessage for another shape."""
    return {company.ticker: company.cik for company in decode(response, dict[str, _Company]).values()}


def parse_submissions(response: Response) -> tuple[Filing, ...]:
    """Return the recent filings, newest first, then by form. Raises BadMessage for another shape or uneven columns."""
    company = decode(response, _Submissions)
    recent = company.filings.recent
    items = recent.items or [""] * len(recent.accession)
    columns = (recent.accepted, recent.form, recent.description, items, recent.report_day, recent.document)
    if any(len(column) != len(recent.accession) for column in columns):
        raise BadMessage("its columns differ in length")
    found = [
        Filing(
            event_ns=_accepted_ns(accepted),
            form=clean_text(form, 20),
            description=clean_text(description, 200),
            items=clean_text(item, 100),
            report_day=clean_text(report_day, 10),
            url=_url(str(company.cik), accession, document),
            label=response.label,
        )
        for accession, accepted, form, description, item, report_day, document in zip(
            recent.accession, *columns, strict=True
        )
    ]
    return tuple(sorted(found, key=lambda filing: (-filing.event_ns, filing.form, filing.url)))


def _url(cik: str, accession: str, document: str) -> str:
    """Return where a person finds the document; empty when its parts are not what such addresses are made of."""
    parts = (cik.lstrip("0"), accession.replace("-", ""), document)
    return f"https://www.sec.gov/Archives/edgar/data/{'/'.join(parts)}" if all(map(_PART.match, parts)) else ""


def _accepted_ns(text: str) -> int:
    """Return the moment of an ISO 8601 date and time with its zone."""
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise BadMessage(f"{text[:40]!r} is no moment") from None
    if moment.tzinfo is None:
        raise BadMessage(f"{text[:40]!r} has no zone")
    return int(moment.timestamp()) * NS_PER_S
