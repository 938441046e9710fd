"""News as Google's RSS search spells it.

In: a query and the newsroom.  Out: ``rss/channel/item`` XML, escaped by the standard library.
Refuses nothing: a query without a symbol that the market has gets market news or an empty channel.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from email.utils import formatdate
from html import escape
from xml.etree import ElementTree as ET

from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.door import Ask, Reply
from tapeline.sim.news import Newsroom, Story
from tapeline.sim.tape import Tape

HOST = "https://news.example"
"""Links lead nowhere: ``.example`` is reserved, so no simulated story can be taken for one that can be read."""


@dataclass(frozen=True, slots=True)
class NewsSearch:
    """The answers of the news host."""

    tape: Tape
    newsroom: Newsroom

    def search(self, ask: Ask) -> Reply:
        """Answer ``/rss/search?q=SYMBOL+stock``."""
        query = ask.params.get("q", "")
        words = query.split()
        symbol = next((word for word in words if word in self.tape.columns), None)
        stories: list[Story] = []
        if symbol is not None and not ask.loses(symbol):
            stories = self.newsroom.of_symbol(symbol, ask.now_ns)
        elif symbol is None and "market" in query.lower():
            stories = self.newsroom.of_market(ask.now_ns)
        return Reply(to_rss(query, stories, ask.now_ns), Label.SIMULATED, "application/xml")


def to_rss(query: str, stories: Iterable[Story], now_ns: int) -> bytes:
    """Return the channel as UTF-8 XML."""
    rss = ET.Element("rss", {"version": "2.0"})
    channel = ET.SubElement(rss, "channel")
    for tag, text in (
        ("generator", "NFE/5.0"),
        ("title", f'"{_printable(query)}" - Google News'),
        ("link", f"{HOST}/search"),
        ("language", "en-US"),
        ("lastBuildDate", _date(now_ns)),
        ("description", "Google News (simulated)"),
    ):
        ET.SubElement(channel, tag).text = text
    for story in stories:
        item = ET.SubElement(channel, "item")
        link = f"{HOST}/rss/articles/{story.guid}"
        ET.SubElement(item, "title").text = f"{story.title} - {story.publisher}"
        ET.SubElement(item, "link").text = link
        ET.SubElement(item, "guid", {"isPermaLink": "false"}).text = story.guid
        ET.SubElement(item, "pubDate").text = _date(story.event_ns)
        body = f'<a href="{link}" target="_blank">{escape(story.title)}</a>&nbsp;&nbsp;{escape(story.publisher)}'
        ET.SubElement(item, "description").text = body
        ET.SubElement(item, "source", {"url": HOST}).text = story.publisher
    return bytes(ET.tostring(rss, encoding="utf-8", xml_declaration=True))


def _date(moment_ns: int) -> str:
    return formatdate(moment_ns // NS_PER_S, usegmt=True)


def _printable(text: str) -> str:
    """Return ``text`` without control characters, which XML cannot hold even escaped."""
    return "".join(character for character in text if character.isprintable())
