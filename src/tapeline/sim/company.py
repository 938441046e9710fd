"""The facts of companies that do not exist behind tickers that do: books, shares, analysts, insiders, dates.

In: the tape, a symbol and the moment of asking.  Out: ``Company``, as the public knew it at that moment.
Everything is made from the seed and from past prices; prices times shares are the market's. Refuses to know what was
not published yet. Some companies lack some facts, and some have none: a reader has to live with that.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tapeline.core.types import NS_PER_S
from tapeline.sim.clock import new_york_day, new_york_ns
from tapeline.sim.faults import draw
from tapeline.sim.market import FIRST_MONTH
from tapeline.sim.statements import Quarter, Terms, quarters, total, working_day
from tapeline.sim.tape import CLOSE, Tape

REPORT_TIME = dt.time(7, 0)
"""Quarters are published before the opening bell."""
YEARS_BACK = 4
INSIDER_DAYS = 182
FILING_DELAY_DAYS = 2
BLOCK_DAYS = 30
NONE_AT_ALL, NO_BOOKS, NO_ANALYSTS, NO_INSIDERS = 0.05, 0.04, 0.15, 0.10
"""Fractions of companies that lack everything, or one kind of facts."""
INSIDERS = (
    ("WINTERS ADA", "Chief Executive Officer"),
    ("OKORO DANIEL", "Chief Financial Officer"),
    ("LINDGREN SARA", "Director"),
    ("MARCHETTI PAUL", "General Counsel"),
    ("BEAUMONT LEE", "Director"),
    ("TANAKA RUTH", "Officer"),
)


@dataclass(frozen=True, slots=True)
class Trade:
    """An insider's purchase or sale of ``qty`` shares for ``price`` dollars each."""

    day: dt.date
    filed: dt.date
    name: str
    relation: str
    is_sale: bool
    qty: int
    price: float

    @property
    def value(self) -> int:
        """Dollars, whole."""
        return round(self.qty * self.price)


@dataclass(frozen=True, slots=True)
class Analysts:
    """What analysts say: dollars a share, and how many say what, newest month first."""

    count: int
    target_low: float
    target_mean: float
    target_median: float
    target_high: float
    ratings: tuple[tuple[int, int, int, int, int], ...]
    """(strong buy, buy, hold, sell, strong sell) of this month and the three before."""

    @property
    def mean_rating(self) -> float:
        """1 is a strong buy, 5 a strong sell."""
        return round(sum((i + 1) * n for i, n in enumerate(self.ratings[0])) / sum(self.ratings[0]), 2)


@dataclass(frozen=True)
class Company:
    """One company on one day.

    Attributes
    ----------
    price
        Dollars; the newest there is.
    shares
        Outstanding.
    published
        Quarters that are known, oldest first; () where the source has no books.
    due
        The next quarter's end and the day its figures are expected; None without books.
    analysts, trades
        None where the source has none. Trades are an insider's, newest first; () is a source without any of late.
    """

    symbol: str
    name: str
    sector: str
    industry: str
    key: str
    price: float
    shares: int
    published: tuple[Quarter, ...]
    due: tuple[dt.date, dt.date] | None
    analysts: Analysts | None
    trades: tuple[Trade, ...] | None
    year_closes: tuple[float, ...]

    @property
    def market_cap(self) -> float:
        """Dollars, whole; NaN without a price."""
        return self.price * self.shares if self.price != self.price else float(round(self.price * self.shares))

    @cached_property
    def years(self) -> tuple[tuple[int, dict[str, int]], ...]:
        """Whole published years, oldest first, at most four: (year, lines)."""
        known = sorted({part.year for part in self.published})
        full = [(year, [part for part in self.published if part.year == year]) for year in known]
        return tuple((year, total(parts)) for year, parts in full if len(parts) == YEARS_BACK)[-4:]

    @cached_property
    def trailing(self) -> dict[str, int]:
        """The last four published quarters as one year; {} without."""
        return total(self.published[-4:]) if len(self.published) >= 4 else {}

    @cached_property
    def trailing_before(self) -> dict[str, int]:
        """The four quarters before those."""
        return total(self.published[-8:-4]) if len(self.published) >= 8 else {}

    @property
    def eps(self) -> float:
        """Dollars a share over the last four quarters; NaN without books."""
        return self.trailing["NetIncome"] / self.shares if self.trailing else float("nan")

    def eps_of(self, part: Quarter) -> float:
        """Dollars a share of one quarter."""
        return round(part.lines["NetIncome"] / self.shares, 2)

    def eps_expected(self, part: Quarter) -> float:
        """What analysts had expected of a quarter that is known by now."""
        surprise = 0.12 * draw(self.key, part.end, "surprise") - 0.045
        return round(self.eps_of(part) / (1 + surprise), 2)


class Registry:
    """Makes companies.

    Parameters
    ----------
    tape
        What can be seen.
    seed
        Chooses everything that prices do not decide.
    """

    def __init__(self, tape: Tape, seed: int) -> None:
        self._tape = tape
        self._seed = seed
        self._books: dict[tuple[str, int], tuple[Quarter, ...]] = {}

    def company(self, symbol: str, now_ns: int) -> Company | None:
        """Return what is known of a company, or None when the source knows nothing."""
        column = self._tape.columns.get(symbol)
        if column is None or draw(self._seed, symbol, "coverage") < NONE_AT_ALL:
            return None
        key = f"{self._seed}|{symbol}"
        closes = self._tape.closes(slice(None), now_ns)[:, column]
        traded = closes[~np.isnan(closes)]
        if not len(traded):
            return None
        market_cap = self._first_cap(column, key, now_ns)
        shares = max(1, round(market_cap / float(traded[0])))
        day = new_york_day(now_ns)
        published = self._published(key, market_cap, now_ns)
        market = self._tape.market
        return Company(
            symbol=symbol,
            name=market.names[column] or symbol,
            sector=market.sectors[column],
            industry=market.industries[column],
            key=key,
            price=price_of(self._tape, column, now_ns),
            shares=shares,
            published=published,
            due=_due(key, published),
            analysts=self._analysts(key, column, now_ns),
            trades=self._trades(key, column, shares, day, now_ns),
            year_closes=tuple(float(close) for close in traded[-252:]),
        )

    def _first_cap(self, column: int, key: str, now_ns: int) -> float:
        """Return what the company was worth at the start, from how much of it changed hands."""
        daily, month = self._tape.market.daily, slice(0, min(FIRST_MONTH, self._tape.past_rows(now_ns)))
        dollars = daily["close"][month, column] * daily["volume"][month, column]
        a_day = float(np.nanmean(dollars)) if not np.isnan(dollars).all() else 2e7
        return a_day / (0.003 + 0.009 * draw(key, "turnover"))

    def _published(self, key: str, market_cap: float, now_ns: int) -> tuple[Quarter, ...]:
        if draw(key, "books") < NO_BOOKS:
            return ()
        first = self._tape.market.sessions[0].year
        count = 4 * (new_york_day(now_ns).year - first + YEARS_BACK + 1)
        if (key, count) not in self._books:
            self._books[key, count] = quarters(_terms(key, market_cap), first - YEARS_BACK, first, count)
        known = self._books[key, count]
        return tuple(part for part in known if new_york_ns(part.reported, REPORT_TIME) <= now_ns)

    def _analysts(self, key: str, column: int, now_ns: int) -> Analysts | None:
        """Return opinions that rest on the last close of the month before."""
        if draw(key, "analysts") < NO_ANALYSTS:
            return None
        today = new_york_day(now_ns)
        past = self._tape.past_rows(now_ns)
        sessions = self._tape.market.sessions[:past]
        row = max(
            (i for i, day in enumerate(sessions) if (day.year, day.month) < (today.year, today.month)), default=-1
        )
        closes = self._tape.closes(slice(None), now_ns)[: row + 1, column]
        closes = closes[~np.isnan(closes)]
        if not len(closes):
            return None
        close = float(closes[-1])
        mean = close * (0.92 + 0.40 * draw(key, today.year, today.month // 3, "target"))
        spread = 0.08 + 0.22 * draw(key, "spread")
        low, high, median = mean * (1 - spread), mean * (1 + 1.2 * spread), mean * 0.995
        count = 3 + int(26 * draw(key, "count"))
        ratings = tuple(_ratings(key, count, today.year * 12 + today.month - back) for back in range(4))
        return Analysts(count, round(low, 2), round(mean, 2), round(median, 2), round(high, 2), ratings)

    def _trades(self, key: str, column: int, shares: int, today: dt.date, now_ns: int) -> tuple[Trade, ...] | None:
        if draw(key, "insiders") < NO_INSIDERS:
            return None
        last = today.toordinal() // BLOCK_DAYS
        found = []
        for block in range(last - INSIDER_DAYS // BLOCK_DAYS - 1, last + 1):
            for number in range(int(3 * draw(key, block, "trades"))):
                trade = self._trade((key, block, number), block, column, shares, now_ns)
                if trade is not None and (today - trade.day).days <= INSIDER_DAYS and trade.filed <= today:
                    found.append(trade)
        return tuple(sorted(found, key=lambda trade: (trade.day, trade.name, trade.qty), reverse=True))

    def _trade(self, key: tuple[object, ...], block: int, column: int, shares: int, now_ns: int) -> Trade | None:
        """Return an insider's trade, or None on a day without a session that is over."""
        day = dt.date.fromordinal(block * BLOCK_DAYS + int(BLOCK_DAYS * draw(*key, "day")))
        market = self._tape.market
        if day not in market.sessions[: self._tape.past_rows(now_ns)]:
            return None
        price = float(market.daily["close"][market.row_of(day), column])
        if price != price:
            return None
        name, relation = INSIDERS[int(draw(*key, "who") * len(INSIDERS))]
        qty = max(100, round(shares * 1e-5 * (0.05 + 2 * draw(*key, "qty") ** 3), -2))
        filed = day + dt.timedelta(days=FILING_DELAY_DAYS)
        return Trade(day, filed, name, relation, draw(*key, "side") < 0.65, int(qty), round(price, 2))


def price_of(tape: Tape, column: int, now_ns: int) -> float:
    """Return a symbol's newest price: today's, or the previous session's close; NaN where it traded in neither."""
    today = tape.today(now_ns)
    if today is not None and not np.isnan(today[CLOSE, column]):
        return float(today[CLOSE, column])
    past = tape.closes(slice(-1, None), now_ns)
    return float(past[0, column]) if len(past) else float("nan")


def epoch_s(day: dt.date) -> int:
    """Return the midnight UTC of a date as an epoch second, as Yahoo writes dates."""
    return (day - dt.date(1970, 1, 1)).days * 86_400


def moment_s(day: dt.date, time: dt.time) -> int:
    """Return a New York time as an epoch second."""
    return new_york_ns(day, time) // NS_PER_S


def _terms(key: str, market_cap: float) -> Terms:
    """Return the business of a company that is worth ``market_cap`` dollars."""
    margin = 0.02 + 0.20 * draw(key, "margin")
    ratio = 9 + 24 * draw(key, "pe")
    sales = ratio * margin
    if draw(key, "loses") < 0.08:
        margin, sales = -0.15 * draw(key, "loss"), 0.4 + 2 * draw(key, "sales")
    swing = 0.12 * draw(key, "season")
    debt = 0.8 * draw(key, "debt") ** 2
    season = (1 - swing, 1 - swing / 3, 1 + swing / 3, 1 + swing)
    return Terms(
        key=key,
        revenue=market_cap / sales,
        growth=-0.06 + 0.24 * draw(key, "growth"),
        season=season,
        gross_margin=min(0.85, max(margin, 0) / 0.67 + 0.06 * debt + 0.12 + 0.3 * draw(key, "gross")),
        net_margin=margin,
        research=0.4 * draw(key, "research") if draw(key, "science") < 0.4 else 0.0,
        debt=debt,
        cash=0.05 + 0.35 * draw(key, "cash"),
        plant=0.1 + 0.6 * draw(key, "plant"),
        payout=0.6 * draw(key, "payout") if draw(key, "pays") < 0.7 else 0.0,
    )


def _due(key: str, published: tuple[Quarter, ...]) -> tuple[dt.date, dt.date] | None:
    """Return the end of the next quarter and when it is expected: about as long after its end as the last one."""
    if not published:
        return None
    last = published[-1]
    month = last.end.month % 12 + 3
    year = last.end.year + (last.end.month == 12)
    end = dt.date(year + month // 12, month % 12 + 1, 1) - dt.timedelta(days=1)
    return end, working_day(end + dt.timedelta(days=22 + int(draw(key, end, "due") * 12)))


def _ratings(key: str, count: int, month: int) -> tuple[int, int, int, int, int]:
    """Return how ``count`` analysts are split, drifting slowly over the months."""
    mood = draw(key, "mood") + 0.1 * (draw(key, month, "drift") - 0.5)
    strong, buy = round(count * 0.4 * mood), round(count * 0.4 * mood)
    sell = round(count * 0.2 * (1 - mood))
    hold = max(0, count - strong - buy - sell)
    return strong, buy, hold, sell, max(0, count - strong - buy - hold - sell)
