"""YouTube: a search, and three questions to hear what is said."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx2
import pytest
from tests.feed.vendors.desk import CONFIG, Vendor, response, with_gateway
from tests.feed.worlds import OPEN_NS

from tapeline.core.clock import LogicalClock
from tapeline.core.config.secrets import YouTubeKey, youtube_key
from tapeline.core.errors import BadMessage
from tapeline.core.outcome import Kind
from tapeline.core.types import Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.vendors.youtube import Transcript, Video, YouTube, parse_search, youtube_hosts

T = TypeVar("T")
KEY = YouTubeKey("data-key-1")
PAGE = b'<html><script>ytcfg.set({"INNERTUBE_API_KEY":"page-key_2","x":1});</script></html>'
SPEECH = b'<transcript><text start="0" dur="1">AAPL is down</text><text start="1" dur="1">again</text></transcript>'


def _item(name: str, published: str = "2010-05-06T13:00:00Z", **snippet: str) -> dict[str, Any]:
    plain = {
        "publishedAt": published,
        "title": "AAPL &amp; MSFT",
        "description": "Why",
        "channelTitle": "CNBC Television",
    }
    return {"id": {"kind": "youtube#video", "videoId": name}, "snippet": plain | snippet}


def _search(*items: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "youtube#searchListResponse", "items": list(items)}


def _player(*tracks: dict[str, Any], status: str = "OK") -> dict[str, Any]:
    captions = {"playerCaptionsTracklistRenderer": {"captionTracks": list(tracks)}}
    return {"playabilityStatus": {"status": status, "reason": "gone"}, "captions": captions}


def _track(language: str = "en", kind: str = "", host: str = "https://www.youtube.com") -> dict[str, Any]:
    url = f"{host}/api/timedtext?v=v1&lang={language}&kind={kind}&fmt=srv3"
    return {"baseUrl": url, "languageCode": language, "kind": kind, "name": {"simpleText": language}}


def _ask(vendor: Vendor, use: Callable[[YouTube], Awaitable[T]]) -> T:
    async def main(gateway: Gateway, clock: LogicalClock) -> T:
        return await use(YouTube(gateway, CONFIG.youtube, clock=clock))

    return with_gateway(vendor, lambda clock: youtube_hosts(CONFIG, KEY, clock), main)


def test_a_search_gives_videos_newest_first() -> None:
    vendor = Vendor({"/youtube/v3/search": _search(_item("v2"), _item("v1"), _item("v3", "2010-05-06T13:20:00Z"))})
    found = _ask(vendor, lambda youtube: youtube.search("AAPL stock")).unwrap()
    assert [video.video_id for video in found] == ["v3", "v1", "v2"]
    assert found[1] == Video(
        video_id="v1",
        event_ns=OPEN_NS - 30 * 60 * 10**9,
        title="AAPL & MSFT",
        description="Why",
        channel="CNBC Television",
        url="https://www.youtube.com/watch?v=v1",
        label=Label.SIMULATED,
    )
    (asked,) = vendor.asked
    assert asked.headers["x-goog-api-key"] == "data-key-1"
    assert "data-key-1" not in str(asked.url)
    assert asked.url.params["publishedAfter"] == "2010-05-05T13:00:00Z"


def test_videos_of_the_future_and_old_ones_are_left_out() -> None:
    vendor = Vendor(
        {"/youtube/v3/search": _search(_item("v1", "2010-05-06T13:31:00Z"), _item("v2", "2010-05-05T13:29:00Z"))}
    )
    outcome = _ask(vendor, lambda youtube: youtube.search("AAPL"))
    assert (outcome.kind, outcome.reason) == (Kind.NO_DATA, "no video about 'AAPL' in the last 24 h")


def test_the_same_search_is_asked_once_for_a_while() -> None:
    async def use(youtube: YouTube) -> None:
        await youtube.search("AAPL")
        await youtube.search("AAPL")

    vendor = Vendor({"/youtube/v3/search": _search(_item("v1"))})
    _ask(vendor, use)
    assert len(vendor.asked) == 1


def test_what_is_said_is_read_in_three_questions() -> None:
    tracks = [_track("de"), _track("en", "asr"), _track("en")]
    vendor = Vendor({"/watch": PAGE, "/youtubei/v1/player": _player(*tracks), "/api/timedtext": SPEECH})
    found = _ask(vendor, lambda youtube: youtube.fetch_transcript("v1")).unwrap()
    assert found == Transcript("v1", "AAPL is down again", "en", False, Label.SIMULATED)
    page, player, text = vendor.asked
    assert (page.url.params["v"], player.url.params["key"], player.method) == ("v1", "page-key_2", "POST")
    assert json.loads(player.content)["videoId"] == "v1"
    assert dict(text.url.params) == {"v": "v1", "lang": "en"}
    assert all("x-goog-api-key" not in request.headers for request in vendor.asked)


def test_one_key_serves_every_video_until_the_player_fails() -> None:
    async def use(youtube: YouTube) -> None:
        for video in ("v1", "v2", "dead", "v3"):
            await youtube.fetch_transcript(video)

    def player(request: httpx2.Request) -> object:
        is_dead = json.loads(request.content)["videoId"] == "dead"
        return httpx2.Response(400) if is_dead else _player(_track())

    vendor = Vendor({"/watch": PAGE, "/youtubei/v1/player": player, "/api/timedtext": SPEECH})
    _ask(vendor, use)
    assert [request.url.params["v"] for request in vendor.asked if request.url.path == "/watch"] == ["v1", "v3"]


def test_machine_made_words_do_where_there_are_no_others() -> None:
    vendor = Vendor({"/watch": PAGE, "/youtubei/v1/player": _player(_track("en", "asr")), "/api/timedtext": SPEECH})
    assert _ask(vendor, lambda youtube: youtube.fetch_transcript("v1")).unwrap().is_generated


@pytest.mark.parametrize(
    ("player", "kind", "reason"),
    [
        (_player(), Kind.NO_DATA, "v1: no transcript"),
        ({}, Kind.NO_DATA, "v1: no transcript"),
        (_player(_track("de")), Kind.NO_DATA, "v1: transcripts in de only"),
        (_player(status="LOGIN_REQUIRED"), Kind.NO_DATA, "v1: LOGIN_REQUIRED gone"),
        (_player(_track(host="https://evil.example")), Kind.ERROR, "is said to be at evil.example"),
        ([], Kind.ERROR, "cannot be read"),
        (httpx2.Response(500), Kind.ERROR, "answered 500"),
    ],
)
def test_why_there_is_no_transcript_is_said(player: Any, kind: Kind, reason: str) -> None:
    vendor = Vendor({"/watch": PAGE, "/youtubei/v1/player": player, "/api/timedtext": SPEECH})
    outcome = _ask(vendor, lambda youtube: youtube.fetch_transcript("v1"))
    assert outcome.kind is kind
    assert reason in outcome.reason
    assert "/api/timedtext" not in vendor.paths


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (b"<html>https://consent.youtube.com/s</html>", "asks for consent"),
        (b"<html></html>", "does not name the player's key"),
    ],
)
def test_a_page_without_a_key_is_an_error(page: bytes, reason: str) -> None:
    outcome = _ask(Vendor({"/watch": page}), lambda youtube: youtube.fetch_transcript("v1"))
    assert outcome.kind is Kind.ERROR
    assert reason in outcome.reason


@pytest.mark.parametrize(
    "body", [b"<html>", {}, _search(_item("../x")), _search(_item("v1", "soon")), _search({"id": {}})]
)
def test_another_shape_is_refused(body: object) -> None:
    with pytest.raises(BadMessage):
        parse_search(response(body))


def test_channels_among_the_results_are_passed_over() -> None:
    channel = {"id": {"kind": "youtube#channel", "channelId": "c"}, "snippet": _item("x")["snippet"]}
    assert parse_search(response(_search(channel))) == ()


def test_the_key_comes_from_the_environment_and_shows_nothing() -> None:
    assert youtube_key({"YOUTUBE_API_KEY": "k-e-y"}) == YouTubeKey("k-e-y")
    assert "k-e-y" not in repr(YouTubeKey("k-e-y"))
    assert youtube_key({}) is None
