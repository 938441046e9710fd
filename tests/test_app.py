"""The composition root: names are checked before anything starts, and who is asked depends on the keys."""

from __future__ import annotations

import contextlib
import socket
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import msgspec
import pytest

from tapeline import app
from tapeline.core.clock import SystemClock
from tapeline.core.config import Config, LiveConfig, LlmConfig
from tapeline.core.config.secrets import AlpacaKeys
from tapeline.core.config.tree import ReplayConfig
from tapeline.core.config.web import WebConfig
from tapeline.core.errors import ConfigError, PortInUse
from tapeline.core.home import Home
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.feed.model_life import ModelServer
from tapeline.feed.simulator import Simulator, asking
from tapeline.loop.show import Board


def _with_indicators(*names: str) -> Config:
    return msgspec.structs.replace(Config(), live=LiveConfig(indicators=names))


def test_the_defaults_name_only_what_exists_and_an_unknown_indicator_is_refused_before_anything_starts() -> None:
    app.check_names(Config())
    app.check_names(_with_indicators("rsi_14"))
    with pytest.raises(ConfigError, match=r"live\.indicators: .*rsy_14"):
        app.check_names(_with_indicators("rsi_14", "rsy_14"))


def _vendors(environ: dict[str, str], **llm: object) -> app.Asked:
    """Return who is asked on the live market, with these keys and settings of the language model."""
    config = msgspec.structs.replace(Config(), llm=msgspec.convert(llm, LlmConfig))

    async def main() -> app.Asked:
        async with AsyncExitStack() as stack:
            nobody: Outcome[ModelServer] = nothing(Kind.NO_DATA, source="llm", reason="it is not installed")
            keys = AlpacaKeys("id", "secret")
            return await app.open_vendors(stack, config, keys, environ, SystemClock(), nobody, replay=False)

    return anyio.run(main)


def test_without_keys_talk_and_model_are_off_and_each_says_why() -> None:
    asked = _vendors({}, kind="embedded")
    assert (asked.research.talk, asked.research.model, asked.research.sources.youtube) == ((), None, None)
    gaps = dict(asked.research.gaps)
    assert list(gaps) == ["reddit", "youtube", "llm"]
    assert "REDDIT_CLIENT_ID" in gaps["reddit"]
    assert "it is not installed" in gaps["llm"]
    assert asked.research.sources.fundamentals is not None


def test_with_keys_and_an_endpoint_everybody_is_there_and_no_key_is_shown() -> None:
    environ = {
        **{"REDDIT_CLIENT_ID": "rid", "REDDIT_CLIENT_SECRET": "rsecret"},
        **{"YOUTUBE_API_KEY": "ysecret", "TAPELINE_LLM_API_KEY": "lsecret"},
    }
    asked = _vendors(environ, kind="endpoint", base_url="http://127.0.0.1:1/v1")
    assert [source.name for source in asked.research.talk] == ["reddit", "youtube"]
    assert asked.research.gaps == ()
    assert {"reddit", "llm"} <= {name.split(".")[0] for name in asked.vendors.stats}
    assert not any(secret in repr(asked) for secret in ("rsecret", "ysecret", "lsecret"))


def test_the_simulators_model_is_refused_where_there_is_no_simulator() -> None:
    with pytest.raises(ConfigError, match="only a replay has a simulator"):
        _vendors({}, kind="sim")


async def _served(port: int) -> tuple[app.Page, list[str]]:
    config = msgspec.structs.replace(Config(), web=WebConfig(port=port))
    said: list[str] = []
    async with AsyncExitStack() as stack:
        return await app._page(stack, config, Board(config), said.append), said


def test_the_usual_port_is_a_habit_and_a_chosen_one_a_promise() -> None:
    usual = WebConfig().port
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with contextlib.suppress(OSError):  # somebody else may have it already, which is as good
            taken.bind(("127.0.0.1", usual))
            taken.listen()
        page, said = anyio.run(_served, usual)
    assert page.url
    assert not page.url.endswith(f":{usual}")
    assert said == [f"page: {page.url}"]
    assert len(page.token) > 20
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ExceptionGroup) as caught:
            anyio.run(_served, taken.getsockname()[1])
        assert caught.group_contains(PortInUse, match="is taken")


def test_a_page_that_is_off_is_no_page() -> None:
    async def main() -> app.Page:
        config = msgspec.structs.replace(Config(), web=WebConfig(enabled=False))
        async with AsyncExitStack() as stack:
            return await app._page(stack, config, Board(config), print)

    assert anyio.run(main) == app.Page()


def test_a_replay_listens_to_no_stream_unless_it_is_told_to_and_a_live_node_to_that_of_the_homes_watchlist(
    tmp_path: Path,
) -> None:
    simulator = Simulator("http://127.0.0.1:1", 0)
    told = msgspec.structs.replace(Config(), replay=ReplayConfig(stream=True))
    assert Config().feed.stream
    assert [asking(config, simulator).feed.stream for config in (Config(), told)] == [False, True]
    stream = app._stream(Config(), Home(tmp_path), AlpacaKeys("id", "secret"), SystemClock())
    assert stream.watched() == ()
    (tmp_path / "watchlist.txt").write_text("msft\naapl\n")
    assert (stream.watched(), stream.max_symbols) == (("AAPL", "MSFT"), 30)
