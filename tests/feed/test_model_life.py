"""The embedded model's process dies: it is started again, what was asked is asked once more, and all of it is told."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import anyio
import httpx2
import pytest
from msgspec import Meta, Struct
from tests.feed.models import installed_weights

from tapeline.core.clock import LogicalClock, actor
from tapeline.core.config import FeedConfig, LlmConfig
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.feed import model_life
from tapeline.feed.gateway import Gateway
from tapeline.feed.llm import LLM_HOST, ChatModel, llm_feed, llm_host
from tapeline.feed.model_life import LAST_PAUSE_S, ModelServer, PatientModel, pause_s
from tapeline.feed.model_server import server_argv

T = TypeVar("T")

READY = """echo "{\\"url\\":\\"http://127.0.0.1:1/$$\\",\\"pid\\":$$}"; exec sleep 1000"""
"""A server that is ready at once and answers nobody; its address ends with its pid."""
CHAT = Path(__file__).with_name("dying_chat.py")


class Mood(Struct):
    """What is asked for."""

    stance_pct: Annotated[int, Meta(ge=-100, le=100)]


class Life:
    """A watched server, and what was told of it."""

    def __init__(self, server: ModelServer, first: Outcome[str]) -> None:
        self.server, self.first = server, first
        self.told: list[str] = []
        self.urls: list[str] = []

    async def has_told(self, n: int) -> None:
        """Wait until something was told ``n`` times."""
        while len(self.told) < n:
            await self.server._changed.wait()
            await anyio.lowlevel.checkpoint()


def live(
    folder: Path, argv: list[str], main: Callable[[Life], Awaitable[T]], *, backend: str = "asyncio", pause: float = 0.0
) -> T:
    """Start a server, watch it, and run ``main`` beside it."""

    async def outer() -> T:
        server = ModelServer(argv, log_path=folder / "model.log", drain_s=1.0, first_pause_s=pause)
        try:
            with anyio.fail_after(30):
                life = Life(server, await server.first_url())
                async with anyio.create_task_group() as group:
                    group.start_soon(server.watch, life.urls.append, life.told.append)
                    found = await main(life)
                    group.cancel_scope.cancel()
                return found
        finally:
            server.terminate()

    return anyio.run(outer, backend=backend)


def pid_in(url: str) -> int:
    return int(url.rpartition("/")[2])


def counting(folder: Path, script: str) -> list[str]:
    """Return a command that knows by $N how often it was started."""
    return ["sh", "-c", f"echo >> {folder}/starts; N=$(wc -l < {folder}/starts); {script}"]


def test_the_pauses_double_up_to_a_minute() -> None:
    assert [pause_s(n) for n in (1, 2, 3, 8)] == [0.5, 1.0, 2.0, LAST_PAUSE_S]
    assert pause_s(10_000) == LAST_PAUSE_S


@pytest.mark.process
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_killed_server_is_started_again_elsewhere_and_both_are_told(tmp_path: Path, backend: str) -> None:
    async def main(life: Life) -> tuple[str, str]:
        os.kill(pid_in(life.first.unwrap()), signal.SIGKILL)
        await life.has_told(1)
        trouble = await life.server.wait_up(20.0)
        assert life.server.lives == 2
        await life.has_told(2)
        os.kill(pid_in(life.urls[0]), signal.SIGKILL)
        await life.has_told(4)
        assert life.server.lives == 3
        assert len({life.first.unwrap(), *life.urls}) == 3
        assert life.told[1::2] == ["", ""]
        return trouble, life.told[0]

    trouble, told = live(tmp_path, ["sh", "-c", READY], main, backend=backend)
    assert trouble == ""
    assert told == "the embedded language model ended by signal 9 and is started again"


@pytest.mark.process
def test_a_server_that_says_what_to_mend_is_not_started_again_and_nobody_waits_for_it(tmp_path: Path) -> None:
    script = f'[ "$N" = 2 ] && echo "tapeline: the file is no model" >&2 && exit 2; {READY}'

    async def main(life: Life) -> str:
        os.kill(pid_in(life.first.unwrap()), signal.SIGKILL)
        await life.has_told(2)
        return await life.server.wait_up(3600.0)

    trouble = live(tmp_path, counting(tmp_path, script), main)
    assert trouble.endswith("ended with code 2 and is not started again: tapeline: the file is no model")


@pytest.mark.process
def test_a_first_start_that_fails_is_tried_again_and_a_hopeless_one_is_not(tmp_path: Path) -> None:
    async def first(life: Life) -> Outcome[str]:
        await anyio.lowlevel.checkpoint()
        return life.first

    assert live(tmp_path, counting(tmp_path, f'[ "$N" -lt 3 ] && exit 1; {READY}'), first).is_value
    assert (tmp_path / "starts").read_text().count("\n") == 3
    failed = live(tmp_path, ["sh", "-c", f"echo >> {tmp_path}/hopeless; echo no such model >&2; exit 2"], first)
    assert (failed.kind, failed.source) == (Kind.ERROR, LLM_HOST)
    assert failed.reason == "the embedded language model ended with code 2: no such model"
    assert (tmp_path / "hopeless").read_text().count("\n") == 1


class Scripted:
    """A model that does what it is told, question by question."""

    name, max_context_tokens, max_answer_tokens = "small", 600, 160

    def __init__(self, *deeds: Callable[[], Awaitable[Outcome[Any]]]) -> None:
        self._deeds = list(deeds)

    async def ask(self, system: str, user: str, schema: type[Any], *, max_tokens: int | None = None) -> Outcome[Any]:
        return await self._deeds.pop(0)()


async def ask(model: PatientModel) -> Outcome[Mood]:
    return await model.ask("you weigh", "what now?", Mood)


def cut_off() -> Outcome[Any]:
    return nothing(Kind.ERROR, source=LLM_HOST, reason="/chat/completions: ReadError")


@pytest.mark.process
def test_a_question_that_a_death_cut_off_is_asked_once_more_and_a_second_death_ends_it(tmp_path: Path) -> None:
    async def main(life: Life) -> tuple[Outcome[Mood], Outcome[Mood]]:
        async def die() -> Outcome[Any]:
            os.kill(pid_in([life.first.unwrap(), *life.urls][-1]), signal.SIGKILL)
            await anyio.lowlevel.checkpoint()
            return cut_off()

        async def answer() -> Outcome[Any]:
            await anyio.lowlevel.checkpoint()
            return value_of(Mood(5), source="small")

        again = await ask(PatientModel(Scripted(die, answer), life.server, 20.0))
        return again, await ask(PatientModel(Scripted(die, die), life.server, 20.0))

    again, given_up = live(tmp_path, ["sh", "-c", READY], main)
    assert again.unwrap() == Mood(5)
    assert (given_up.kind, given_up.source) == (Kind.ERROR, LLM_HOST)
    assert given_up.reason == "the embedded language model ended 2 times over this question"


@pytest.mark.process
def test_who_lives_is_not_asked_again_and_who_is_away_too_long_is_not_asked_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_life, "NOTICE_S", 0.05)

    async def main(life: Life) -> list[Outcome[Mood]]:
        async def fail() -> Outcome[Any]:
            await anyio.lowlevel.checkpoint()
            return cut_off()

        async def babble() -> Outcome[Any]:
            await anyio.lowlevel.checkpoint()
            return nothing(Kind.ERROR, source="small", reason="its answer cannot be used")

        found = [await ask(PatientModel(Scripted(deed), life.server, 20.0)) for deed in (fail, babble)]
        os.kill(pid_in(life.first.unwrap()), signal.SIGKILL)
        await life.has_told(1)
        return [*found, await ask(PatientModel(Scripted(), life.server, 0.01))]

    failed, unusable, away = live(tmp_path, ["sh", "-c", READY], main, pause=60.0)
    assert failed == cut_off()
    assert unusable.source == "small"
    assert (away.kind, away.source) == (Kind.LIMITED, LLM_HOST)
    assert away.reason == "the embedded language model ended by signal 9 and is started again"


async def answer_of(life: Life, transport: httpx2.AsyncBaseTransport | None = None) -> tuple[list[Outcome[Mood]], int]:
    """Ask the model behind a gateway twice; return its answers, and the logical nanoseconds that passed."""
    clock = LogicalClock(0)
    config = LlmConfig(max_answer_tokens=64)
    host = llm_host(config, clock, base_url=life.first.unwrap())
    gateway = Gateway(
        [host], config=llm_feed(config, FeedConfig()), clock=clock, seed=7, replay=True, transport=transport
    )
    async with gateway, actor(clock), anyio.create_task_group() as group:
        group.start_soon(life.server.watch, lambda url: gateway.move(LLM_HOST, url), life.told.append)
        model = PatientModel(ChatModel(gateway, config), life.server, 30.0)
        outcomes = [await ask(model), await ask(model)]
        group.cancel_scope.cancel()
    return outcomes, clock.now_ns()


def alone(folder: Path, argv: list[str], transport: Callable[[Life], httpx2.AsyncBaseTransport | None]) -> Any:
    """Run ``answer_of`` with a server that nobody else watches; return also what was told."""

    async def main() -> Any:
        server = ModelServer(argv, log_path=folder / "model.log", drain_s=1.0, first_pause_s=0.0)
        try:
            with anyio.fail_after(60):
                life = Life(server, await server.first_url())
                return (*await answer_of(life, transport(life)), life.told)
        finally:
            server.terminate()

    return anyio.run(main)


@pytest.mark.process
def test_a_server_that_is_killed_in_the_middle_of_an_answer_gives_it_in_its_next_life(tmp_path: Path) -> None:
    argv = [sys.executable, "-I", "-S", str(CHAT), str(tmp_path / "lives")]
    (first, second), _, told = alone(tmp_path, argv, lambda _life: None)
    assert [first.unwrap(), second.unwrap()] == [Mood(2), Mood(2)]  # both of its second life
    assert [bool(trouble) for trouble in told] == [True, False]


class Assassin(httpx2.AsyncHTTPTransport):
    """Kills the server just before the first question reaches it."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._pid: int | None = pid

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            self._pid = None
        return await super().handle_async_request(request)


@pytest.mark.process
def test_the_real_model_answers_again_after_a_kill_and_the_market_stood_still(tmp_path: Path) -> None:
    argv = server_argv(LlmConfig(max_answer_tokens=64), installed_weights())

    def kill(life: Life) -> httpx2.AsyncBaseTransport:
        return Assassin(life.server.pid)

    (first, second), passed_ns, told = alone(tmp_path, argv, kill)
    assert first.kind is second.kind
    assert first.unwrap() == second.unwrap()
    assert passed_ns < 2_000_000_000  # of the gateway's own second try, not of the start
    assert [bool(trouble) for trouble in told] == [True, False]
