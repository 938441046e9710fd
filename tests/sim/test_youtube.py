"""YouTube's paths: search, the player's detour to a transcript, and what may go wrong on the way."""

from __future__ import annotations

from html import unescape
from typing import Any
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
from starlette.testclient import TestClient
from tests.sim.worlds import SYMBOLS, make_client

from tapeline.sim.faults import Fault, FaultPlan

SEARCH = "/youtube/v3/search?part=snippet&type=video&key=any"


@pytest.fixture(scope="module")
def client() -> TestClient:
    return make_client(moment="15:00")


def search(client: TestClient, query: str) -> Any:
    answer = client.get(f"{SEARCH}&{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()


def ids(found: Any) -> list[str]:
    return [item["id"]["videoId"] for item in found["items"]]


def player(client: TestClient, video_id: str) -> Any:
    page = client.get(f"/watch?v={video_id}").text
    key = page.split('"INNERTUBE_API_KEY":"')[1].split('"')[0]
    return client.post(f"/youtubei/v1/player?key={key}", json={"context": {}, "videoId": video_id}).json()


def test_a_search_finds_the_symbol_and_nothing_too_old(client: TestClient) -> None:
    found = search(client, "q=IBM+stock+analysis&maxResults=50&order=date")
    times = [item["snippet"]["publishedAt"] for item in found["items"]]
    assert times == sorted(times, reverse=True)
    assert all("IBM" in item["snippet"]["title"] for item in found["items"])
    recent = search(client, "q=IBM&maxResults=50&publishedAfter=2010-05-05T19:00:00Z")
    assert set(ids(recent)) < set(ids(found))


def test_a_search_without_a_symbol_finds_the_market(client: TestClient) -> None:
    titles = [item["snippet"]["title"] for item in search(client, "q=stock+market+today&maxResults=50")["items"]]
    assert any(title.startswith("Midday movers") for title in titles)


def test_pages_hold_every_video_once(client: TestClient) -> None:
    whole = ids(search(client, "q=AA+IBM&maxResults=50"))
    found, token = [], ""
    while True:
        page = search(client, f"q=AA+IBM&maxResults=2&pageToken={token}")
        found += ids(page)
        if not (token := page.get("nextPageToken", "")):
            break
    assert found == whole
    assert client.get(f"{SEARCH}&q=IBM&pageToken=@@").status_code == 400


def test_without_a_key_the_api_is_closed_in_googles_words(client: TestClient) -> None:
    refused = client.get("/youtube/v3/search?q=IBM")
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, 403)
    assert client.get("/youtube/v3/search?q=IBM", headers={"x-goog-api-key": "any"}).status_code == 200


def test_details_of_videos(client: TestClient) -> None:
    video_id = ids(search(client, "q=IBM"))[0]
    found = client.get(f"/youtube/v3/videos?key=k&part=snippet,statistics,contentDetails&id={video_id},none").json()
    (item,) = found["items"]
    assert item["id"] == video_id
    assert item["contentDetails"]["duration"].startswith("PT1M")
    assert int(item["statistics"]["viewCount"]) >= 0


def test_a_transcript_is_found_through_the_player(client: TestClient) -> None:
    seen = {"none": 0, "some": 0}
    for symbol in SYMBOLS:
        for video_id in ids(search(client, f"q={symbol}&maxResults=50")):
            told = player(client, video_id)
            assert told["playabilityStatus"]["status"] == "OK"
            if "captions" not in told:
                seen["none"] += 1
                continue
            for track in told["captions"]["playerCaptionsTracklistRenderer"]["captionTracks"]:
                where = urlsplit(track["baseUrl"])
                assert where.netloc == "www.youtube.com"
                lines = ET.fromstring(client.get(f"{where.path}?{where.query}").text)
                assert len(lines) > 10
                assert "&" not in unescape(unescape(lines[0].text or "")).replace(" & ", "")
                seen["some"] += 1
    assert seen["some"] > seen["none"] > 0


def test_an_unknown_video_is_unavailable_and_its_text_not_found(client: TestClient) -> None:
    assert player(client, "dQw4w9WgXcQ")["playabilityStatus"]["status"] == "ERROR"
    assert client.get("/api/timedtext?v=dQw4w9WgXcQ&lang=en").status_code == 404
    assert client.post("/youtubei/v1/player?key=wrong", json={}).status_code == 400


def test_a_dead_youtube_and_a_lost_symbol() -> None:
    dead = make_client(faults=FaultPlan(fault=(Fault("status", 1.0, family="youtube"),)))
    assert dead.get("/watch?v=x").status_code == dead.get(f"{SEARCH}&q=IBM").status_code == 500
    lost = make_client(moment="15:00", faults=FaultPlan(fault=(Fault("missing", 1.0, family="youtube"),)))
    assert search(lost, "q=IBM")["items"] == []
    limited = make_client(faults=FaultPlan(fault=(Fault("status", 1.0, family="youtube", status=429),)))
    assert limited.get(f"{SEARCH}&q=IBM").json()["error"]["errors"][0]["reason"] == "rateLimitExceeded"
