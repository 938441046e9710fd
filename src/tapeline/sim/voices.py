"""The vendors who talk about the market rather than trade it, put behind the door: one family each.

In: the tape, a seed and limits.  Out: their routes, on the vendors' own paths.
Refuses nothing by itself. Nothing is written before it is asked for, so a simulator starts as fast without readers.
"""

from __future__ import annotations

from dataclasses import dataclass

from starlette.routing import Route

from tapeline.core.types import NS_PER_S
from tapeline.sim import chat, edgar, reddit, yahoo, youtube
from tapeline.sim.company import Registry
from tapeline.sim.door import Door, Family
from tapeline.sim.limits import SlidingLimit
from tapeline.sim.talk import Crowd
from tapeline.sim.tape import Tape
from tapeline.sim.videos import Studio


@dataclass(frozen=True, slots=True)
class VoiceLimits:
    """Requests in any 60 s of logical time; EDGAR's in any second."""

    chat: int = 600
    reddit: int = 100
    yahoo: int = 360
    youtube: int = 300
    edgar_per_s: int = 10


def voice_routes(door: Door, tape: Tape, seed: int, limits: VoiceLimits) -> list[Route]:
    """Return the routes of everybody who talks."""
    registry = Registry(tape, seed)
    return [
        *_chat_routes(door, seed, limits),
        *_reddit_routes(door, tape, seed, limits),
        *_yahoo_routes(door, yahoo.YahooPages(tape, registry, seed), limits),
        *_youtube_routes(door, youtube.YouTubeSite(tape, Studio(tape, seed), seed), limits),
        *_edgar_routes(door, edgar.EdgarSite(tape, registry), limits),
    ]


def _chat_routes(door: Door, seed: int, limits: VoiceLimits) -> list[Route]:
    model = chat.Chat(seed)
    family = Family("chat", SlidingLimit(limits.chat), refusal=chat.refusal)
    return [
        door.route("/v1/models", model.models, family),
        door.route("/v1/chat/completions", model.complete, family, "POST"),
    ]


def _reddit_routes(door: Door, tape: Tape, seed: int, limits: VoiceLimits) -> list[Route]:
    api = reddit.RedditApi(Crowd(tape, seed))
    limit = SlidingLimit(limits.reddit)
    family = Family("reddit", limit, refusal=reddit.refusal, limit_headers=reddit.limit_headers)
    answers = {
        "/r/{board}/about": api.about,
        "/r/{board}/{listing}": api.listing,
        "/comments/{id}": api.comments,
        "/r/{board}/comments/{id}": api.comments,
        "/r/{board}/comments/{id}/{slug}": api.comments,
        "/api/morechildren": api.more_children,
    }
    # Reddit answers with and without a last slash, and its clients use both.
    routes = [door.route(path + end, answer, family) for path, answer in answers.items() for end in ("", "/")]
    posted = [door.route(f"/api/morechildren{end}", api.more_children, family, "POST") for end in ("", "/")]
    return [*routes, *posted, door.route("/api/v1/access_token", api.token, family, "POST")]


def _yahoo_routes(door: Door, pages: yahoo.YahooPages, limits: VoiceLimits) -> list[Route]:
    family = Family("yahoo", SlidingLimit(limits.yahoo), refusal=yahoo.refusal)
    return [
        door.route("/", pages.cookie, family),
        door.route("/v1/test/getcrumb", pages.crumb, family),
        door.route("/v10/finance/quoteSummary/{symbol}", pages.summary, family),
        door.route("/v7/finance/quote", pages.quotes, family),
        door.route("/ws/fundamentals-timeseries/v1/finance/timeseries/{symbol}", pages.timeseries, family),
        door.route("/v8/finance/chart/{symbol}", pages.chart, family),
    ]


def _youtube_routes(door: Door, site: youtube.YouTubeSite, limits: VoiceLimits) -> list[Route]:
    family = Family("youtube", SlidingLimit(limits.youtube), refusal=youtube.refusal)
    return [
        door.route("/youtube/v3/search", site.search, family),
        door.route("/youtube/v3/videos", site.videos, family),
        door.route("/watch", site.watch, family),
        door.route("/youtubei/v1/player", site.player, family, "POST"),
        door.route("/api/timedtext", site.timed_text, family),
    ]


def _edgar_routes(door: Door, site: edgar.EdgarSite, limits: VoiceLimits) -> list[Route]:
    family = Family("edgar", SlidingLimit(limits.edgar_per_s, NS_PER_S), refusal=edgar.refusal)
    return [
        door.route("/files/company_tickers.json", site.companies, family),
        door.route("/submissions/{name}", site.submissions, family),
        door.route("/Archives/edgar/data/{cik}/{accession}/{document}", site.document, family),
    ]
