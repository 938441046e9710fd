"""Tables and numbers in a real browser: units, signs, what is missing, sorting, six thousand rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

import msgspec
import pytest
from tests.web.browser import Seen, needs_chromium, open_page
from tests.web.scripted import ScriptedView, some_dossier
from tests.web.served import Served, serve_view

from tapeline.loop.board import Tile

pytestmark = [pytest.mark.browser, needs_chromium]


READS = {
    "f.signed(-0.001)": "0.00",
    "f.num(-0.0004)": "0.00",
    "f.pct(-1.5)": "−1.50%",
    "f.pct(2)": "+2.00%",
    "f.pct(null)": "—",
    "f.num(NaN)": "—",
    "f.num(Infinity)": "—",
    "f.price(1234.5)": "1,234.50",
    "f.price(0.0421)": "0.0421",
    "f.price(0.00000731)": "0.00000731",
    "f.qty(0.00153)": "0.00153000",
    "f.qty(1200)": "1,200",
    "f.money(-1234.5)": "−$1,234.50",
    "f.gain(12)": "+$12.00",
    "f.compact(999990)": "1.0M",
    "f.measure('net_90d_usd', 191488)": ["net 90d", "$191,488"],
    "f.measure('drawdown_pct', -19.23)": ["drawdown", "−19.23%"],
    "f.measure('beta', null)": ["beta", "—"],
    "f.foretold('my_own').show(0.00012)": "+0.0001",
    "f.indicator('sma_20')": "SMA 20",
}
"""An expression over the page's formats -> what a person reads."""


class WideView(ScriptedView):
    """A node whose market has ``times`` as many symbols."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    def market(self) -> tuple[Tile, ...]:
        tiles = super().market()
        more = (
            msgspec.structs.replace(tile, symbol=f"{tile.symbol}-{n}", label="resampled")
            for n in range(1, self.times)
            for tile in tiles
        )
        return (*tiles, *more)


@pytest.fixture(scope="module")
def served() -> Iterator[Served]:
    """A served node in the middle of the day."""
    view = ScriptedView()
    view.go_to(60)
    with serve_view(view) as served:
        yield served


@pytest.fixture(scope="module")
def browser(served: Served) -> Iterator[Seen]:
    """One browser for all tests here."""
    with open_page(served.base_url) as seen:
        yield seen


@pytest.fixture
def seen(browser: Seen) -> Iterator[Seen]:
    """The page; at the end nothing may have gone wrong in it."""
    yield browser
    browser.assert_calm()


def texts(seen: Seen, selector: str) -> list[str]:
    """Return the texts of elements, in their order."""
    return seen.page.locator(selector).all_inner_texts()


def test_what_the_models_foretell_has_a_unit_and_digits_enough(seen: Seen) -> None:
    seen.go("scan")
    seen.wait_for_text(".scan tbody tr", "4 s")
    heads = texts(seen, ".scan thead th")
    assert [head for head in heads if "-day" in head] == [
        "5-day rank\n± pct. points",
        "10-day rank\n± pct. points",
        "10-day rise\nchance, %",
    ]
    at = next(i for i, head in enumerate(heads) if head.startswith("5-day"))
    silent, spoken = (seen.page.locator(f".scan tbody tr[aria-rowindex='{row}'] > *") for row in (2, 3))
    assert spoken.all_inner_texts()[at : at + 3] == ["−0.20", "+0.02", "65.3"]
    assert silent.all_inner_texts()[at : at + 3] == ["—", "—", "—"]
    assert "abstain" in (silent.nth(at).get_attribute("title") or "")


def test_a_number_reads_as_a_person_expects(seen: Seen) -> None:
    seen.go("scan")
    calls = ", ".join(READS)
    read = seen.page.evaluate(f"async () => {{ const f = await import('/js/format.js'); return [{calls}]; }}")
    assert dict(zip(READS, read, strict=True)) == READS


def test_a_price_that_is_missing_is_a_dash_that_says_why_and_comes_last(seen: Seen, served: Served) -> None:
    silent = sum(tile.price is None for tile in served.view.market())
    seen.go("symbols?sort=price&find=no+sector")
    seen.wait_for_text(".symbols tbody tr", "bridged")
    dashes = seen.page.locator(".symbols td[title^='It has not traded today']:nth-child(4)")
    assert 0 < dashes.count() <= silent
    prices = texts(seen, ".symbols tbody:not([aria-hidden]) td:nth-child(4)")
    known = [float(text.replace(",", "")) for text in prices if text != "—"]
    assert known == sorted(known)
    assert prices[len(known) :] == ["—"] * dashes.count()


def test_a_head_sorts_by_keyboard_and_the_address_keeps_it(seen: Seen) -> None:
    seen.go("symbols")
    seen.wait_for_text(".symbols tbody tr", "AAPL")
    head = seen.page.locator(".symbols thead th", has_text="Change")
    head.locator("button").focus()
    seen.page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert seen.page.url.endswith("#/symbols?sort=-change")
    best = texts(seen, ".symbols tbody th")[0]
    seen.page.locator(".symbols tbody th a").first.click()
    seen.wait_for_text("h1", best)
    seen.page.go_back()
    seen.wait_for_text(".symbols tbody th", best)
    assert texts(seen, ".symbols tbody th")[0] == best
    assert seen.page.locator("[aria-sort='descending']").inner_text().startswith("Change")


def test_a_word_narrows_the_table_and_a_link_to_it_opens_the_same(seen: Seen) -> None:
    seen.go("symbols")
    seen.page.get_by_label("Filter All symbols").fill("apple")
    seen.wait_for_text(".note[role=status]", "of 524 shown")
    assert "AAPL" in texts(seen, ".symbols tbody th")
    seen.page.reload()
    seen.wait_for_text(".note[role=status]", "of 524 shown")
    assert seen.page.get_by_label("Filter All symbols").input_value() == "apple"


def test_six_thousand_rows_draw_those_that_are_seen(seen: Seen) -> None:
    view = WideView(times=12)
    view.go_to(60)
    page = seen.page.context.new_page()
    with serve_view(view) as wide:
        page.goto(f"{wide.base_url}/#/symbols?sort=symbol")
        page.get_by_text("6,288, press").wait_for()
        rows = page.locator(".symbols tbody th")
        assert rows.first.inner_text() == "A"
        assert rows.count() < 80
        page.locator(".scroll.many").evaluate("(box) => box.scrollTo(0, box.scrollHeight)")
        page.get_by_text("ZMH-11").wait_for()
        assert rows.count() < 80
        assert page.locator(".symbols tbody tr[aria-rowindex='6289'] .label").inner_text() == "resampled"
        page.close()


def test_a_symbols_page_tells_what_the_scan_said_of_it(seen: Seen) -> None:
    seen.go("scan")
    seen.wait_for_text(".scan tbody tr", "4 s")
    silent, spoken = texts(seen, ".scan tbody th")[:2]
    seen.go(f"symbol/{spoken}")
    seen.wait_for_text(".facts.many", "−0.20 pp")
    seen.wait_for_text(".facts.many", "65.3%")
    seen.go(f"symbol/{silent}")
    seen.wait_for_text(".facts.many [title^='The models abstain']", "5-day rank")


@pytest.mark.parametrize(
    ("shown", "text", "labels"),
    [
        ("map", "unchanged", {"bridged"}),
        ("symbols", "AAPL", {"bridged"}),
        ("scan", "4 s", {"bridged"}),
        ("loop", "AAPL", {"simulated"}),
        ("portfolio", "AAPL", {"bridged", "simulated"}),
        ("symbol/AAPL", "Scorecard", {"bridged", "simulated"}),
    ],
)
def test_every_view_says_where_its_numbers_come_from(
    seen: Seen, served: Served, shown: str, text: str, labels: set[str]
) -> None:
    def happen() -> None:
        served.view.enter("AAPL", "traded", "no order: not held; there are no shorts")
        served.view.fill("AAPL", "buy", 40.0, "one voice; another")
        served.view.dossiers["AAPL"] = some_dossier("AAPL", served.view.now_ns)

    served.do(happen)
    seen.go(shown)
    seen.wait_for_text("main", text)
    assert set(texts(seen, "main .label")) == labels
    said = seen.page.locator("body").inner_text()
    assert not re.search(r"\b(NaN|undefined|null|Infinity|Invalid Date)\b", said)


def test_bars_of_days_are_real_where_the_minutes_are_bridged_inside_them(seen: Seen) -> None:
    seen.go("symbol/AAPL")
    seen.wait_for_text(".symbolview .panel > header", "bridged")
    seen.page.get_by_role("button", name="1 day").click()
    seen.wait_for_text(".symbolview .panel > header", "real")


def test_a_ticker_without_an_order_is_not_called_traded(seen: Seen, served: Served) -> None:
    served.do(lambda: served.view.enter("PG", "traded", "no order: not held; there are no shorts"))
    served.do(lambda: served.view.enter("GE", "traded", "bought 40 shares"))
    seen.go("loop")
    seen.wait_for_stage("PG", "traded")
    row = seen.page.locator(".tickers li[data-symbol='PG']")
    assert row.locator(".stage").inner_text() == "no order"
    assert row.locator(".detail").inner_text() == "not held; there are no shorts"
    assert seen.page.locator(".tickers li[data-symbol='GE'] .stage").inner_text() == "traded"


def test_the_skip_link_leads_to_the_content_and_not_to_another_view(seen: Seen) -> None:
    seen.go("portfolio")
    seen.wait_for_text(".figures", "Equity")
    seen.page.locator(".skip").evaluate("(link) => link.click()")
    assert seen.page.url.endswith("#/portfolio")
    assert seen.page.evaluate("document.activeElement.id") == "view"


def test_a_node_that_is_silent_for_too_long_is_asked_again(seen: Seen, served: Served) -> None:
    page = seen.page.context.new_page()
    page.clock.install()
    other = replace(seen, page=page)
    other.go("portfolio")
    other.wait_for_text(".state", "open")
    page.clock.fast_forward(31_000)
    other.wait_for_text(".notices", "Connected again")
    page.close()
