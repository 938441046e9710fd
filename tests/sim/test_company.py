"""Companies as the public knows them: plausible, incomplete, and never ahead of their time."""

from __future__ import annotations

import datetime as dt
import math
from functools import cache

import pytest
from tests.sim.worlds import DAY, SYMBOLS, at, make_market, with_other_future

from tapeline.sim.clock import new_york_day
from tapeline.sim.company import Company, Registry
from tapeline.sim.market import CorporateAction, Market
from tapeline.sim.tape import Tape


@cache
def shipped() -> list[Company | None]:
    tape = Tape(Market.load(524))
    registry = Registry(tape, 7)
    return [registry.company(symbol, at("10:00")) for symbol in tape.columns]


def known() -> list[Company]:
    return [company for company in shipped() if company is not None]


def test_most_are_covered_and_some_lack_a_part_or_everything() -> None:
    companies = known()
    assert 15 < sum(company is None for company in shipped()) < 60
    assert 5 < sum(not company.published for company in companies) < 50
    assert 30 < sum(company.analysts is None for company in companies) < 130
    assert 20 < sum(company.trades is None for company in companies) < 100


def test_figures_are_plausible() -> None:
    with_books = [company for company in known() if company.published and company.price == company.price]
    assert all(1e8 < company.market_cap < 3e12 for company in with_books)
    earning = sorted(company.price / company.eps for company in with_books if company.eps > 0)
    assert 8 < earning[len(earning) // 10] < earning[-len(earning) // 10] < 60
    assert 0.01 < sum(company.eps < 0 for company in with_books) / len(with_books) < 0.2


def test_nothing_is_known_before_it_is_published() -> None:
    for company in known():
        assert all(part.reported <= DAY for part in company.published)
        assert len(company.years) in (0, 4)
        assert all(trade.filed <= DAY and trade.day < DAY for trade in company.trades or ())
        if company.due is not None:
            assert company.due[0] > company.published[-1].end
            assert company.due[1].weekday() < 5


def test_a_quarter_appears_on_the_morning_of_its_report() -> None:
    tape = Tape(Market.load(40))
    registry = Registry(tape, 7)
    symbol = next(symbol for symbol in tape.columns if (c := registry.company(symbol, at("10:00"))) and c.published)
    company = registry.company(symbol, at("10:00"))
    assert company is not None
    reported = company.published[-1].reported
    before, after = (registry.company(symbol, at(time, reported)) for time in ("06:59", "07:00"))
    assert before is not None
    assert after is not None
    assert len(after.published) == len(before.published) + 1 == len(company.published)


def test_insiders_trade_at_prices_of_their_day() -> None:
    market = Market.load(524)
    for company in known()[:100]:
        for trade in company.trades or ():
            close = market.daily["close"][market.row_of(trade.day), market.symbols.index(company.symbol)]
            assert trade.price == pytest.approx(close, abs=0.005)
            assert trade.value == round(trade.qty * trade.price)


def test_ratings_add_up_to_the_analysts_more_or_less() -> None:
    for company in known():
        if company.analysts is not None:
            assert company.analysts.target_low < company.analysts.target_mean < company.analysts.target_high
            assert all(abs(sum(month) - company.analysts.count) <= 2 for month in company.analysts.ratings)
            assert 1 <= company.analysts.mean_rating <= 5


@pytest.mark.parametrize("minute", [1, 60, 389])
def test_the_future_changes_nothing(minute: int) -> None:
    market = make_market()
    now_ns = at("09:30") + minute * 60 * 10**9
    here, there = (Registry(Tape(m), 7) for m in (market, with_other_future(market, minute)))
    for symbol in SYMBOLS:
        ours, theirs = here.company(symbol, now_ns), there.company(symbol, now_ns)
        if ours is not None:
            assert repr(ours) == repr(theirs)


def test_a_split_makes_more_shares_and_the_same_company() -> None:
    whole = Registry(Tape(make_market()), 7).company("IBM", at("09:00"))
    actions = (CorporateAction("IBM", DAY, "split", 0.5, ""),)
    split = Registry(Tape(make_market(actions=actions)), 7).company("IBM", at("09:00"))
    assert whole is not None
    assert split is not None
    assert split.shares == pytest.approx(2 * whole.shares, rel=1e-6)
    assert split.published == whole.published


def test_a_symbol_that_the_market_has_not_is_no_company() -> None:
    assert Registry(Tape(make_market()), 7).company("NONE", at("09:00")) is None


def test_without_books_there_is_no_profit_rather_than_none_at_all() -> None:
    company = next(company for company in known() if not company.published)
    assert math.isnan(company.eps)
    assert (company.trailing, company.years, company.due) == ({}, (), None)
    assert new_york_day(at("09:00")) == dt.date(2010, 5, 6)
