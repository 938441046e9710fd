"""YouTube as programs read it: the Data API's search, and transcripts the way a browser finds them.

In: requests on the paths of www.googleapis.com and www.youtube.com.  Out: their JSON, a page, a timed text.
Refuses the Data API without a key (403). A video that is not there has a page all the same, as at YouTube.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any
from xml.etree import ElementTree as ET

import msgspec

from tapeline.core.types import NS_PER_S, Label
from tapeline.sim.door import Ask, Reply
from tapeline.sim.faults import draw
from tapeline.sim.screenplay import CHANNELS
from tapeline.sim.tape import Tape
from tapeline.sim.videos import SENTENCE_S, Studio, Video
from tapeline.sim.wire import WireError, parse_moment_ns, to_rfc3339

PLAYER_KEY = "AIzaSySimulated-0000000000000000000000"
WATCH = "https://www.youtube.com"
MAX_RESULTS = 50
LANGUAGES = {"en": "English", "de": "German"}


class Wanted(msgspec.Struct):
    """The body of a question to the player."""

    video_id: str = msgspec.field(name="videoId", default="")


@dataclass(frozen=True, slots=True)
class YouTubeSite:
    """The answers of both hosts."""

    tape: Tape
    studio: Studio
    seed: int

    def search(self, ask: Ask) -> Reply:
        """Answer ``/youtube/v3/search``: of the symbols in the query, or of the market where it names none."""
        _check_key(ask)
        words = [word.strip("$.,()\"'") for word in ask.params.get("q", "").split()]
        symbols = dict.fromkeys(word for word in words if word in self.tape.columns)
        found: list[Video] = []
        for symbol in list(symbols)[:4]:
            found += [] if ask.loses(symbol) else self.studio.of_symbol(symbol, ask.now_ns)
        if not symbols:
            found = self.studio.of_market(ask.now_ns)
        after = _moment(ask.params, "publishedAfter", 0)
        before = _moment(ask.params, "publishedBefore", ask.now_ns)
        found = [video for video in found if after <= video.event_ns <= before]
        if ask.params.get("order") == "date":
            found.sort(key=lambda video: (-video.event_ns, video.video_id))
        return self._page(ask, found)

    def videos(self, ask: Ask) -> Reply:
        """Answer ``/youtube/v3/videos``."""
        _check_key(ask)
        ids = ask.params.get("id", "").split(",")[:MAX_RESULTS]
        found = [video for one in ids if (video := self.studio.find(one, ask.now_ns)) is not None]
        parts = ask.params.get("part", "snippet").split(",")
        items = [{"kind": "youtube#video", "id": v.video_id, **self._parts(v, parts, ask.now_ns)} for v in found]
        info = {"totalResults": len(items), "resultsPerPage": len(items)}
        return Reply({"kind": "youtube#videoListResponse", "pageInfo": info, "items": items}, Label.SIMULATED)

    def watch(self, ask: Ask) -> Reply:
        """Answer ``/watch``: a page of which only the player's key is of use."""
        video = self.studio.find(ask.params.get("v", ""), ask.now_ns)
        title = escape(video.title) if video else "YouTube"
        script = f'ytcfg.set({{"INNERTUBE_API_KEY":"{PLAYER_KEY}","INNERTUBE_CLIENT_NAME":"WEB"}});'
        page = f"<!DOCTYPE html><html><head><title>{title}</title><script>{script}</script></head><body></body></html>"
        return Reply(page.encode(), Label.SIMULATED, "text/html")

    def player(self, ask: Ask) -> Reply:
        """Answer ``POST /youtubei/v1/player``: which transcripts a video has, and where they are."""
        if ask.params.get("key") != PLAYER_KEY:
            raise WireError(400, "API key not valid. Please pass a valid API key.")
        try:
            wanted = msgspec.json.decode(ask.body, type=Wanted).video_id
        except (msgspec.DecodeError, UnicodeDecodeError):
            raise WireError(400, "Request contains an invalid argument.") from None
        video = self.studio.find(wanted, ask.now_ns)
        if video is None or (video.symbol and ask.loses(video.symbol)):
            status = {"status": "ERROR", "reason": "This video is unavailable"}
            return Reply({"playabilityStatus": status}, Label.SIMULATED)
        details = {
            "videoId": video.video_id,
            "title": video.title,
            "author": video.channel,
            "lengthSeconds": str(self._length_s(video)),
        }
        body: dict[str, Any] = {"playabilityStatus": {"status": "OK"}, "videoDetails": details}
        if video.captions:
            tracks = [_track(video, language, made) for language, made in video.captions]
            body["captions"] = {"playerCaptionsTracklistRenderer": {"captionTracks": tracks}}
        return Reply(body, Label.SIMULATED)

    def timed_text(self, ask: Ask) -> Reply:
        """Answer ``/api/timedtext``."""
        video = self.studio.find(ask.params.get("v", ""), ask.now_ns)
        track = ask.params.get("lang", ""), ask.params.get("kind") == "asr"
        if video is None or track not in video.captions:
            raise WireError(404, "Not Found")
        root = ET.Element("transcript")
        for number, sentence in enumerate(self.studio.speech(video)):
            start = f"{number * SENTENCE_S:.2f}"
            # Speech is escaped twice at YouTube: for the page it was made for, and for XML.
            ET.SubElement(root, "text", {"start": start, "dur": f"{SENTENCE_S:.2f}"}).text = escape(sentence)
        return Reply(bytes(ET.tostring(root, encoding="utf-8", xml_declaration=True)), Label.SIMULATED, "text/xml")

    def _page(self, ask: Ask, found: list[Video]) -> Reply:
        text = ask.params.get("maxResults", "")
        size = min(int(text), MAX_RESULTS) if text.isascii() and text.isdigit() else 5
        start = _offset(ask.params.get("pageToken"))
        items = [
            {
                "kind": "youtube#searchResult",
                "id": {"kind": "youtube#video", "videoId": video.video_id},
                "snippet": self._snippet(video, escaped=True),
            }
            for video in found[start : start + size]
        ]
        body: dict[str, Any] = {"kind": "youtube#searchListResponse", "regionCode": "US"}
        if size and start + size < len(found):
            body["nextPageToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
        info = {"totalResults": len(found), "resultsPerPage": size}
        return Reply({**body, "pageInfo": info, "items": items}, Label.SIMULATED)

    def _parts(self, video: Video, parts: list[str], now_ns: int) -> dict[str, Any]:
        minutes, seconds = divmod(self._length_s(video), 60)
        hours = (now_ns - video.event_ns) / (3_600 * NS_PER_S)
        views = int(30_000 * draw(self.seed, video.video_id, "views") ** 3 * hours / (hours + 6))
        known = {
            "snippet": self._snippet(video),
            "statistics": {"viewCount": str(views), "likeCount": str(views // 40), "commentCount": str(views // 300)},
            "contentDetails": {
                "duration": f"PT{minutes}M{seconds}S",
                "caption": "true" if ("en", False) in video.captions else "false",
            },
        }
        return {part: known[part] for part in parts if part in known}

    def _snippet(self, video: Video, *, escaped: bool = False) -> dict[str, Any]:
        """Return what is told of a video; the search alone escapes it for pages."""
        title, said = video.title, f"{video.channel} on {video.symbol or 'the market'}. Simulated."
        published = to_rfc3339(video.event_ns)
        return {
            "publishedAt": published,
            "publishTime": published,
            "channelId": f"UCsim{CHANNELS.index(video.channel):019d}",
            "channelTitle": escape(video.channel) if escaped else video.channel,
            "title": escape(title) if escaped else title,
            "description": escape(said) if escaped else said,
            "thumbnails": {},
            "liveBroadcastContent": "none",
        }

    def _length_s(self, video: Video) -> int:
        return round(len(self.studio.speech(video)) * SENTENCE_S)


def refusal(error: WireError) -> object:
    """Return an error as Google spells it."""
    reason = {403: "forbidden", 404: "notFound", 429: "rateLimitExceeded"}.get(error.status, "badRequest")
    inner = {"message": error.message, "domain": "global", "reason": reason}
    return {"error": {"code": error.status, "message": error.message, "errors": [inner]}}


def _check_key(ask: Ask) -> None:
    if not ask.params.get("key") and not ask.headers.get("x-goog-api-key"):
        raise WireError(403, "Method doesn't allow unregistered callers (callers without established identity).")


def _track(video: Video, language: str, by_machine: bool) -> dict[str, Any]:
    name = LANGUAGES[language] + (" (auto-generated)" if by_machine else "")
    kind = "&kind=asr" if by_machine else ""
    return {
        "baseUrl": f"{WATCH}/api/timedtext?v={video.video_id}&lang={language}{kind}&fmt=srv3",
        "name": {"runs": [{"text": name}]},
        "vssId": f"{'a' if by_machine else ''}.{language}",
        "languageCode": language,
        "isTranslatable": False,
        **({"kind": "asr"} if by_machine else {}),
    }


def _moment(params: Mapping[str, str], name: str, default_ns: int) -> int:
    text = params.get(name)
    return parse_moment_ns(text, name) if text else default_ns


def _offset(token: str | None) -> int:
    if not token:
        return 0
    try:
        text = base64.urlsafe_b64decode(token.encode()).decode()
    except (ValueError, binascii.Error):
        text = ""
    if not (text.isascii() and text.isdigit()) or len(text) > 6:
        raise WireError(400, "The request specifies an invalid page token.")
    return int(text)
