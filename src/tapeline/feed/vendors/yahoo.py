"""Yahoo: a company's figures, statements, analysts, insiders and earnings dates, each as the evidence of one step.

In: a symbol.  Out: outcomes of ``Evidence``. Two questions a symbol serve all seven steps: steps that ask at the same
time share one answer.
Refuses to pass an empty description off as one: a step without a single known figure and without a passage is no data.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar
from urllib.parse import quote

from tapeline.core.clock import Clock
from tapeline.core.config.feed import FeedConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import DAY_S, NS_PER_S, Evidence, Label, Passage
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response
from tapeline.feed.limiter import SlidingWindowLimiter
from tapeline.feed.vendors import yahoo_statements as statements
from tapeline.feed.vendors import yahoo_summary as summary
from tapeline.feed.vendors.badge import UNAUTHORISED, Badge, Lent, Refusal, unless_refused

DATA_HOST = "yahoo"
COOKIE_HOST = "yahoo.cookie"
TTL_S = 900.0
"""How long one answer serves everyone: companies do not change by the minute."""
CRUMB_S = 3_600.0
YEARS = 6
"""Years of statements that are asked for; the vendor has four or five."""
_NOT_FOUND = 404

T = TypeVar("T")
Badging = tuple[str, str]
"""Crumb and cookie; each may be empty where the vendor wants none."""

_parse_summary = unless_refused(summary.parse_summary)
_parse_statements = unless_refused(statements.parse_statements)


def yahoo_hosts(config: FeedConfig, clock: Clock) -> tuple[Host, Host]:
    """Return Yahoo's data host and the one that gives its cookie; they count as one."""
    limiter = SlidingWindowLimiter(config.yahoo.requests_per_minute, clock=clock)
    data = Host(DATA_HOST, config.yahoo.base_url, limiter)
    return data, Host(COOKIE_HOST, config.yahoo.cookie_url, limiter)


class Yahoo:
    """Company data over the gateway. Every ``fetch_*`` takes a symbol and a deadline and returns one step's evidence.

    Parameters
    ----------
    gateway
        With the hosts of ``yahoo_hosts``.
    clock
        Tells what is the future, and when a crumb has run out.
    """

    name = "yahoo"

    def __init__(self, gateway: Gateway, *, clock: Clock) -> None:
        self._gateway = gateway
        self._clock = clock
        self._badge = Badge(self._obtain_crumb, clock=clock)

    async def fetch_fundamentals(self, symbol: str, deadline_ns: int | None = None) -> Outcome[Evidence]:
        """Fetch valuation, profitability and balance, and what the company does."""
        found = await self._summary(symbol, deadline_ns)
        if found.value is None:
            return _none(found)
        facts, passages = summary.fundamentals(found.value), summary.profile(found.value, self._clock.now_ns())
        return self._evidence("fundamentals", symbol, found, found.value.label, facts, passages)

    async def fetch_analysts(self, symbol: str, deadline_ns: int | None = None) -> Outcome[Evidence]:
        """Fetch price targets and recommendations."""
        found = await self._summary(symbol, deadline_ns)
        if found.value is None:
            return _none(found)
        return self._evidence("analyst_data", symbol, found, found.value.label, summary.analysts(found.value))

    async def fetch_insiders(self, symbol: str, deadline_ns: int | None = None) -> Outcome[Evidence]:
        """Fetch what insiders did with their shares; no_data when none is known to have done anything."""
        found = await self._summary(symbol, deadline_ns)
        if found.value is None:
            return _none(found)
        now_ns, label = self._clock.now_ns(), found.value.label
        trades = summary.insider_trades(found.value, now_ns)
        facts = summary.insiders(trades, now_ns) if trades else ()
        passages = summary.insider_passages(trades, label)
        return self._evidence("insider_activity", symbol, found, label, facts, passages)

    async def fetch_earnings(self, symbol: str, deadline_ns: int | None = None) -> Outcome[Evidence]:
        """Fetch the next earnings date, what is expected, and the last surprises."""
        found = await self._summary(symbol, deadline_ns)
        if found.value is None:
            return _none(found)
        now_ns = self._clock.now_ns()
        facts, passages = summary.earnings(found.value, now_ns), summary.earnings_passages(found.value, now_ns)
        return self._evidence("earnings_calendar", symbol, found, found.value.label, facts, passages)

    async def fetch_income(self, symbol: str, deadline_ns: int | None = None) -> Outcome[Evidence]:
        """Fetch the annual income statements."""
        return await self._statement("financial_history", statements.INCOME, symbol, deadline_ns)

    async def fetch_balance(self, symbol: str, deadline_ns: int | None = None) -> Outcome[Evidence]:
        """Fetch the annual balance sheets."""
        return await self._statement("balance_sheet", statements.BALANCE, symbol, deadline_ns)

    async def fetch_cashflow(self, symbol: str, deadline_ns: int | None = None) -> Outcome[Evidence]:
        """Fetch the annual cash flow statements."""
        return await self._statement("cashflow", statements.CASHFLOW, symbol, deadline_ns)

    async def _statement(
        self, step: str, lines: Sequence[statements.Line], symbol: str, deadline_ns: int | None
    ) -> Outcome[Evidence]:
        found = await self._statements(symbol, deadline_ns)
        if found.value is None:
            return _none(found)
        now_ns = self._clock.now_ns()
        if not statements.years_of(found.value, lines, now_ns):
            return nothing(Kind.NO_DATA, source=self.name, reason=f"no {step} of {symbol}", as_of_ns=found.as_of_ns)
        facts = statements.statement_facts(found.value, lines, now_ns)
        passages = statements.statement_passages(found.value, lines, now_ns)
        return self._evidence(step, symbol, found, found.value.label, facts, passages)

    def _evidence(
        self,
        step: str,
        symbol: str,
        found: Outcome[T],
        label: Label,
        facts: tuple[tuple[str, float], ...],
        passages: tuple[Passage, ...] = (),
    ) -> Outcome[Evidence]:
        if not passages and not any(math.isfinite(value) for _, value in facts):
            return nothing(Kind.NO_DATA, source=self.name, reason=f"no {step} of {symbol}", as_of_ns=found.as_of_ns)
        as_of_ns = found.as_of_ns or self._clock.now_ns()
        evidence = Evidence(step, symbol, self.name, as_of_ns, label, facts, passages)
        return value_of(evidence, source=self.name, as_of_ns=as_of_ns)

    async def _summary(self, symbol: str, deadline_ns: int | None) -> Outcome[summary.Summary]:
        name = vendor_symbol(symbol)
        params = {"modules": ",".join(summary.MODULES), "formatted": "false", "corsDomain": "finance.yahoo.com"}

        async def ask(badge: Badging) -> Outcome[summary.Summary | Refusal]:
            return await self._gateway.fetch(
                DATA_HOST,
                f"/v10/finance/quoteSummary/{name}",
                {**params, **_crumb_of(badge)},
                parse=_parse_summary,
                headers=_cookie_of(badge),
                ttl_s=TTL_S,
                deadline_ns=deadline_ns,
                circuit="summary",
                accept=frozenset({UNAUTHORISED}),
            )

        return await self._badge.use(ask)

    async def _statements(self, symbol: str, deadline_ns: int | None) -> Outcome[statements.Statements]:
        name = vendor_symbol(symbol)
        # Whole days, so that the question stays the same for a day.
        until_s = (self._clock.now_ns() // NS_PER_S // DAY_S + 1) * DAY_S
        params: dict[str, str | int] = {
            "symbol": name,
            "type": ",".join(statements.TYPES),
            "period1": until_s - YEARS * 366 * DAY_S,
            "period2": until_s,
        }

        async def ask(badge: Badging) -> Outcome[statements.Statements | Refusal]:
            return await self._gateway.fetch(
                DATA_HOST,
                f"/ws/fundamentals-timeseries/v1/finance/timeseries/{name}",
                {**params, **_crumb_of(badge)},
                parse=_parse_statements,
                headers=_cookie_of(badge),
                ttl_s=TTL_S,
                deadline_ns=deadline_ns,
                circuit="statements",
                accept=frozenset({UNAUTHORISED}),
            )

        return await self._badge.use(ask)

    async def _obtain_crumb(self) -> Outcome[Lent[Badging]]:
        """Obtain a cookie, and the crumb that goes with it."""
        cookie = await self._gateway.fetch(COOKIE_HOST, "/", parse=_parse_cookie, accept=frozenset({_NOT_FOUND}))
        if cookie.value is None:
            return nothing(cookie.kind, source=self.name, reason=cookie.reason, as_of_ns=cookie.as_of_ns)
        crumb = await self._gateway.fetch(
            DATA_HOST,
            "/v1/test/getcrumb",
            parse=_parse_crumb,
            headers=_cookie_of(("", cookie.value)),
            circuit="crumb",
        )
        return crumb.map(lambda text: Lent((text, cookie.value or ""), CRUMB_S))


def vendor_symbol(symbol: str) -> str:
    """Return a symbol in the vendor's spelling, fit for a path: a class of shares stands behind a hyphen."""
    return quote(symbol.replace(".", "-"), safe="")


def _crumb_of(badge: Badging) -> dict[str, str]:
    return {"crumb": badge[0]} if badge[0] else {}


def _cookie_of(badge: Badging) -> dict[str, str]:
    return {"cookie": badge[1]} if badge[1] else {}


def _none(outcome: Outcome[T]) -> Outcome[Evidence]:
    return nothing(outcome.kind, source=Yahoo.name, reason=outcome.reason, as_of_ns=outcome.as_of_ns)


def _parse_cookie(response: Response) -> str:
    """Return name=value of the cookie that is set; the page itself is an error page, and of no interest."""
    cookie = response.headers.get("set-cookie", "").split(";", 1)[0].strip()
    if len(cookie) > 4_000 or not cookie.isprintable() or not cookie.isascii():
        raise BadMessage("its cookie cannot be put into a header")
    return cookie


def _parse_crumb(response: Response) -> str:
    crumb = response.body[:200].decode("ascii", "replace").strip()
    if not crumb or len(response.body) > 100 or not crumb.isprintable() or " " in crumb or "<" in crumb:
        raise BadMessage("it is no crumb")
    return crumb
