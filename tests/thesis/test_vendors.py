"""What vendors have, as evidence: counted, in words, and no failure hidden."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.feed.vendors.desk import CONFIG, Vendor, with_gateway
from tests.feed.worlds import OPEN_NS

from tapeline.core.clock import LogicalClock
from tapeline.core.config.secrets import YouTubeKey
from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import Evidence, Label
from tapeline.feed.gateway import Gateway
from tapeline.feed.http import Host
from tapeline.feed.vendors.edgar import Edgar, edgar_hosts
from tapeline.feed.vendors.google_news import GoogleNews, news_host
from tapeline.feed.vendors.yahoo import Yahoo, yahoo_hosts
from tapeline.feed.vendors.youtube import YouTube, youtube_hosts
from tapeline.thesis.collect import Sources
from tapeline.thesis.vendors import CHUNK, MAX_CHUNKS, chunks, vendor_sources

RSS = b"""<rss><channel><item><title>Apple rises - Reuters</title><source>Reuters</source>
<pubDate>Thu, 06 May 2010 13:00:00 GMT</pubDate><link>https://example.org/1</link></item></channel></rss>"""
PAGE = b'{"INNERTUBE_API_KEY":"k"}'
SPEECH = b"<transcript><text>Apple looks strong</text></transcript>"
PLAYER = {
    "captions": {
        "playerCaptionsTracklistRenderer": {"captionTracks": [{"baseUrl": "/api/timedtext?v=v1", "languageCode": "en"}]}
    }
}
SEARCH = {
    "items": [
        {
            "id": {"videoId": name},
            "snippet": {"publishedAt": "2010-05-06T12:00:00Z", "title": f"AAPL {name}", "channelTitle": "Desk"},
        }
        for name in ("v1", "v2")
    ]
}
FILED = {
    "cik": "7",
    "filings": {
        "recent": {
            "accessionNumber": ["1-2-3"],
            "acceptanceDateTime": ["2010-05-05T20:00:00Z"],
            "form": ["8-K"],
            "reportDate": ["2010-05-04"],
            "primaryDocument": ["d.htm"],
            "primaryDocDescription": ["8-K"],
            "items": ["2.02"],
        }
    },
}
ANSWERS: dict[str, Any] = {
    "/rss/search": RSS,
    "/files/company_tickers.json": {"0": {"cik_str": 7, "ticker": "AAPL"}},
    "/submissions/CIK0000000007.json": FILED,
    "/youtube/v3/search": SEARCH,
    "/watch": PAGE,
    "/youtubei/v1/player": PLAYER,
    "/api/timedtext": SPEECH,
}


def _hosts(clock: LogicalClock) -> Sequence[Host]:
    return [
        *youtube_hosts(CONFIG, YouTubeKey("key"), clock),
        *yahoo_hosts(CONFIG, clock),
        *edgar_hosts(CONFIG, clock),
        news_host(CONFIG, clock),
    ]


def _ask(step: str, answers: dict[str, Any] | None = None, *, has_youtube: bool = True) -> Outcome[Evidence] | None:
    async def main(gateway: Gateway, clock: LogicalClock) -> Outcome[Evidence] | None:
        sources = vendor_sources(
            Yahoo(gateway, clock=clock),
            GoogleNews(gateway, CONFIG.news, clock=clock),
            Edgar(gateway, CONFIG.edgar, clock=clock),
            YouTube(gateway, CONFIG.youtube, clock=clock) if has_youtube else None,
            clock=clock,
        )
        fetch = getattr(sources, step)
        return None if fetch is None else await fetch("AAPL", OPEN_NS + 10**10)

    return with_gateway(Vendor(ANSWERS | (answers or {})), _hosts, main)


def _evidence(step: str, answers: dict[str, Any] | None = None) -> Evidence:
    outcome = _ask(step, answers)
    assert outcome is not None
    return outcome.unwrap()


def test_every_source_has_its_fetch() -> None:
    assert all(_ask(step) is not None for step in Sources.__slots__)
    assert _ask("youtube", has_youtube=False) is None


def test_headlines_are_counted_and_stand_with_who_printed_them() -> None:
    evidence = _evidence("news")
    assert evidence.facts == (("headlines_count", 1.0),)
    (passage,) = evidence.passages
    assert (passage.text, passage.url, passage.label) == (
        "Apple rises (Reuters)",
        "https://example.org/1",
        Label.SIMULATED,
    )


def test_filings_are_told_in_words() -> None:
    evidence = _evidence("filings")
    assert (evidence.step, evidence.source) == ("news", "edgar")
    assert evidence.passages[0].text == "Form 8-K for the period to 2010-05-04, items 2.02"


def test_videos_give_their_titles_and_what_is_said() -> None:
    evidence = _evidence("youtube")
    assert dict(evidence.facts) == {"videos_count": 2.0, "transcripts_count": 2.0}
    assert [passage.text for passage in evidence.passages] == [
        "AAPL v1 (Desk): ",
        "Apple looks strong",
        "AAPL v2 (Desk): ",
        "Apple looks strong",
    ]


def test_videos_without_transcripts_still_have_titles() -> None:
    evidence = _evidence("youtube", {"/youtubei/v1/player": {}})
    assert dict(evidence.facts) == {"videos_count": 2.0, "transcripts_count": 0.0}


def test_transcripts_that_all_fail_are_a_failure() -> None:
    outcome = _ask("youtube", {"/watch": b"<html>consent.youtube.com"})
    assert outcome is not None
    assert outcome.kind is Kind.ERROR
    assert outcome.reason.startswith("no transcript of 2 videos can be read: ")


@pytest.mark.parametrize("step", ["news", "filings", "youtube", "fundamentals"])
def test_nothing_to_be_had_is_said_with_a_reason(step: str) -> None:
    paths = ("/rss/search", "/files/company_tickers.json", "/youtube/v3/search", "/")
    outcome = _ask(step, dict.fromkeys(paths))
    assert outcome is not None
    assert not outcome.is_value
    assert outcome.reason


@given(words=st.lists(st.text("ab", min_size=1, max_size=1_500), max_size=30))
def test_pieces_of_a_speech_hold_all_its_words_in_order(words: list[str]) -> None:
    text = " ".join(words)
    pieces = chunks(text)
    assert all(0 < len(piece) <= CHUNK for piece in pieces)
    assert len(pieces) <= MAX_CHUNKS
    said = "".join(pieces).replace(" ", "")
    assert text.replace(" ", "").startswith(said)
    assert len(pieces) == MAX_CHUNKS or said == text.replace(" ", "")


def test_a_speech_is_cut_between_words() -> None:
    assert all(set(piece.split()) == {"word"} for piece in chunks("word " * 1_000))
