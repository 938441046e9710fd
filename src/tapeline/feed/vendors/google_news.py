"""Google News by RSS: what the press says of a symbol.

In: a symbol.  Out: outcome of ``Headline``s, newest first.
Refuses documents with a type declaration (nothing is ever expanded or loaded), items of the future and items without a
date. Titles are text from the world: normalised, stripped of what cannot be seen, bounded, and never an instruction.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from functools import partial
from xml.parsers import expat

from tapeline.core.clock import Clock
from tapeline.core.config import FeedConfig, NewsConfig
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Headline, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response
from tapeline.feed.limiter import SlidingWindowLimiter

NEWS_HOST = "google.news"
TTL_S = 60.0
"""How long one answer serves everyone who asks for the same symbol."""
MAX_ITEMS = 500
MAX_DEPTH = 32
MAX_TITLE = 300
MAX_URL = 2_048
_FIELDS = ("title", "link", "pubDate", "source")
_ITEM_PATH = ["rss", "channel", "item"]
_MAX_FIELD = 8_000


def news_host(config: FeedConfig, clock: Clock) -> Host:
    """Return the host of the news, with its limiter."""
    limiter = SlidingWindowLimiter(config.news_requests_per_minute, clock=clock)
    return Host(NEWS_HOST, config.news.base_url, limiter)


class GoogleNews:
    """Headlines of one symbol.

    Parameters
    ----------
    gateway
        With the host of ``news_host``.
    config
        How old a headline may be.
    clock
        Tells what is the future.
    """

    name = "google_news"

    def __init__(self, gateway: Gateway, config: NewsConfig, *, clock: Clock) -> None:
        self._gateway = gateway
        self._max_age_ns = round(config.max_age_s * NS_PER_S)
        self._clock = clock

    async def fetch_headlines(self, symbol: str, *, deadline_ns: int | None = None) -> Outcome[tuple[Headline, ...]]:
        """Fetch what was published about ``symbol`` within the allowed age.

        Returns
        -------
        Outcome
            value: at least one headline, newest first, then by title; stale: only older ones; no_data: none at all;
            limited or error as the gateway says.
        """
        outcome = await self._gateway.fetch(
            NEWS_HOST,
            "/rss/search",
            {"q": f"{symbol} stock", "hl": "en-US", "gl": "US", "ceid": "US:en"},
            parse=parse_rss,
            ttl_s=TTL_S,
            deadline_ns=deadline_ns,
        )
        found = outcome.map(partial(_about, symbol))
        if found.value is None:
            return found
        now_ns = self._clock.now_ns()
        past = [headline for headline in found.value if headline.event_ns <= now_ns]
        fresh = tuple(headline for headline in past if now_ns - headline.event_ns <= self._max_age_ns)
        if fresh:
            return value_of(fresh, source=self.name, as_of_ns=outcome.as_of_ns)
        kind, reason = Kind.NO_DATA, f"no headline about {symbol}"
        if past:
            age_h = (now_ns - past[0].event_ns) / NS_PER_S / 3_600
            kind, reason = Kind.STALE, f"the newest headline about {symbol} is {age_h:.1f} h old"
        return nothing(kind, source=self.name, reason=reason, as_of_ns=outcome.as_of_ns)


@dataclass(frozen=True, slots=True)
class RssItem:
    """One item of a feed, cleaned."""

    event_ns: int
    title: str
    publisher: str
    url: str


@dataclass(frozen=True, slots=True)
class RssFeed:
    """The items of one answer, newest first, then by title; and where they come from."""

    items: tuple[RssItem, ...]
    label: Label


def parse_rss(response: Response) -> RssFeed:
    """Return the items of an RSS answer that have a title and a date.

    Raises
    ------
    BadMessage
        When it is no XML, declares a document type or an entity, or is nested or long without reason.
    """
    reader = _RssReader()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    try:
        parser.Parse(response.body, True)
    except expat.ExpatError as error:
        raise BadMessage(f"no XML: {error}") from None
    if not reader.has_channel:
        raise BadMessage("XML, but no RSS: it has no channel")
    items = [item for fields in reader.items if (item := _item(fields)) is not None]
    return RssFeed(tuple(sorted(items, key=lambda item: (-item.event_ns, item.title, item.url))), response.label)


def clean_text(text: str, limit: int) -> str:
    """Return text as one visible line: NFKC, no control or zero-width characters, at most ``limit`` long."""
    normal = unicodedata.normalize("NFKC", text[: 4 * limit])
    visible = "".join(" " if c.isspace() else c for c in normal if c.isspace() or unicodedata.category(c)[0] != "C")
    return " ".join(visible.split())[:limit].rstrip()


@dataclass(slots=True)
class _RssReader:
    """Collects the fields of rss/channel/item; everything else passes by."""

    path: list[str] = field(default_factory=list)
    items: list[dict[str, str]] = field(default_factory=list)
    has_channel: bool = False

    def refuse(self, *_declaration: object) -> None:
        raise BadMessage("it declares a document type or an entity, which no feed needs")

    def start(self, name: str, _attributes: dict[str, str]) -> None:
        self.path.append(name)
        if len(self.path) > MAX_DEPTH:
            raise BadMessage(f"its elements are nested deeper than {MAX_DEPTH}")
        if self.path == ["rss", "channel"]:
            self.has_channel = True
        if self.path == _ITEM_PATH:
            if len(self.items) == MAX_ITEMS:
                raise BadMessage(f"it has more than {MAX_ITEMS} items")
            self.items.append({})

    def end(self, _name: str) -> None:
        self.path.pop()

    def text(self, text: str) -> None:
        if len(self.path) == 4 and self.path[:3] == _ITEM_PATH and self.path[3] in _FIELDS:
            fields, name = self.items[-1], self.path[3]
            fields[name] = (fields.get(name, "") + text)[:_MAX_FIELD]


def _item(fields: dict[str, str]) -> RssItem | None:
    """Return the item, or None when it lacks what a headline needs: a title and a date with a zone."""
    publisher = clean_text(fields.get("source", ""), 100)
    title = clean_text(fields.get("title", ""), MAX_TITLE).removesuffix(f" - {publisher}")
    event_ns = _event_ns(fields.get("pubDate", ""))
    if not title or event_ns is None:
        return None
    url = fields.get("link", "").strip()
    is_web = url.startswith(("http://", "https://")) and len(url) <= MAX_URL and url.isprintable() and " " not in url
    return RssItem(event_ns, title, publisher, url if is_web else "")


def _event_ns(text: str) -> int | None:
    try:
        moment = parsedate_to_datetime(text.strip())
    except (ValueError, OverflowError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=dt.UTC)  # "-0000": UTC, says RFC 5322
    return int(moment.timestamp()) * NS_PER_S


def _about(symbol: str, feed: RssFeed) -> tuple[Headline, ...]:
    return tuple(
        Headline(symbol, item.event_ns, item.title, item.publisher, item.url, feed.label) for item in feed.items
    )
