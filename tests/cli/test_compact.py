"""``compact``: a home put in order by hand, told to people and programs; ``status`` shows what it takes."""

from __future__ import annotations

import json

import anyio
import pytest
from tests.cli.shell import Shell
from tests.cli.test_status import run_node
from tests.store.test_retention import day_batch

from tapeline.core.home import Home
from tapeline.store.journal import Journal


@pytest.fixture
def home(shell: Shell) -> Home:
    """Return a home with bars of five days in its journal."""
    made = Home(shell.home)
    made.prepare()

    async def fill() -> None:
        async with await Journal.open(made.journal_path) as journal:
            for day in range(5):
                await journal.write(day_batch(day))

    anyio.run(fill)
    return made


def test_it_rolls_the_older_days_and_says_what_the_home_takes(shell: Shell, home: Home) -> None:
    answer = shell("compact")
    assert (answer.code, answer.err) == (0, "")
    assert answer.out.startswith("18 bars rolled, days: 3; the journal's file is rewritten\ndisk: ")
    assert "of 20,000 MB (journal" in answer.out
    assert "rolled bars since 1970-01-01, days: 3" in answer.out


def test_it_tells_everything_as_json_and_drops_what_the_settings_do_not_keep(shell: Shell, home: Home) -> None:
    shell.patch.setenv("TAPELINE_RETENTION__BAR_DAYS", "1")
    told = json.loads(shell("compact", "--json").out)
    assert (told["rolled_bars"], told["compacted"], told["alert"]) == (18, True, "")
    assert told["dropped"] == {"bars": ["1970-01-01", "1970-01-02"]}
    assert (told["rolled_days"], told["oldest_day"], told["days"]) == (
        ["1970-01-01", "1970-01-02", "1970-01-03"],
        "1970-01-03",
        1,
    )
    assert told["total"] == sum(told["sizes"].values()) > 0


def test_a_cap_that_cannot_be_kept_is_an_alert(shell: Shell, home: Home) -> None:
    shell.patch.setenv("TAPELINE_RETENTION__HOME_MB", "0.01")
    answer = shell("compact")
    assert answer.code == 0
    assert "dropped of bars: 1970-01-01, 1970-01-02, 1970-01-03" in answer.out
    assert "must stay" in answer.err


def test_without_a_journal_it_says_so_and_makes_none(shell: Shell) -> None:
    assert shell.refuses("compact").startswith(f"there is no journal in {shell.home}")
    assert not shell.home.exists()


def test_beside_a_running_node_it_is_refused(shell: Shell, home: Home) -> None:
    with home.claim():
        assert "another node" in shell.refuses("compact")


def test_status_shows_what_the_home_takes(shell: Shell, home: Home) -> None:
    shell("compact")
    run_node(shell)
    assert "rolled bars since 1970-01-01, days: 3" in shell("status").out
    disk = json.loads(shell("status", "--json").out)["disk"]
    assert (disk["days"], disk["cap"]) == (3, 20_000_000_000)
    assert disk["sizes"]["journal"] > 0
