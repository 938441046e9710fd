"""The vendors' own clients against the running simulator: what they can read, ours can."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import asyncpraw
import pydantic
import pytest
from openai import APIStatusError, AsyncOpenAI, InternalServerError
from tests.sim.test_main import Process

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
    assert "growth_pct" in "".join(words)


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
