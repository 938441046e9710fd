"""``ticks``, ``lanes`` and ``dlq`` at a real stream server: a file goes in, what is there can be seen and dropped."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal
from tests.cli.shell import Shell
from tests.streams.served import running_valkey

from tapeline.streams.frames import pack_fields
from tapeline.streams.keys import INGRESS, PAYLOAD, REASON, ROUTER_DEAD
from tapeline.streams.valkey import connect

CSV = "symbol,price,volume,time\nA,10,5,1600000000\nA,11,5,1600000060\nB,7,1,1600000061\n"


@pytest.fixture
def server() -> Iterator[tuple[BlockingPortal, str]]:
    with running_valkey() as both:
        yield both


@pytest.mark.process
def test_a_file_is_loaded_seen_as_waiting_and_replayed_the_same_twice(
    shell: Shell, server: tuple[BlockingPortal, str], tmp_path: Path
) -> None:
    _, address = server
    (tmp_path / "ticks.csv").write_text(CSV)
    loaded = json.loads(shell("ticks", "load", str(tmp_path / "ticks.csv"), "--address", address, "--json").out)
    assert (loaded["ticks"], loaded["synced"]) == (3, True)
    seen = json.loads(shell("lanes", "--address", address, "--json").out)
    assert seen["ingress"]["last_id"] == loaded["last_id"]
    assert seen["ingress"]["lag"] > 0
    first, second = (shell("ticks", "replay", "--address", address, "--json").out for _ in range(2))
    assert json.loads(first)["ticks"] == 3
    assert first == second
    for window in (
        ("--to", "2001-01-01T00:00:00+00:00"),
        ("--from", "1600-01-01T00:00:00+00:00", "--to", "1969-01-01T00:00:00+00:00"),
    ):
        nothing = shell("ticks", "replay", *window, "--address", address, "--json").out
        assert json.loads(nothing)["ticks"] == 0


@pytest.mark.process
def test_a_dead_letter_is_listed_and_dropped(shell: Shell, server: tuple[BlockingPortal, str]) -> None:
    portal, address = server

    async def bury() -> None:
        async with connect(address) as store:
            await store.append(ROUTER_DEAD, [{REASON: b"no tick", PAYLOAD: b"x"}])

    assert shell("dlq", "list", "--address", address).out == "there are no dead letters\n"
    assert shell("dlq", "show", "all", "--address", address).out == "there are no dead letters\n"
    assert shell("dlq", "drop", "all", "--address", address).out == "0 letters were dropped\n"
    assert json.loads(shell("dlq", "list", "--address", address, "--json").out) == {"letters": []}
    portal.call(bury)
    (told,) = json.loads(shell("dlq", "list", "--address", address, "--json").out)["letters"]
    assert told["reason"] == "no tick"
    assert "there is no dead letter" in shell.refuses("dlq", "drop", "0/1-1", "--address", address)
    assert shell("dlq", "drop", told["letter"], "--address", address).out == "1 letter was dropped\n"
    assert shell("dlq", "list", "--address", address).out == "there are no dead letters\n"


@pytest.mark.process
def test_a_dead_letter_is_shown_corrected_and_sent_again(shell: Shell, server: tuple[BlockingPortal, str]) -> None:
    portal, address = server
    fields = {b"symbol": b"A", b"price": b"x", b"volume": b"1", b"exchange_timestamp": b"1600000000"}

    async def bury() -> None:
        async with connect(address) as store:
            await store.append(ROUTER_DEAD, [{REASON: b"no number", PAYLOAD: pack_fields(fields)}] * 2)

    portal.call(bury)
    listed = json.loads(shell("dlq", "list", "--address", address, "--json").out)["letters"]
    assert len(listed) == 2
    first = listed[0]["letter"]
    shown = shell("dlq", "show", first, "--address", address).out
    assert [word in shown for word in (first, "no number", "price = b'x'")] == [True] * 3
    at_server = ("--address", address)
    assert "is not FIELD=VALUE" in shell.refuses("dlq", "replay", first, "--set", "price", *at_server)
    assert "corrects one letter" in shell.refuses("dlq", "replay", "all", "--set", "price=1", *at_server)
    assert shell("dlq", "replay", first, "--set", "price=7", *at_server).out == "1 letter was sent again\n"
    assert "there is no dead letter" in shell.refuses("dlq", "replay", first, *at_server)
    assert shell("dlq", "replay", "all", *at_server).out == "1 letter was sent again\n"
    assert shell("dlq", "list", *at_server).out == "there are no dead letters\n"

    async def prices() -> list[bytes]:
        async with connect(address) as store:
            block = await store.read_block(INGRESS, "0-0", count=9, block_s=0.0)
            return [block.fields(i)[b"price"] for i in range(len(block))]

    assert portal.call(prices) == [b"7", b"x"]


@pytest.mark.process
def test_lanes_are_watched_until_ctrl_c(shell: Shell, server: tuple[BlockingPortal, str]) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 2:
            raise KeyboardInterrupt

    shell.patch.setattr("tapeline.cli.lanes.time.sleep", nap)
    answer = shell("lanes", "--watch", "--address", server[1])
    assert answer.code == 130
    assert "ingress" in answer.out
    assert naps == [1.0, 1.0]


@pytest.mark.parametrize(("moment", "why"), [("noon", "is not a moment"), ("2026-01-05T14:30:00", "has no time zone")])
def test_a_moment_that_is_none_is_refused(shell: Shell, moment: str, why: str) -> None:
    assert why in shell.refuses("ticks", "replay", "--from", moment, "--address", "/nowhere")


def test_a_window_that_ends_before_it_begins_is_refused(shell: Shell) -> None:
    window = ("--from", "2026-01-06T00:00:00+00:00", "--to", "2026-01-05T00:00:00+00:00")
    assert "is after --to 2026-01-05" in shell.refuses("ticks", "replay", *window, "--address", "/nowhere")


@pytest.mark.parametrize("other", [("--json",), ("--set", "3")])
def test_lanes_that_are_watched_are_nothing_else(shell: Shell, other: tuple[str, ...]) -> None:
    assert (
        shell.refuses("lanes", "--watch", *other) == "--watch shows a table again and again: leave out --json and --set"
    )


def test_a_file_that_is_not_there_is_refused(shell: Shell) -> None:
    assert "there is no file" in shell.refuses("ticks", "load", "/no/such.csv", "--address", "/nowhere")


@pytest.mark.process
def test_the_number_of_lanes_is_set_at_a_server_and_at_a_stopped_home(
    shell: Shell, server: tuple[BlockingPortal, str]
) -> None:
    _, address = server
    assert json.loads(shell("lanes", "--set", "3", "--address", address, "--json").out) == {"lanes": 3, "changes": 0}
    assert json.loads(shell("lanes", "--set", "5", "--address", address, "--json").out) == {"lanes": 5, "changes": 1}
    assert len(json.loads(shell("lanes", "--address", address, "--json").out)["lanes"]) == 5
    assert "set streams.lanes = 3" in shell.refuses("lanes", "--set", "3")  # nothing has run there
    (shell.home / "valkey").mkdir(parents=True)
    assert shell("lanes", "--set", "3").out.startswith("3 lanes")
    assert shell("lanes", "--set", "2").out == "2 lanes\n"
    shell.patch.setenv("TAPELINE_STREAMS__LANES", "2")
    assert shell("lanes", "--set", "3").out.startswith("3 lanes; set streams.lanes = 3")
