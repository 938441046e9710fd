"""News on the wire: well-formed RSS, whatever is in a name or a query."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.worlds import at, make_client, make_market

from tapeline.core.types import NS_PER_S
from tapeline.sim.news import Story
from tapeline.sim.rss import to_rss

MARKET = make_market()


def items(body: bytes) -> list[ET.Element]:
    return ET.fromstring(body).findall("./channel/item")


def test_an_item_has_googles_parts() -> None:
    story = Story(at("14:45"), "abc", "IBM plunges 5.0%", "Meridian Wire")
    (item,) = items(to_rss("IBM stock", [story], at("15:00")))
    assert [child.tag for child in item] == ["title", "link", "guid", "pubDate", "description", "source"]
    assert item.findtext("title") == "IBM plunges 5.0% - Meridian Wire"
    assert item.findtext("pubDate") == "Thu, 06 May 2010 18:45:00 GMT"
    assert item.findtext("source") == "Meridian Wire"


@given(st.text(max_size=30), st.text(alphabet="<>&'\"]]-!IBM é", max_size=30))
@settings(max_examples=60)
def test_any_query_and_any_name_make_well_formed_xml(query: str, name: str) -> None:
    body = to_rss(query, [Story(0, "g", f"{name} rises", name or "x")], 0)
    assert items(body)[0].findtext("title") == f"{name} rises - {name or 'x'}"


def test_a_search_for_a_symbol_finds_its_news_with_markup_escaped() -> None:
    client = make_client(MARKET, moment="15:59")
    answer = client.get("/rss/search?q=AAPL+stock&hl=en-US&gl=US&ceid=US:en")
    assert answer.headers["content-type"].startswith("application/xml")
    assert answer.headers["X-Tapeline-Label"] == "simulated"
    titles = [item.findtext("title") or "" for item in items(answer.content)]
    assert any("Apple <Inc> (AAPL)" in title for title in titles)


def test_every_item_was_published_before_it_is_served() -> None:
    client = make_client(MARKET, moment="12:00")
    for item in items(client.get("/rss/search?q=IBM+stock").content):
        published = parsedate_to_datetime(item.findtext("pubDate") or "")
        assert published.timestamp() <= at("12:00") / NS_PER_S


def test_a_search_without_a_known_symbol_finds_the_market_or_nothing() -> None:
    client = make_client(MARKET, moment="15:59")
    assert items(client.get("/rss/search?q=NONE+stock").content) == []
    market = client.get(f"/rss/search?q={quote('stock market today')}")
    assert market.status_code == 200
    assert items(client.get("/rss/search").content) == []
