"""The vendors' own clients against the running simulator: what they can read, ours can."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import asyncpraw
import pydantic
import pytest
import requests
import yfinance
from openai import APIStatusError, AsyncOpenAI, InternalServerError
from tests.sim.test_main import Process
from youtube_transcript_api import TranscriptsDisabled, YouTubeTranscriptApi

pytestmark = [pytest.mark.process, pytest.mark.anyio]


@pytest.fixture(scope="module")
def sim() -> Iterator[Process]:
    process = Process()
    process.move("11:00")
    yield process
    assert process.end()[0] == 0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Stance(pydantic.BaseModel):
    """What the model is asked for."""

    stance: Annotated[float, pydantic.Field(ge=-1, le=1)]
    action: Literal["buy", "hold", "sell"]
    reasons: list[str]


async def test_openais_client_gets_a_parsed_model(sim: Process) -> None:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        answer = await client.chat.completions.parse(
            model="any",
            messages=[{"role": "user", "content": "symbol IBM\nrevenue_growth_pct: 40\ndebt_ratio: 0.2"}],
            response_format=Stance,
        )
        found = answer.choices[0].message.parsed
        assert found is not None
        assert found.stance > 0
        assert found.action == "buy"
        assert (await client.models.list()).data[0].id == "tapeline-sim-1"


async def test_openais_client_reads_a_stream(sim: Process) -> None:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        stream = await client.chat.completions.create(
            model="any", messages=[{"role": "user", "content": "growth_pct: 4"}], stream=True
        )
        words = [chunk.choices[0].delta.content or "" async for chunk in stream]
    assert len(words) > 3
    assert "growth at 4 %" in "".join(words)


async def test_openais_client_understands_a_refusal(sim: Process) -> None:
    async with AsyncOpenAI(base_url=f"{sim.url}/v1", api_key="any", max_retries=0) as client:
        with pytest.raises(APIStatusError) as refused:
            await client.chat.completions.create(model="any", messages=[], max_tokens=5)
    assert refused.value.status_code == 400
    assert not isinstance(refused.value, InternalServerError)


# asyncprawcore logs in the way that aiohttp is about to drop.
@pytest.mark.filterwarnings("ignore:BasicAuth is deprecated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The 'auth' parameter is deprecated:DeprecationWarning")
async def test_asyncpraw_reads_listings_comments_and_more(sim: Process) -> None:
    async with asyncpraw.Reddit(
        client_id="any",
        client_secret="any",
        user_agent="tapeline tests",
        oauth_url=sim.url,
        reddit_url=sim.url,
        check_for_updates=False,
    ) as reddit:
        board = await reddit.subreddit("wallstreetbets", fetch=True)
        assert board.subscribers > 0
        posts = [post async for post in board.hot(limit=30)]
        assert posts[0].stickied
        assert posts[0].author.name == "AutoModerator"
        assert any("$" in post.title for post in posts[1:])
        post = await reddit.submission(posts[0].id)
        await post.comments.replace_more(limit=None)
        assert len(post.comments.list()) == posts[0].num_comments > 20
        young = [post async for post in (await reddit.subreddit("stocks")).rising(limit=5)]
        assert young


class ToSim(requests.adapters.HTTPAdapter):
    """Sends what is meant for a vendor's hosts to the simulator, the host's name and cookies unchanged."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        """Send a copy, so that cookies still belong to the vendor's host."""
        parts = urlsplit(str(request.url))
        there = request.copy()
        there.headers["Host"] = parts.netloc
        there.url = self._url + (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        answer = super().send(there, *args, **kwargs)
        answer.url, answer.request = str(request.url), request
        return answer


def session_to(sim: Process) -> requests.Session:
    session = requests.Session()
    session.mount("https://", ToSim(sim.url))
    return session


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # yfinance's own, against a newer pandas
def test_yfinance_reads_company_data(sim: Process, tmp_path: Path) -> None:
    yfinance.set_tz_cache_location(str(tmp_path))
    with session_to(sim) as session:
        ticker = yfinance.Ticker("IBM", session=session)
        info = ticker.info
        assert info["marketCap"] == pytest.approx(info["currentPrice"] * info["sharesOutstanding"], rel=1e-3)
        assert info["trailingPE"] == pytest.approx(info["currentPrice"] / info["trailingEps"], rel=0.01)
        income, balance, cash = ticker.income_stmt, ticker.balance_sheet, ticker.cashflow
        assert len(income.columns) == len(balance.columns) == len(cash.columns) == 4
        assert list(income.loc["Net Income"]) == list(cash.loc["Net Income From Continuing Operations"])
        owned = balance.loc["Total Liabilities Net Minority Interest"] + balance.loc["Stockholders Equity"]
        assert list(balance.loc["Total Assets"]) == list(owned)
        assert len(ticker.quarterly_income_stmt.columns) == 5
        assert ticker.analyst_price_targets["low"] < ticker.analyst_price_targets["high"]
        assert list(ticker.recommendations["period"]) == ["0m", "-1m", "-2m", "-3m"]
        assert ticker.insider_transactions["Shares"].sum() > 0
        assert "Purchases" in list(ticker.insider_purchases.iloc[:, 0])
        assert ticker.calendar["Earnings Date"] > [dt.date(2010, 5, 6)]
        assert len(ticker.earnings_history) == 4
        assert {"10-K", "10-Q", "8-K"} <= {filing["type"] for filing in ticker.sec_filings}
        assert len(ticker.history(period="1mo")) > 15
        assert 10 < len(ticker.history(period="1d", interval="5m")) < 20


def test_youtube_transcript_api_reads_transcripts(sim: Process) -> None:
    with session_to(sim) as session:
        answer = session.get("https://www.googleapis.com/youtube/v3/search?key=any&q=stock+market&maxResults=50")
        api = YouTubeTranscriptApi(http_client=session)
        read = 0
        for item in answer.json()["items"]:
            try:
                tracks = api.list(item["id"]["videoId"])
            except TranscriptsDisabled:
                continue
            said = next(iter(tracks)).fetch()
            assert len(said) > 10
            assert said[1].start > said[0].start
            read += 1
        assert read > 5
