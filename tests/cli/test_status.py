"""``status``: the lanes of the running node, and one sentence when none runs."""

from __future__ import annotations

import json
import socket

import httpx2
import pytest
from tests.cli.shell import Shell

from tapeline.cli import status
from tapeline.core.config import Config, StreamsConfig
from tapeline.core.home import Home, NodeNote
from tapeline.streams.store import LaneProgress
from tapeline.streams.witness import Loss

LANE = LaneProgress(
    lane=0,
    owner="worker-0",
    length=12,
    lag=3,
    closed=4,
    dead=5,
    last_id="9-0",
    applied_id="6-0",
    snapshot_id="5-0",
    watermark_ns=None,
)


LOSS = Loss("lane-0", "8-0", "7-0", "6-0", "6-1")


def run_node(
    shell: Shell,
    lost: tuple[Loss, ...] = (),
    wrong: dict[str, str] | None = None,
    server: str = "unix:///of/the/node",
) -> None:
    """Leave the note of a node with one lane, whose page says what is wrong."""
    home = Home(shell.home)
    home.prepare()
    page = "http://127.0.0.1:8321"
    home.write_note(NodeNote(pid=4711, version="0", valkey=server, api=page, token="s3cret"))

    async def lanes(address: str) -> list[LaneProgress]:
        assert address == server
        return [LANE]

    async def losses(address: str) -> tuple[Loss, ...]:
        assert address == server
        return lost

    shell.patch.setattr("tapeline.app.lane_progress", lanes)
    shell.patch.setattr("tapeline.streams.letters.stream_losses", losses)
    shell.patch.setattr(status, "troubles_of", lambda _page: wrong or {})


def test_without_a_node_it_says_so(shell: Shell) -> None:
    assert shell.refuses("status").startswith(f"no node runs in {shell.home}")


def test_it_shows_the_lanes_to_people(shell: Shell) -> None:
    run_node(shell)
    answer = shell("status")
    assert answer.code == 0
    assert "node 4711" in answer.out
    assert [word in answer.out for word in ("worker-0", "12", "3", "5", "6-0")] == [True] * 5


def test_lost_data_is_told_to_people_and_as_json(shell: Shell) -> None:
    run_node(shell, (LOSS,))
    assert "LOST DATA: lane-0 was seen up to 8-0, with effects up to 7-0" in shell("status").out
    (told,) = json.loads(shell("status", "--json").out)["lost_data"]
    assert (told["part"], told["seen_id"], told["known_id"]) == ("lane-0", "8-0", "6-0")


def test_without_a_loss_nothing_is_said_of_one(shell: Shell) -> None:
    run_node(shell)
    assert "LOST" not in shell("status").out
    assert json.loads(shell("status", "--json").out)["lost_data"] == []


def test_it_tells_everything_as_json(shell: Shell) -> None:
    run_node(shell)
    told = json.loads(shell("status", "--json").out)
    assert told["node"]["pid"] == 4711
    assert told["lanes"][0]["lag"] == 3
    assert told["node"]["api"] == "http://127.0.0.1:8321"


def test_it_says_where_the_page_is_and_keeps_the_token_to_itself(shell: Shell) -> None:
    run_node(shell)
    assert "http://127.0.0.1:8321" in shell("status").out
    assert all("s3cret" not in shell("status", *options).out for options in ((), ("--json",)))


def test_the_password_of_the_stream_server_is_not_shown(shell: Shell) -> None:
    run_node(shell, server="rediss://me:hush@host:6380/0")
    assert "hush" not in shell("status").out
    assert json.loads(shell("status", "--json").out)["node"]["valkey"] == "rediss://***@host:6380/0"


def test_where_prometheus_asks_each_worker_is_told(shell: Shell) -> None:
    run_node(shell)
    Home(shell.home).write_settings(Config(streams=StreamsConfig(workers=2, metrics_port=9100)))
    both = ["http://127.0.0.1:9100/metrics", "http://127.0.0.1:9101/metrics"]
    assert f"metrics of the workers: {' '.join(both)}" in shell("status").out
    assert json.loads(shell("status", "--json").out)["metrics"] == both


def test_what_does_not_work_is_told_to_people_and_as_json(shell: Shell) -> None:
    run_node(shell, wrong={"llm": "the model [/x] is being started again"})
    assert "llm: the model [/x] is being started again" in shell("status").out
    assert json.loads(shell("status", "--json").out)["wrong"] == {"llm": "the model [/x] is being started again"}


def test_of_the_pages_sources_those_that_work_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def get(url: str, **_how: object) -> httpx2.Response:
        told = {"sources": {"alpaca.data": "ok", "llm": "it ended"}, "state": "open"}
        return httpx2.Response(200, json=told, request=httpx2.Request("GET", url))

    monkeypatch.setattr(httpx2, "get", get)
    assert status.troubles_of("http://127.0.0.1:1") == {"llm": "it ended"}


def test_a_page_that_does_not_answer_is_what_is_wrong() -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))  # bound and not listening: refused
        page = f"http://127.0.0.1:{unheard.getsockname()[1]}"
        assert status.troubles_of(page) == {"page": f"it does not answer at {page} (ConnectError)"}
