"""What the vendors have, as the evidence of a step.

In: adapters of the feed.  Out: ``Sources`` for ``collect``.
Refuses to pass a failure off as silence: when no transcript could be read because their host is dead, the step fails.
"""

from __future__ import annotations

from collections.abc import Sequence

from tapeline.core.clock import Clock
from tapeline.core.outcome import Outcome, nothing, value_of
from tapeline.core.types import Evidence, Headline, Label, Passage
from tapeline.feed.sources import least_real
from tapeline.feed.vendors.edgar import Edgar, Filing
from tapeline.feed.vendors.google_news import GoogleNews
from tapeline.feed.vendors.yahoo import Yahoo
from tapeline.feed.vendors.youtube import Transcript, Video, YouTube
from tapeline.thesis.collect import BROKEN, Fetch, Sources

MAX_HEADLINES = 50
CHUNK = 1_000
"""Characters of one passage of a transcript: about a minute of speech, and what fits beside a question."""
MAX_CHUNKS = 20
"""Passages of one transcript."""


def vendor_sources(yahoo: Yahoo, news: GoogleNews, edgar: Edgar, youtube: YouTube | None, *, clock: Clock) -> Sources:
    """Return the sources of all steps; without a key for YouTube its step says that nobody is configured."""
    return Sources(
        fundamentals=yahoo.fetch_fundamentals,
        financial_history=yahoo.fetch_income,
        balance_sheet=yahoo.fetch_balance,
        cashflow=yahoo.fetch_cashflow,
        analyst_data=yahoo.fetch_analysts,
        insider_activity=yahoo.fetch_insiders,
        earnings_calendar=yahoo.fetch_earnings,
        news=news_from(news, clock),
        filings=filings_from(edgar, clock),
        youtube=youtube_from(youtube, clock) if youtube is not None else None,
    )


def news_from(news: GoogleNews, clock: Clock) -> Fetch:
    """Return what asks for headlines. Fact: ``headlines_count``; passages: the newest of them."""

    async def fetch_headlines(symbol: str, deadline_ns: int) -> Outcome[Evidence]:
        outcome = await news.fetch_headlines(symbol, deadline_ns=deadline_ns)
        as_of_ns = clock.now_ns()
        return outcome.map(lambda headlines: _of_headlines(symbol, headlines, as_of_ns))

    return fetch_headlines


def filings_from(edgar: Edgar, clock: Clock) -> Fetch:
    """Return what asks for filings. Fact: ``filings_count``; passages: one for each."""

    async def fetch_filings(symbol: str, deadline_ns: int) -> Outcome[Evidence]:
        outcome = await edgar.fetch_filings(symbol, deadline_ns=deadline_ns)
        as_of_ns = clock.now_ns()
        return outcome.map(lambda filings: _of_filings(symbol, filings, as_of_ns))

    return fetch_filings


def youtube_from(youtube: YouTube, clock: Clock) -> Fetch:
    """Return what searches videos on a symbol and reads them, one after the other.

    Facts: ``videos_count``, ``transcripts_count``; passages: the title of each video and what is said in it.
    """

    async def fetch_videos(symbol: str, deadline_ns: int) -> Outcome[Evidence]:
        videos = await youtube.search(f"{symbol} stock", deadline_ns=deadline_ns)
        if videos.value is None:
            return nothing(videos.kind, source=youtube.name, reason=videos.reason, as_of_ns=videos.as_of_ns)
        read = [await youtube.fetch_transcript(video.video_id, deadline_ns=deadline_ns) for video in videos.value]
        if all(outcome.kind in BROKEN for outcome in read):
            reason = f"no transcript of {len(read)} videos can be read: {read[0].reason}"
            return nothing(read[0].kind, source=youtube.name, reason=reason, as_of_ns=read[0].as_of_ns)
        as_of_ns = clock.now_ns()
        evidence = _of_videos(symbol, videos.value, [outcome.value for outcome in read], as_of_ns)
        return value_of(evidence, source=youtube.name, as_of_ns=as_of_ns)

    return fetch_videos


def _of_headlines(symbol: str, headlines: Sequence[Headline], as_of_ns: int) -> Evidence:
    passages = tuple(
        Passage("news", h.event_ns, f"{h.title} ({h.publisher})" if h.publisher else h.title, h.url, h.label)
        for h in headlines[:MAX_HEADLINES]
    )
    facts = (("headlines_count", float(len(headlines))),)
    return Evidence("news", symbol, GoogleNews.name, as_of_ns, _label(passages), facts, passages)


def _of_filings(symbol: str, filings: Sequence[Filing], as_of_ns: int) -> Evidence:
    passages = tuple(Passage("filings", f.event_ns, _told(f), f.url, f.label) for f in filings)
    facts = (("filings_count", float(len(filings))),)
    return Evidence("news", symbol, Edgar.name, as_of_ns, _label(passages), facts, passages)


def _told(filing: Filing) -> str:
    period = f" for the period to {filing.report_day}" if filing.report_day else ""
    items = f", items {filing.items}" if filing.items else ""
    described = f": {filing.description}" if filing.description and filing.description != filing.form else ""
    return f"Form {filing.form}{period}{items}{described}"


def _of_videos(
    symbol: str, videos: Sequence[Video], transcripts: Sequence[Transcript | None], as_of_ns: int
) -> Evidence:
    passages: list[Passage] = []
    for video, transcript in zip(videos, transcripts, strict=True):
        title = f"{video.title} ({video.channel}): {video.description}"[:CHUNK]
        passages.append(Passage("youtube", video.event_ns, title, video.url, video.label))
        if transcript is not None:
            passages += [
                Passage("youtube", video.event_ns, chunk, video.url, transcript.label)
                for chunk in chunks(transcript.text)
            ]
    facts = (
        ("videos_count", float(len(videos))),
        ("transcripts_count", float(sum(transcript is not None for transcript in transcripts))),
    )
    return Evidence("youtube", symbol, YouTube.name, as_of_ns, _label(passages), facts, tuple(passages))


def chunks(text: str) -> list[str]:
    """Cut a text between words into pieces of at most ``CHUNK`` characters, ``MAX_CHUNKS`` at most."""
    pieces: list[str] = []
    rest = text.strip()
    while rest and len(pieces) < MAX_CHUNKS:
        end = len(rest) if len(rest) <= CHUNK else rest.rfind(" ", 0, CHUNK + 1)
        if end <= 0:
            end = CHUNK
        pieces.append(rest[:end])
        rest = rest[end:].lstrip()
    return pieces


def _label(passages: Sequence[Passage]) -> Label:
    return least_real(passage.label for passage in passages)
