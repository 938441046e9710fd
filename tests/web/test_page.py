"""The page in a real browser: what a person sees while a node works."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.web.browser import Seen, needs_chromium, open_page
from tests.web.scripted import STAGES, TOKEN, WORLDLY, ScriptedView, some_dossier
from tests.web.served import Served, serve_view

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.fixture(scope="module")
def browser() -> Iterator[Seen]:
    """One browser for all tests here."""
    with open_page("") as seen:
        yield seen


@pytest.fixture
def served() -> Iterator[Served]:
    """A served node in the middle of the day."""
    view = ScriptedView()
    view.go_to(60)
    with serve_view(view) as served:
        yield served


@pytest.fixture
def seen(browser: Seen, served: Served) -> Iterator[Seen]:
    """The page of the served node; at the end nothing may have gone wrong in it."""
    browser.base_url = served.base_url
    yield browser
    browser.assert_calm()
    browser.page.goto("about:blank")
    browser.complaints.clear()


def test_tickers_move_through_the_stages_before_ones_eyes(seen: Seen, served: Served) -> None:
    seen.go("loop")
    seen.wait_for_text(".empty", "No run yet")
    for minute, stage in enumerate(STAGES, 61):
        served.do(lambda minute=minute: served.view.go_to(minute))  # type: ignore[misc]
        served.do(lambda stage=stage: served.view.enter("AAPL", stage, f"now {stage}"))  # type: ignore[misc]
        seen.wait_for_stage("AAPL", stage)
    assert "traded" in seen.page.locator(".funnel").inner_text()
    assert "AAPL: discovered" in seen.page.locator(".log li").last.inner_text()
    assert seen.page.locator(".tickers li .track i").count() == len(STAGES)


def test_a_fill_arrives_on_top_with_its_reason(seen: Seen, served: Served) -> None:
    served.do(lambda: served.view.fill("PG", "buy", 10.0, "the first"))
    seen.go("portfolio")
    assert len(seen.wait_for_fills(1)) == 1
    served.do(lambda: served.view.fill("AAPL", "buy", 40.0, WORLDLY))
    newest = seen.wait_for_fills(2)[0]
    assert "AAPL" in newest
    assert WORLDLY in newest
    assert "bridged" in newest
    seen.wait_for_text("tbody tr", "AAPL")


def test_the_map_fills_and_the_market_moves_on(seen: Seen, served: Served) -> None:
    seen.go("map")
    seen.wait_for_text(".breadth", "falling")
    assert seen.drawn_share() > 0.8
    before = seen.market_time()
    served.do(lambda: served.view.go_to(90))
    seen.wait_for_text(".time", "11:01:00")
    assert before == "10:31:00"
    assert seen.page.locator(".legend .label").inner_text() == "bridged"


def test_text_from_the_world_stays_text_on_the_symbol_page(seen: Seen, served: Served) -> None:
    sentence = "YouTube had no transcript: talk weighs less."
    dossier = some_dossier("AAPL", served.view.now_ns, degraded=(sentence,))
    served.view.dossiers["AAPL"] = dossier
    seen.go("symbol/AAPL")
    seen.wait_for_text(".headlines", WORLDLY)
    seen.wait_for_text(".answers", WORLDLY)
    seen.wait_for_text(".dossier .degraded", sentence)
    seen.wait_for_text(".verdict", "+0.08 from the model")
    assert seen.page.locator(".chart canvas").count() > 0
    assert seen.page.locator("#tv-attr-logo").count() == 1
    assert seen.page.evaluate("window.hurt") is None
    assert seen.page.locator("main img, main script").count() == 0


def test_slash_finds_a_symbol_by_keyboard_alone(seen: Seen) -> None:
    seen.go("scan")
    seen.wait_for_text(".scan tbody tr", "4 s")
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("brk")
    seen.wait_for_text("#found li", "BRK.B")
    seen.page.keyboard.press("Enter")
    seen.wait_for_text("h1", "BRK.B")


def test_a_company_is_found_by_its_name(seen: Seen) -> None:
    seen.go("scan")
    seen.wait_for_text(".scan tbody tr", "4 s")
    seen.page.keyboard.press("/")
    seen.page.keyboard.type("berkshire")
    seen.wait_for_text("#found li", "BRK.B")
    seen.page.keyboard.press("Escape")


def test_an_address_that_names_no_symbol_says_so_or_shows_the_map(seen: Seen) -> None:
    seen.go("symbol/AAPL")
    seen.wait_for_text("h1", "AAPL")
    seen.go("symbol/%")
    seen.wait_for_text(".symbolhead", "is not in this market")
    seen.complaints.clear()  # of the 404
    seen.go("symbol/")
    seen.wait_for_text(".breadth", "falling")


def test_a_headline_of_yesterday_has_its_day(seen: Seen, served: Served) -> None:
    seen.go("symbol/AAPL")
    seen.wait_for_text(".headlines li", "slides 3%")
    times = [text.rpartition(" · ")[2] for text in seen.page.locator(".headlines small").all_inner_texts()]
    assert any(text[0].isdigit() and "," in text for text in times)
    assert any("," not in text for text in times)


def test_a_run_is_started_with_the_token_and_a_wrong_one_is_explained(seen: Seen, served: Served) -> None:
    seen.go("loop")
    seen.page.get_by_role("button", name="Start a run").click()
    seen.page.get_by_label("Token of the node").fill("wrong")
    seen.page.get_by_role("button", name="Start", exact=True).click()
    seen.wait_for_text(".wrong", "run/node.json")
    assert [line for line in seen.complaints if "401" not in line] == []
    seen.complaints.clear()  # the browser itself writes a failed request to the console
    seen.page.get_by_label("Token of the node").fill(TOKEN)
    seen.page.get_by_label("Tickers at most").fill("3")
    seen.page.get_by_role("button", name="Start", exact=True).click()
    seen.wait_for_text(".said", "next minute")
    assert served.view.asked == [(3, None)]


def test_a_source_that_is_down_is_seen_in_plain_words(seen: Seen, served: Served) -> None:
    sentence = "Reddit does not answer since 14:12; discovery goes on with news alone."
    served.view.sources["reddit"] = sentence
    served.view.degraded = [sentence]
    seen.go("loop")
    seen.wait_for_text(".loopview .degraded li", sentence)
    seen.wait_for_text(".sources summary", "1 of 4 sources degraded")
    seen.page.locator(".sources summary").click()
    seen.wait_for_text(".sources li", sentence)


def test_a_node_that_starts_says_so(browser: Seen) -> None:
    with serve_view(ScriptedView()) as served:
        browser.base_url = served.base_url
        browser.go("map")
        browser.wait_for_text(".over", "getting ready")
        served.do(lambda: served.view.go_to(0))
        browser.wait_for_text(".breadth", "rising")
    browser.assert_calm()


def test_a_node_that_goes_and_comes_back_is_noticed_both_times(browser: Seen) -> None:
    view = ScriptedView()
    view.go_to(10)
    with serve_view(view) as served:
        browser.base_url, port = served.base_url, int(served.base_url.rpartition(":")[2])
        browser.go("portfolio")
        browser.wait_for_text(".state", "open")
    browser.wait_for_text(".notices", "Disconnected")
    view.go_to(11)
    with serve_view(view, port):
        browser.page.wait_for_selector("html:not(.lost)")
        browser.wait_for_text(".time", "09:42:00")
        browser.wait_for_text(".notices", "Connected again")
    browser.page.goto("about:blank")
    browser.complaints.clear()  # of the refused connections in between


@pytest.mark.parametrize(
    ("shown", "text"),
    [("map", "falling"), ("scan", "momentum"), ("loop", "AAPL"), ("portfolio", "AAPL"), ("symbol/AAPL", "Apple Inc.")],
)
def test_nothing_is_cut_off_on_a_telephone(seen: Seen, served: Served, shown: str, text: str) -> None:
    served.view.enter("AAPL", "queued")
    served.view.fill("AAPL", "buy", 40.0, "why")
    served.view.sources = {**served.view.sources, **{f"host {n}": "ok" for n in range(9)}, "reddit": "it is gone"}
    seen.page.set_viewport_size({"width": 390, "height": 844})
    try:
        seen.go(shown)
        seen.wait_for_text("main", text)
        assert not seen.is_wider_than_the_screen()
    finally:
        seen.page.set_viewport_size({"width": 1440, "height": 900})


def test_the_log_goes_on_when_the_node_lets_its_oldest_lines_go(seen: Seen, served: Served) -> None:
    served.do(lambda: served.view.enter("AAPL", "queued", "first"))
    seen.go("loop")
    seen.wait_for_text(".log li", "AAPL: queued, first")

    def age() -> None:
        served.view.log[:] = []
        served.view.say("a newer line")

    served.do(age)
    seen.wait_for_text(".log li", "a newer line")
    assert "first" not in seen.page.locator(".log").inner_text()
