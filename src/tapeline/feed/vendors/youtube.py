"""YouTube: videos by search, and what is said in them.

In: a query, a video.  Out: outcomes of ``Video``s and of a transcript's text.
Refuses a transcript from anywhere but the host it was asked of, documents with a type declaration, and more text than
is bounded. Titles and transcripts are from the world: cleaned, cut, never an instruction, their case kept.
"""

from __future__ import annotations

import datetime as dt
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated
from urllib.parse import parse_qsl, urlsplit

from msgspec import Meta, Struct, field

from tapeline.core.clock import Clock
from tapeline.core.config.feed import FeedConfig, YouTubeConfig
from tapeline.core.config.secrets import YouTubeKey
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter
from tapeline.feed.vendors.google_news import clean_text
from tapeline.feed.vendors.timedtext import parse_timedtext

API_HOST = "youtube"
WATCH_HOST = "youtube.watch"
TTL_S = 600.0
"""How long one answer serves everyone: a search costs much, and what was said does not change."""
KEY_S = 3_600.0
"""How long the player's key serves before the page is read again."""
MAX_TITLE = 300
MAX_DESCRIPTION = 2_000
_CLIENT = {"clientName": "ANDROID", "clientVersion": "20.10.38"}
"""As whom the player is asked; a browser's answer names no transcripts without proof of origin."""
_INNERTUBE_KEY = re.compile(rb'"INNERTUBE_API_KEY":\s*"([a-zA-Z0-9_-]{1,100})"')
_HOME = "www.youtube.com"

_VideoId = Annotated[str, Meta(pattern="^[A-Za-z0-9_-]{1,32}$")]


@dataclass(frozen=True, slots=True)
class Video:
    """A video that a search found. ``description`` is its beginning."""

    video_id: str
    event_ns: int
    title: str
    description: str
    channel: str
    url: str
    label: Label


@dataclass(frozen=True, slots=True)
class Transcript:
    """What is said in a video, in one line of text."""

    video_id: str
    text: str
    language: str
    is_generated: bool
    label: Label


class _ItemId(Struct, frozen=True):
    """{"kind":"youtube#video","videoId":"..."}; other kinds have no videoId."""

    video_id: _VideoId | None = field(name="videoId", default=None)


class _Snippet(Struct, frozen=True):
    """What a search tells of a video."""

    published_at: Annotated[dt.datetime, Meta(tz=True)] = field(name="publishedAt")
    title: str
    description: str = ""
    channel: str = field(name="channelTitle", default="")


class _Item(Struct, frozen=True):
    """{"id":{...},"snippet":{...}}"""

    id: _ItemId
    snippet: _Snippet


class _Search(Struct, frozen=True):
    """{"kind":"youtube#searchListResponse","items":[...]}"""

    items: list[_Item]


class _Track(Struct, frozen=True):
    """One language of a video's captions; ``kind`` is "asr" for those made by machine."""

    base_url: str = field(name="baseUrl")
    language: str = field(name="languageCode")
    kind: str = ""


class _TrackList(Struct, frozen=True):
    """{"captionTracks":[...]}"""

    tracks: list[_Track] = field(name="captionTracks", default_factory=list)


class _Captions(Struct, frozen=True):
    """{"playerCaptionsTracklistRenderer":{...}}"""

    track_list: _TrackList = field(name="playerCaptionsTracklistRenderer", default_factory=_TrackList)


class _Playability(Struct, frozen=True):
    """{"status":"OK"}, or why not."""

    status: str = "OK"
    reason: str = ""


class _Player(Struct, frozen=True):
    """What the player is told of a video."""

    playability: _Playability = field(name="playabilityStatus", default_factory=_Playability)
    captions: _Captions = field(default_factory=_Captions)


def youtube_hosts(config: FeedConfig, key: YouTubeKey, clock: Clock) -> tuple[Host, Host]:
    """Return the Data API's host and the one that has transcripts; each counts its own requests."""
    api, watch = (SlidingWindowLimiter(config.youtube.requests_per_minute, clock=clock) for _ in range(2))
    secrets = {"x-goog-api-key": key.key}
    return Host(API_HOST, config.youtube.base_url, api, secrets), Host(WATCH_HOST, config.youtube.watch_url, watch)


class YouTube:
    """Videos and transcripts over the gateway.

    Parameters
    ----------
    gateway
        With the hosts of ``youtube_hosts``.
    config
        Bounds, age, languages.
    clock
        Tells what is too old and what is the future.
    """

    name = "youtube"

    def __init__(self, gateway: Gateway, config: YouTubeConfig, *, clock: Clock) -> None:
        self._gateway = gateway
        self._config = config
        self._clock = clock
        self._key: tuple[str, int] | None = None
        self._hosts = frozenset({_HOME, urlsplit(config.watch_url).hostname or ""})

    async def search(self, query: str, *, deadline_ns: int | None = None) -> Outcome[tuple[Video, ...]]:
        """Fetch at most ``youtube.videos`` videos of the allowed age, newest first, then by id; no_data without any."""
        now_ns = self._clock.now_ns()
        # Whole hours, so that the question stays the same for a while; the answer is cut to the very age below.
        since_ns = (now_ns - round(self._config.max_age_s * NS_PER_S)) // (3_600 * NS_PER_S) * (3_600 * NS_PER_S)
        outcome = await self._gateway.fetch(
            API_HOST,
            "/youtube/v3/search",
            {
                "part": "snippet",
                "type": "video",
                "order": "date",
                "q": query,
                "maxResults": self._config.videos,
                "publishedAfter": dt.datetime.fromtimestamp(since_ns // NS_PER_S, dt.UTC).strftime(
                    "%Y-%m-%dT%H:%M:%SZ"
                ),
            },
            parse=parse_search,
            ttl_s=TTL_S,
            deadline_ns=deadline_ns,
        )
        if outcome.value is None:
            return outcome
        oldest_ns = now_ns - round(self._config.max_age_s * NS_PER_S)
        fresh = tuple(v for v in outcome.value if oldest_ns <= v.event_ns <= self._clock.now_ns())
        if not fresh:
            reason = f"no video about {query!r} in the last {self._config.max_age_s / 3_600:g} h"
            return nothing(Kind.NO_DATA, source=self.name, reason=reason, as_of_ns=outcome.as_of_ns)
        return value_of(fresh[: self._config.videos], source=self.name, as_of_ns=outcome.as_of_ns)

    async def fetch_transcript(self, video_id: str, *, deadline_ns: int | None = None) -> Outcome[Transcript]:
        """Fetch what is said in a video; no_data when it has no transcript in a wanted language.

        Three questions, as a browser asks them: the page for the player's key, the player for the list of transcripts,
        the transcript. The key is the same for every video and kept for a while.
        """
        key = await self._player_key(video_id, deadline_ns)
        if key.value is None:
            return nothing(key.kind, source=self.name, reason=key.reason, as_of_ns=key.as_of_ns)
        player = await self._gateway.fetch(
            WATCH_HOST,
            "/youtubei/v1/player",
            {"key": key.value},
            parse=_parse_player,
            method="POST",
            json={"context": {"client": _CLIENT}, "videoId": video_id},
            safe=True,
            ttl_s=TTL_S,
            deadline_ns=deadline_ns,
        )
        if player.kind is Kind.ERROR:
            self._key = None  # perhaps it was changed: the next one to ask reads the page again
        if player.value is None:
            return nothing(player.kind, source=self.name, reason=player.reason, as_of_ns=player.as_of_ns)
        track = choose_track(player.value.captions.track_list.tracks, self._config.languages)
        if track is None:
            reason = f"{video_id}: {_why_none(player.value)}"
            return nothing(Kind.NO_DATA, source=self.name, reason=reason, as_of_ns=player.as_of_ns)
        return await self._read_track(video_id, track, deadline_ns)

    async def _player_key(self, video_id: str, deadline_ns: int | None) -> Outcome[str]:
        now_ns = self._clock.now_ns()
        if self._key is not None and now_ns < self._key[1]:
            return value_of(self._key[0], source=self.name)
        page = await self._gateway.fetch(
            WATCH_HOST, "/watch", {"v": video_id}, parse=_parse_key, deadline_ns=deadline_ns
        )
        if page.value is not None:
            self._key = (page.value, now_ns + round(KEY_S * NS_PER_S))
        return page

    async def _read_track(self, video_id: str, track: _Track, deadline_ns: int | None) -> Outcome[Transcript]:
        where = urlsplit(track.base_url)
        if where.hostname is not None and where.hostname not in self._hosts:
            reason = f"the transcript of {video_id} is said to be at {where.hostname[:50]}, which is not asked"
            return nothing(Kind.ERROR, source=self.name, reason=reason, as_of_ns=self._clock.now_ns())
        params = {name: value for name, value in parse_qsl(where.query) if name != "fmt"}  # the plain form of it
        text = await self._gateway.fetch(
            WATCH_HOST, where.path, params, parse=_parse_text, ttl_s=TTL_S, deadline_ns=deadline_ns
        )
        return text.map(partial(_transcript, video_id, track))


def parse_search(response: Response) -> tuple[Video, ...]:
    """Return the videos of a search, newest first, then by id. Raises BadMessage for another shape."""
    found = [
        Video(
            video_id=item.id.video_id,
            event_ns=int(item.snippet.published_at.timestamp()) * NS_PER_S,
            title=clean_text(html.unescape(item.snippet.title), MAX_TITLE),  # the API escapes for pages
            description=clean_text(html.unescape(item.snippet.description), MAX_DESCRIPTION),
            channel=clean_text(html.unescape(item.snippet.channel), 100),
            url=f"https://{_HOME}/watch?v={item.id.video_id}",
            label=response.label,
        )
        for item in decode(response, _Search).items
        if item.id.video_id is not None
    ]
    return tuple(sorted(found, key=lambda video: (-video.event_ns, video.video_id)))


def choose_track(tracks: Sequence[_Track], languages: Sequence[str]) -> _Track | None:
    """Return the transcript of the first wanted language, one by hand before one by machine."""
    wanted = [track for track in tracks if track.language in languages]
    return min(wanted, key=lambda track: (languages.index(track.language), track.kind == "asr"), default=None)


def _why_none(player: _Player) -> str:
    if player.playability.status != "OK":
        return clean_text(f"{player.playability.status} {player.playability.reason}", 200)
    offered = sorted({clean_text(track.language, 10) for track in player.captions.track_list.tracks})
    return f"transcripts in {', '.join(offered[:5])} only" if offered else "no transcript"


def _parse_key(response: Response) -> str:
    found = _INNERTUBE_KEY.search(response.body)
    if found is None:
        asks = b"consent.youtube.com" in response.body
        raise BadMessage("the page asks for consent" if asks else "the page does not name the player's key")
    return found[1].decode()


def _parse_player(response: Response) -> _Player:
    return decode(response, _Player)


@dataclass(frozen=True, slots=True)
class _Said:
    text: str
    label: Label


def _parse_text(response: Response) -> _Said:
    return _Said(parse_timedtext(response.body), response.label)


def _transcript(video_id: str, track: _Track, said: _Said) -> Transcript:
    return Transcript(video_id, said.text, track.language, track.kind == "asr", said.label)
