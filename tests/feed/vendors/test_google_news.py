"""Google News: text from the world, read with suspicion."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.sax.saxutils import escape

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feed.worlds import OPEN_NS, run

from tapeline.core.clock import LogicalClock
from tapeline.core.config import FeedConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import NS_PER_S, Headline, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Response
from tapeline.feed.vendors.google_news import MAX_ITEMS, MAX_TITLE, GoogleNews, clean_text, news_host, parse_rss

CONFIG = FeedConfig(retries=0)


def _item(title: str, age_s: float = 60, source: str = "Reuters", link: str = "https://example.org/1") -> str:
    moment = datetime.fromtimestamp(OPEN_NS / NS_PER_S - age_s, UTC)
    return (
        f"<item><title>{escape(title)}</title><link>{escape(link)}</link><guid isPermaLink='false'>x</guid>"
        f"<pubDate>{format_datetime(moment, usegmt=True)}</pubDate><description>&lt;b&gt;no&lt;/b&gt;</description>"
        f"<source url='https://example.org'>{escape(source)}</source></item>"
    )


def _rss(*items: str) -> bytes:
    head, tail = (
        "<?xml version='1.0'?><rss version='2.0'><channel><title>A</title>",
        "</channel></rss>",
    )
    return f"{head}{''.join(items)}{tail}".encode()


def _response(body: bytes) -> Response:
    return Response(200, {}, body, OPEN_NS)


def _fetch(body: bytes, headers: dict[str, str] | None = None) -> tuple[Outcome[tuple[Headline, ...]], list[str]]:
    asked: list[str] = []

    def handler(request: httpx2.Request) -> httpx2.Response:
        asked.append(str(request.url))
        return httpx2.Response(200, headers=headers or {}, content=body)

    async def main(clock: LogicalClock) -> Outcome[tuple[Headline, ...]]:
        host = news_host(CONFIG, clock)
        async with Gateway([host], config=CONFIG, clock=clock, transport=httpx2.MockTransport(handler)) as gateway:
            news = GoogleNews(gateway, CONFIG.news, clock=clock)
            first = await news.fetch_headlines("BRK.B")
            assert (await news.fetch_headlines("BRK.B")).kind is first.kind
            return first

    return run(main), asked


def test_headlines_come_newest_first_without_their_publisher_and_are_asked_for_once() -> None:
    body = _rss(_item("Old & good - Reuters", 600), _item("New - Reuters", 60), _item("New too - AP", 60, "AP"))
    outcome, asked = _fetch(body, {"X-Tapeline-Label": "simulated"})
    headlines = outcome.unwrap()
    assert [headline.title for headline in headlines] == ["New", "New too", "Old & good"]
    assert headlines[0] == Headline(
        "BRK.B", OPEN_NS - 60 * NS_PER_S, "New", "Reuters", "https://example.org/1", Label.SIMULATED
    )
    assert asked == ["https://news.google.com/rss/search?ceid=US%3Aen&gl=US&hl=en-US&q=BRK.B+stock"]


def test_what_is_not_yet_published_is_not_seen() -> None:
    outcome, _ = _fetch(_rss(_item("Tomorrow", -1), _item("Today", 0)))
    assert [headline.title for headline in outcome.unwrap()] == ["Today"]
    assert _fetch(_rss(_item("Tomorrow", -1)))[0].kind is Kind.NO_DATA


def test_only_old_headlines_are_stale_and_say_how_old() -> None:
    outcome, _ = _fetch(_rss(_item("Yesterday", CONFIG.news.max_age_s + 3_600)))
    assert outcome.kind is Kind.STALE
    assert "25.0 h old" in outcome.reason


def test_an_empty_feed_is_no_data_and_no_feed_is_an_error() -> None:
    assert _fetch(_rss())[0].kind is Kind.NO_DATA
    assert _fetch(b"<html><body>consent</body></html>")[0].kind is Kind.ERROR


BOMB = b"""<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<rss><channel><item><title>&b;</title></item></channel></rss>"""
OUTSIDE = b"""<!DOCTYPE rss [<!ENTITY f SYSTEM "file:///etc/passwd">]><rss><channel/></rss>"""


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (BOMB, "declares a document type"),
        (OUTSIDE, "declares a document type"),
        (b'<!DOCTYPE rss SYSTEM "http://example.org/x.dtd"><rss><channel/></rss>', "declares a document type"),
        (b"<rss><channel>&nbsp;</channel></rss>", "no XML"),
        (b"", "no XML"),
        (b"<rss><channel><item>", "no XML"),
        (b"\x00\x01", "no XML"),
        (b"<feed><channel/></feed>", "no RSS"),
        (b"<rss><channel>" + b"<a>" * 50 + b"</a>" * 50 + b"</channel></rss>", "nested deeper"),
        (_rss("<item/>" * (MAX_ITEMS + 1)), "more than"),
    ],
)
def test_a_document_without_reason_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        parse_rss(_response(body))


@pytest.mark.parametrize(
    "item",
    [
        "<item><title>No date</title></item>",
        "<item><title>Bad date</title><pubDate>soon</pubDate></item>",
        "<item><pubDate>Thu, 06 May 2010 13:00:00 GMT</pubDate></item>",
        "<item><title>\u200b\u202e</title><pubDate>Thu, 06 May 2010 13:00:00 GMT</pubDate></item>",
        "<a><item><title>Elsewhere</title><pubDate>Thu, 06 May 2010 13:00:00 GMT</pubDate></item></a>",
    ],
)
def test_an_item_without_a_title_or_a_date_is_no_headline(item: str) -> None:
    assert parse_rss(_response(_rss(item))).items == ()


def test_items_outside_a_channel_are_not_read() -> None:
    body = b"<rss><other><item><title>x</title></item></other><channel/></rss>"
    assert parse_rss(_response(body)).items == ()


@pytest.mark.parametrize("link", ["javascript:alert(1)", "file:///etc/passwd", "https://a b", "https://" + "a" * 3_000])
def test_an_address_that_no_browser_should_open_is_left_out(link: str) -> None:
    assert parse_rss(_response(_rss(_item("Title", link=link)))).items[0].url == ""


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Up\u200b\u200c\u2060 10\u202e%", "Up 10%"),
        ("ＡＡＰＬ ﬁnds", "AAPL finds"),
        ("two\nlines\tand\u00a0a\u2003space", "two lines and a space"),
        ("\x1b[31mred\x00", "[31mred"),
        ("tags\U000e0041\U000e0042 hidden", "tags hidden"),
    ],
)
def test_text_is_what_a_person_sees(text: str, clean: str) -> None:
    assert clean_text(text, 100) == clean


@given(text=st.text(max_size=2_000))
def test_any_text_becomes_one_bounded_line_and_stays_so(text: str) -> None:
    clean = clean_text(text, MAX_TITLE)
    assert len(clean) <= MAX_TITLE
    assert clean == clean_text(clean, MAX_TITLE)
    assert not any(c in clean for c in "\n\r\t\x00\u200b\u202e")


@given(body=st.binary(max_size=300))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    for candidate in (body, b"<rss><channel>" + body + b"</channel></rss>"):
        with contextlib.suppress(BadMessage):
            assert isinstance(parse_rss(_response(candidate)).items, tuple)
