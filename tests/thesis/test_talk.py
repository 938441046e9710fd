"""Talk: told answer by answer, with what could not be read beside it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import httpx2
from msgspec.structs import replace
from tests.feed.vendors.desk import CONFIG, NOW_S, Vendor, with_gateway

from tapeline.core.clock import LogicalClock
from tapeline.core.config.secrets import RedditKeys, YouTubeKey
from tapeline.core.outcome import Kind, Outcome
from tapeline.feed.gateway import Gateway
from tapeline.feed.vendors.reddit import Reddit, reddit_hosts
from tapeline.feed.vendors.youtube import YouTube, youtube_hosts
from tapeline.thesis.discovery import Place, Text
from tapeline.thesis.talk import TRUSTED, RedditTalk, YouTubeTalk

Told = tuple[list[list[Text]], tuple[Outcome[int], ...]]


def _post(name: str, n_comments: int, **other: Any) -> dict[str, Any]:
    plain = {"id": name, "title": f"title {name}", "selftext": "", "created_utc": NOW_S, "num_comments": n_comments}
    return {"kind": "t3", "data": plain | {"author": "a"} | other}


def _listing(*children: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "Listing", "data": {"children": list(children)}}


def _thread(body: str) -> list[dict[str, Any]]:
    comment = {"id": "c1", "body": body, "author": "b", "created_utc": NOW_S, "replies": ""}
    return [_listing(_post("x", 1)), _listing({"kind": "t1", "data": comment})]


def _read_reddit(answers: dict[str, Any]) -> tuple[Told, Vendor]:
    config = replace(CONFIG.reddit, subreddits=("one", "two"), threads=1)
    vendor = Vendor({"/api/v1/access_token": {"access_token": "t", "expires_in": 9_000}} | answers)

    async def main(gateway: Gateway, clock: LogicalClock) -> Told:
        told: list[list[Text]] = []

        async def hear(texts: Sequence[Text]) -> None:
            told.append(list(texts))

        asked = await RedditTalk(Reddit(gateway, config, clock=clock), config).read(hear)
        return told, asked

    return with_gateway(vendor, lambda clock: reddit_hosts(CONFIG, RedditKeys("i", "s"), clock), main), vendor


def test_listings_are_told_before_the_busiest_threads_are_read() -> None:
    answers = {
        "/r/one/hot": _listing(_post("p1", 2), _post("p2", 9, selftext="body p2", stickied=True)),
        "/r/two/hot": _listing(_post("p3", 1)),
        "/comments/p2": _thread("comment p2"),
        "/comments/p3": _thread("comment p3"),
    }
    (told, asked), vendor = _read_reddit(answers)
    assert vendor.paths[1:] == ["/r/one/hot", "/r/two/hot", "/comments/p2", "/comments/p3"]
    assert [[text.words for text in texts] for texts in told] == [
        ["title p1", "title p2", "body p2"],
        ["title p3"],
        ["comment p2"],
        ["comment p3"],
    ]
    assert [text.place for text in told[0]] == [Place.TITLE, Place.TITLE, Place.BODY]
    assert [text.is_routine for text in told[0]] == [False, True, True]
    assert told[2][0].is_routine
    assert (told[2][0].thread, told[2][0].author, told[2][0].source) == ("p2", "b", "reddit")
    assert [outcome.value for outcome in asked] == [2, 1, 1, 1]


def test_a_dead_subreddit_is_an_outcome_and_the_other_is_read() -> None:
    answers = {"/r/one/hot": httpx2.Response(500), "/r/two/hot": _listing(_post("p3", 1))}
    (told, asked), _ = _read_reddit(answers)
    assert [outcome.kind for outcome in asked] == [Kind.ERROR, Kind.VALUE, Kind.NO_DATA]
    assert [text.words for texts in told for text in texts] == ["title p3"]


def _video(name: str, channel: str) -> dict[str, Any]:
    snippet = {"publishedAt": "2010-05-06T13:00:00Z", "title": f"title {name}", "channelTitle": channel}
    return {"id": {"videoId": name}, "snippet": snippet}


def test_videos_are_told_once_and_an_editor_weighs_more() -> None:
    captions = {"captionTracks": [{"baseUrl": "/api/timedtext?v=v1", "languageCode": "en"}]}
    vendor = Vendor(
        {
            "/youtube/v3/search": {"items": [_video("v1", "CNBC Television"), _video("v2", "Somebody")]},
            "/watch": b'{"INNERTUBE_API_KEY":"k"}',
            "/youtubei/v1/player": {"captions": {"playerCaptionsTracklistRenderer": captions}},
            "/api/timedtext": b"<transcript><text>buy AAPL</text></transcript>",
        }
    )

    async def main(gateway: Gateway, clock: LogicalClock) -> Told:
        told: list[list[Text]] = []

        async def hear(texts: Sequence[Text]) -> None:
            told.append(list(texts))

        config = replace(CONFIG.youtube, queries=("one", "two"))
        asked = await YouTubeTalk(YouTube(gateway, config, clock=clock), config).read(hear)
        return told, asked

    hosts = lambda clock: youtube_hosts(CONFIG, YouTubeKey("k"), clock)  # noqa: E731
    told, asked = with_gateway(vendor, hosts, main)
    assert [(text.words, text.place, text.weight) for texts in told for text in texts] == [
        ("title v1", Place.TITLE, TRUSTED),
        ("title v2", Place.TITLE, 1.0),
        ("buy AAPL", Place.SPEECH, TRUSTED),
        ("buy AAPL", Place.SPEECH, 1.0),
    ]
    assert [outcome.value for outcome in asked] == [2, 1, 1, 2]
