"""``poll``, against the simulator in the vendor's place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from tests.cli.shell import Answer, Shell
from tests.sim.running import running_simulator

from tapeline.cli import poll
from tapeline.feed.watchlist import WatchedFile


@pytest.fixture(scope="module")
def vendor() -> Iterator[str]:
    """Yield the address of a simulator that several verbs ask in turn."""
    with running_simulator(60) as address:
        yield address


@pytest.fixture
def polling(shell: Shell, vendor: str) -> Shell:
    """Return a shell that knows the vendor's address and has a key."""
    shell.patch.setenv("TAPELINE_FEED__ALPACA__BASE_URL", vendor)
    shell.patch.setenv("APCA_API_KEY_ID", "key")
    shell.patch.setenv("APCA_API_SECRET_KEY", "secret")
    return shell


def _lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.out.splitlines()]


def _bars(answer: Answer) -> list[dict[str, Any]]:
    """Return the lines of bars and quotes, without those of cycles."""
    return [line for line in _lines(answer) if "cycle" not in line]


@pytest.mark.process
def test_one_poll_tells_bars_and_names_the_unknown(polling: Shell) -> None:
    told = json.loads(polling("poll", "--once", "--symbols", "aapl, MSFT,NOPE", "--json").out)
    assert [bar["symbol"] for bar in told["bars"]] == ["AAPL", "MSFT"]
    assert {bar["t"] for bar in told["bars"]} == {"2010-05-05T19:59:00Z"}  # the bell has not rung yet: last evening's
    assert told["refused"] == [{"symbol": "NOPE", "reason": "the vendor lists no such stock"}]
    assert (told["requests"], told["notes"]) == (1, [])
    assert told["no_trade"] == told["unknown"] == told["missing"] == []
    answer = polling("poll", "--once", "--symbols", "AAPL,NOPE")
    assert "AAPL     2010-05-05T19:59:00Z" in answer.out
    assert answer.err == "NOPE: the vendor lists no such stock\n"
    assert polling("poll", "--once", "--symbols", "NOPE").code == 1


@pytest.mark.process
def test_some_cycles_of_the_watchlist_tell_each_minute_once(polling: Shell) -> None:
    polling("watchlist", "add", "AAPL", "MSFT")
    answer = polling("poll", "--cycles", "3", "--json")
    rows = _bars(answer)
    assert [(row["t"][11:16], row["symbol"]) for row in rows] == [
        (f"13:{minute}", symbol) for minute in (30, 31, 32) for symbol in ("AAPL", "MSFT")
    ]
    assert "2010-05-06T13:33:00Z: 2 bars" in polling("poll", "--cycles", "1").out


@pytest.mark.process
def test_a_line_of_each_cycle_names_the_minute_by_its_start_and_who_is_without_a_bar(polling: Shell) -> None:
    answer = polling("poll", "--cycles", "1", "--json", "--symbols", "AAPL,MSFT")
    first, second = [line["cycle"] for line in _lines(answer) if "cycle" in line]
    assert first["minute"] == second["minute"] == _bars(answer)[0]["t"]
    assert (first["bars"], first["requests"], first["missing"], first["unknown"]) == (2, 1, [], [])
    assert (second["bars"], second["requests"], second["no_trade"], second["alerts"]) == (0, 1, [], [])


@pytest.mark.process
def test_a_feed_that_has_the_minute_of_nobody_is_silent_and_not_without_trade(polling: Shell, vendor: str) -> None:
    # Under another name the simulator's clock is not asked for: its day is years ago by the wall.
    polling.patch.setenv("TAPELINE_FEED__ALPACA__BASE_URL", vendor.replace("127.0.0.1", "0.0.0.0"))
    told = json.loads(polling("poll", "--once", "--symbols", "AAPL,MSFT", "--json").out)
    assert (told["bars"], told["no_trade"], told["unknown"]) == ([], [], ["AAPL", "MSFT"])
    assert "the feed iex has no bar of the minute" in told["notes"][0]
    answer = polling("poll", "--once", "--symbols", "AAPL,MSFT")
    assert (answer.code, answer.out) == (0, "0 bars, 1 requests, 1 pages\n")
    assert "for any of the 2 symbols asked for: it may be silent, or nobody traded" in answer.err


@pytest.mark.process
def test_what_polls_before_have_sent_counts_in_the_next_one(polling: Shell, vendor: str) -> None:
    polling.patch.setenv("RATE_LIMIT_RPM", "7")
    polling.patch.setenv("BATCH_SIZE", "1")
    words = ("poll", "--once", "--json", "--symbols", "AAPL,MSFT,IBM,XOM,GE")
    begun_ns = httpx2.get(f"{vendor}/sim/clock", trust_env=False).json()["now_ns"]
    for _ in range(2):
        assert len(json.loads(polling(*words).out)["bars"]) == 5
    assert httpx2.get(f"{vendor}/sim/clock", trust_env=False).json()["now_ns"] - begun_ns > 60 * 10**9
    # By the wall nobody waits: what does not fit before the deadline is missing, with the reason.
    polling.patch.setenv("TAPELINE_FEED__ALPACA__BASE_URL", vendor.replace("127.0.0.1", "0.0.0.0"))
    polling.patch.setenv("TAPELINE_FEED__CYCLE_S", "20")
    told = [json.loads(polling(*words[:-1], "AAPL,MSFT").out) for _ in range(4)]
    assert [len(one["missing"]) for one in told] == [0, 0, 0, 1]
    assert "all 7 requests of 60 s are used" in told[-1]["missing"][0]["reason"]


@pytest.mark.process
def test_words_that_do_not_go_together_are_refused(polling: Shell) -> None:
    assert "--symbols names no symbol" in polling.refuses("poll", "--symbols", "")
    assert "--symbols names no symbol" in polling.refuses("sync", "--symbols", " , ")
    assert "leave out --cycles and --stream" in polling.refuses("poll", "--once", "--cycles", "3")


@pytest.mark.process
def test_with_a_stream_each_bar_is_still_told_once_and_too_long_a_list_is_refused(polling: Shell) -> None:
    answer = polling("poll", "--symbols", "AAPL,MSFT", "--cycles", "3", "--json", "--stream")
    rows = _bars(answer)
    told = [(row["event_ns"], row["symbol"], row["revision"]) for row in rows]
    assert len(told) == len(set(told)) >= 3 * 2
    assert {row["label"] for row in rows} == {"bridged"}
    assert "a stream of 59 symbols" in polling.refuses("poll", "--cycles", "1", "--stream")


@pytest.mark.process
def test_how_and_what_is_asked_is_chosen_on_the_command_line_and_by_the_environment(polling: Shell) -> None:
    for words, variable, requests in (
        (("--strategy", "sequential"), "batch", 2),
        ((), "concurrent", 2),
        ((), "batch", 1),
        (("--mode", "latest"), "hybrid", 1),
    ):
        polling.patch.setenv("TAPELINE_FEED__STRATEGY", variable)
        answer = polling("poll", "--symbols", "AAPL,MSFT", "--cycles", "1", *words)
        assert f"2 bars, 0 of them revised, 0 without a bar yet, 0 missing, {requests} requests" in answer.out
    polling.patch.setenv("TAPELINE_FEED__MODE", "snapshots")
    rows = _bars(polling("poll", "--symbols", "AAPL", "--cycles", "1", "--json"))
    assert rows[0]["close"] > 0
    assert rows[1]["bid"] <= rows[1]["price"] <= rows[1]["ask"]
    polling.patch.setenv("TAPELINE_FEED__REQUESTS_PER_MINUTE", "1")
    refusal = polling.refuses("poll", "--symbols", "AAPL,MSFT", "--strategy", "sequential")
    assert "2 symbols in batches of 1 need 2 requests every 60 s, but feed.requests_per_minute allows 1" in refusal


def test_settings_that_change_on_disk_are_taken_over_and_bad_ones_are_named_and_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, used = tmp_path / "tapeline.toml", []
    file, read = WatchedFile(path), partial(poll._settings, path, None, "latest")
    poller = SimpleNamespace(use=lambda feed: used.append((feed.strategy, feed.mode)))
    for text in (None, '[feed]\nstrategy = "batch"\n', "", None, '[feed]\nstrategy = "guess"\n'):
        if text is not None:
            path.write_text(text + "#" * len(used))
        poll._retune(file, read, poller)  # type: ignore[arg-type]  # only ``use`` is called
    assert used == [("batch", "latest"), ("hybrid", "latest")]
    assert capsys.readouterr().err.splitlines()[-1].startswith("the settings stay as they were: feed.strategy")


def test_without_a_key_nobody_is_asked(shell: Shell) -> None:
    assert "set APCA_API_KEY_ID and APCA_API_SECRET_KEY" in shell.refuses("poll", "--once", "--symbols", "AAPL")


@pytest.mark.process
def test_sync_fetches_what_is_missing_and_nothing_twice(polling: Shell) -> None:
    told = json.loads(polling("sync", "--symbols", "AAPL,NOPE", "--sessions", "20", "--json").out)
    assert (told["symbols"], told["bars"], told["until"]) == (1, 20, "2010-05-05")
    assert told["missing"] == [{"symbol": "NOPE", "reason": "the vendor lists no such stock"}]
    again = polling("sync", "--symbols", "AAPL,MSFT", "--sessions", "20")
    assert "2 symbols until 2010-05-05: 20 bars fetched, 1 symbols were complete, 0 missing" in again.out
    # The vendor's bars begin later than 300 sessions ago: what it does not have is not asked for twice.
    whole = json.loads(polling("sync", "--symbols", "AAPL", "--sessions", "300", "--json").out)
    assert 100 < whole["bars"] < 300
    assert json.loads(polling("sync", "--symbols", "AAPL", "--sessions", "300", "--json").out)["complete"] == 1


@pytest.mark.process
def test_sync_keeps_the_options_of_named_symbols_and_says_who_has_none(polling: Shell) -> None:
    told = json.loads(polling("sync", "--symbols", "AAPL,NOPE", "--sessions", "5", "--options", "--json").out)
    kept = json.loads((polling.home / "market" / "options.json").read_text())
    assert set(kept) == {"AAPL"}
    assert len(kept["AAPL"]["contracts"]) == told["options"]["contracts"] == told["options"]["listed"] > 100
    assert any(one["open_interest"] > 0 for one in kept["AAPL"]["contracts"])
    assert {"symbol": "NOPE", "reason": "the vendor lists no such stock"} in told["missing"]
    again = polling("sync", "--symbols", "AAPL", "--sessions", "5", "--options")
    assert f"{told['options']['contracts']} option contracts, 0 of them new, 0 gone" in again.out
    assert "--options needs --symbols" in polling.refuses("sync", "--options")


@pytest.mark.process
def test_coins_are_polled_beside_stocks_by_a_calendar_of_their_own(polling: Shell) -> None:
    told = json.loads(polling("poll", "--once", "--symbols", "btc/usd,AAPL,NOT/USD", "--json").out)
    assert [(bar["symbol"], bar["feed"], bar["label"]) for bar in told["bars"]] == [
        ("AAPL", "iex", "bridged"),
        ("BTC/USD", "crypto.us", "simulated"),
    ]
    assert told["refused"] == [{"symbol": "NOT/USD", "reason": "the vendor lists no such pair"}]
    assert told["requests"] == 2
    answer = polling("poll", "--cycles", "2", "--symbols", "BTC/USD,AAPL", "--json")
    rows = _bars(answer)
    for symbol in ("AAPL", "BTC/USD"):
        minutes = [row["event_ns"] for row in rows if row["symbol"] == symbol]
        assert len(set(minutes)) == len(minutes) == 2
    polling("watchlist", "add", "ETH/USD")
    assert ", feed crypto.us" in polling("poll", "--cycles", "1").out
    assert "a stream of stocks" in polling.refuses("poll", "--cycles", "1", "--stream", "--symbols", "BTC/USD")


@pytest.mark.process
def test_sync_brings_the_days_of_coins_by_utc(polling: Shell) -> None:
    told = json.loads(polling("sync", "--symbols", "AAPL,BTC/USD", "--sessions", "7", "--json").out)
    assert (told["symbols"], told["bars"], told["missing"]) == (2, 14, [])
    again = json.loads(polling("sync", "--symbols", "AAPL,BTC/USD", "--sessions", "7", "--json").out)
    assert (again["bars"], again["complete"]) == (0, 2)


@pytest.mark.process
def test_a_second_choice_steps_in_under_its_own_name(polling: Shell, vendor: str) -> None:
    polling.patch.setenv("TAPELINE_FEED__ALPACA__FEED", "sip")  # which the simulated account has no right to
    polling.patch.setenv("TAPELINE_FEED__YAHOO__BASE_URL", vendor)
    refused = json.loads(polling("poll", "--once", "--symbols", "AAPL", "--json").out)
    assert refused["bars"] == []
    polling.patch.setenv("TAPELINE_FEED__SOURCES", '["alpaca", "yahoo"]')
    told = json.loads(polling("poll", "--once", "--symbols", "AAPL", "--json").out)
    assert [(bar["symbol"], bar["feed"]) for bar in told["bars"]] == [("AAPL", "yahoo.split")]


def test_a_chain_with_a_vendor_that_has_no_key_is_refused(shell: Shell) -> None:
    shell.patch.setenv("APCA_API_KEY_ID", "key")
    shell.patch.setenv("APCA_API_SECRET_KEY", "secret")
    shell.patch.setenv("TAPELINE_FEED__SOURCES", '["alpaca", "massive"]')
    assert "set MASSIVE_API_KEY" in shell.refuses("poll", "--once", "--symbols", "AAPL")


RECORDED = ("poll", "--symbols", "AAPL,MSFT,BTC/USD,NOPE", "--cycles", "2")


def _replays(shell: Shell, *words: str) -> Answer:
    """Poll where no key and no vendor is."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY", "TAPELINE_FEED__ALPACA__BASE_URL"):
            patch.delenv(name)
        return shell("poll", "--replay", *words, "--json")


@pytest.mark.process
def test_what_poll_records_it_replays_to_the_byte_without_key_vendor_and_home(polling: Shell, tmp_path: Path) -> None:
    many, one = str(tmp_path / "many"), str(tmp_path / "one")
    told = polling(*RECORDED, "--record", many, "--json")
    looked = polling("poll", "--once", "--symbols", "AAPL", "--record", one, "--json")
    polled = polling.home / "market" / "polled.json"
    assert not polled.exists()
    assert told.code == 0
    assert {bar["symbol"] for bar in _bars(told)} == {"AAPL", "MSFT", "BTC/USD"}
    assert _replays(polling, many) == told
    assert _replays(polling, one) == looked
    kept = "".join(file.read_text() for folder in (many, one) for file in Path(folder).iterdir())
    assert "secret" not in kept
    assert '"key"' not in kept


@pytest.mark.process
def test_a_recording_that_was_cut_is_refused_in_one_sentence_and_one_that_ends_early_is_replayed_so_far(
    polling: Shell, tmp_path: Path
) -> None:
    folder = tmp_path / "cut"
    told = polling(*RECORDED, "--record", str(folder), "--json")
    lines = (folder / "traffic.jsonl").read_text().splitlines(keepends=True)

    def without(n: int) -> Answer:
        (folder / "traffic.jsonl").write_text("".join(lines[:-n]))
        return _replays(polling, str(folder))

    early = without(2)  # the last minute of both markets was never read a second time
    assert (early.code, early.err) == (0, told.err)
    assert early.out == "".join(told.out.splitlines(keepends=True)[: early.out.count("\n")])
    assert 0 < early.out.count("\n") < told.out.count("\n")
    first = json.loads(lines[2])["url"]
    (folder / "traffic.jsonl").write_text("".join(line for line in lines if json.loads(line)["url"] != first))
    hole = _replays(polling, str(folder))
    assert hole.code == 2
    assert f"tapeline: the recording in {folder} has no answer to GET /v" in hole.err
    (folder / "traffic.jsonl").write_text("".join(lines)[:-40])
    broken = polling.refuses("poll", "--replay", str(folder))
    assert broken.startswith(f"line {len(lines)} of the recording {folder / 'traffic.jsonl'} cannot be read (")
    assert broken.endswith("it was cut off or changed; remove it, or record again")


def test_what_does_not_go_with_a_recording_is_refused(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    shell.patch.setenv("APCA_API_KEY_ID", "key")
    shell.patch.setenv("APCA_API_SECRET_KEY", "secret")
    assert shell.refuses("poll", "--record", str(tmp_path / "full")).endswith("give a new one")
    assert "leave out --stream" in shell.refuses("poll", "--stream", "--record", str(tmp_path / "new"))
    assert "leave out everything else" in shell.refuses("poll", "--once", "--replay", str(tmp_path / "full"))
    assert "`tapeline poll --record` makes one" in shell.refuses("poll", "--replay", str(tmp_path / "full"))
    assert "Not a directory" in shell.refuses("poll", "--record", str(tmp_path / "full" / "mine.txt" / "x"))
