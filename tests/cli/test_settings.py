"""``config`` and ``init``: every setting, where it comes from, and a file that changes nothing until it is edited."""

from __future__ import annotations

import datetime as dt
import json
import re
import stat
import tomllib
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.cli.shell import Shell

from tapeline.cli.settings import commented_file, load_settings, to_toml
from tapeline.core.config import Config
from tapeline.core.config.load import leaves, load
from tapeline.core.config.secrets import without_password

SETTING = re.compile(r"^# ([a-z_0-9]+ = .*)$", re.MULTILINE)


def test_config_shows_every_setting_with_its_origin_as_json(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[scan]\ntop = 31\nevery_min = 3\n")
    shell.patch.setenv("TAPELINE_SCAN__TOP", "30")
    answer = shell("config", "--json", "--config", str(file))
    assert answer.code == 0
    told = json.loads(answer.out)
    assert list(told) == [where for where, _ in leaves(Config())]
    assert told["scan.top"] == {"value": 30, "from": "TAPELINE_SCAN__TOP"}
    assert told["scan.every_min"] == {"value": 3, "from": str(file)}
    assert told["node.seed"] == {"value": Config().node.seed, "from": "default"}


def test_config_shows_a_table_for_people(shell: Shell) -> None:
    shell.patch.setenv("TAPELINE_NODE__SEED", "99")
    answer = shell("config")
    assert answer.code == 0
    for where, _ in leaves(Config()):
        assert where in answer.out
    assert re.search(r"node\.seed\W+99\W+TAPELINE_NODE__SEED", answer.out)


def test_config_reads_the_homes_file_when_none_is_named(shell: Shell) -> None:
    shell.home.mkdir()
    (shell.home / "tapeline.toml").write_text("[trade]\ninitial_cash = 5.0\n")
    told = json.loads(shell("config", "--json").out)
    assert told["trade.initial_cash"] == {"value": 5.0, "from": str(shell.home / "tapeline.toml")}


def test_config_creates_nothing(shell: Shell) -> None:
    shell("config")
    assert not shell.home.exists()


def test_secrets_are_not_shown(shell: Shell) -> None:
    shell.patch.setenv("APCA_API_KEY_ID", "key-id-77")
    shell.patch.setenv("APCA_API_SECRET_KEY", "hush-hush-77")
    answers = shell("config"), shell("config", "--json")
    assert not any("77" in answer.out + answer.err for answer in answers)


def test_an_unknown_key_in_the_file_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[scan]\ntopp = 31\n")
    assert shell.refuses("config", "--config", str(file)) == f"unknown key `scan.topp` in {file}: did you mean `top`?"


@pytest.mark.parametrize("verb", [("config",), ("demo", "--exit"), ("run",), ("process",), ("sim",)])
def test_an_unknown_key_in_the_environment_is_refused_by_every_verb_with_settings(
    shell: Shell, verb: tuple[str, ...]
) -> None:
    shell.patch.setenv("TAPELINE_SCAN__TOPP", "1")
    assert "unknown key `scan.topp`" in shell.refuses(*verb)
    assert not shell.home.exists()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[scan]\ntop = 0\n", "scan.top"),
        ("[scan\n", "is not valid TOML"),
        ("scan = 3\n", "is a section, not a value"),
        ("[streams]\nlease_s = 9.0\n", "within 5 s"),
    ],
)
def test_a_file_that_cannot_be_used_is_one_sentence(shell: Shell, tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(text)
    assert sentence in shell.refuses("config", "--config", str(file))


def test_a_file_that_is_not_there_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    assert "there is no configuration file" in shell.refuses("config", "--config", str(tmp_path / "none.toml"))


def test_init_writes_a_file_that_changes_nothing(shell: Shell) -> None:
    answer = shell("init")
    path = shell.home / "tapeline.toml"
    assert answer.code == 0
    assert str(path) in answer.out + answer.err
    assert load(path, {}).config == Config()
    assert all(origin == "default" for origin in load(path, {}).origins.values())
    assert load_settings(None).config == Config()
    assert stat.S_IMODE(shell.home.stat().st_mode) == 0o700


def test_every_line_of_the_file_without_its_mark_is_the_default(tmp_path: Path) -> None:
    file = tmp_path / "all.toml"
    text, n_settings = SETTING.subn(r"\1", commented_file())
    file.write_text(text)
    loaded = load(file, {})
    assert loaded.config == Config()
    assert n_settings == len(list(leaves(Config())))
    assert set(loaded.origins.values()) == {str(file)}


def test_one_line_without_its_mark_changes_one_setting(tmp_path: Path) -> None:
    file = tmp_path / "one.toml"
    file.write_text(commented_file().replace("# top = 20", "top = 21"))
    changed = [pair for pair in leaves(load(file, {}).config) if pair not in list(leaves(Config()))]
    assert changed == [("scan.top", 21)]


def test_every_setting_of_the_file_stands_below_its_reason() -> None:
    lines = commented_file().splitlines()
    at = lines.index("# initial_cash = 1000000.0")
    assert lines[at - 1] == "# Dollars."
    at = lines.index("# quorum_groups = 2")
    assert lines[at - 1].startswith("# Independent groups")


def test_init_does_not_replace_a_file_unless_told_to(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text("[scan]\ntop = 31\n")
    assert shell.refuses("init", str(file)) == f"{file} is there already: give another path, or --force to replace it"
    assert file.read_text() == "[scan]\ntop = 31\n"
    assert shell("init", str(file), "--force").code == 0
    assert file.read_text() == commented_file()
    assert not shell.home.exists()


def test_init_where_nothing_can_be_written_is_one_sentence(shell: Shell, tmp_path: Path) -> None:
    assert "cannot write" in shell.refuses("init", str(tmp_path / "no" / "such" / "folder.toml"))


# U+007F is the one character that JSON writes as it is and TOML refuses; no setting of ours holds it.
texts = st.text(st.characters(codec="utf-8", exclude_characters="\x7f"))
plain = st.one_of(st.booleans(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), texts, st.dates())
names = st.from_regex(r"[a-z][a-z_0-9]{0,9}", fullmatch=True)


@given(st.one_of(plain, st.lists(plain, max_size=4), st.dictionaries(names, st.floats(allow_nan=False), max_size=4)))
def test_any_value_is_written_so_that_toml_reads_it_back(value: object) -> None:
    assert tomllib.loads(f"value = {to_toml(value)}")["value"] == value


def test_a_day_is_written_as_a_day() -> None:
    assert to_toml(dt.date(2010, 5, 6)) == "2010-05-06"
    assert msgspec.convert(tomllib.loads("day = 2010-05-06"), dict[str, dt.date])["day"] == dt.date(2010, 5, 6)


@pytest.mark.parametrize("flag", [(), ("--json",)])
def test_the_password_of_an_address_is_never_shown(
    shell: Shell, monkeypatch: pytest.MonkeyPatch, flag: tuple[str, ...]
) -> None:
    monkeypatch.setenv("TAPELINE_STREAMS__REDIS_URL", "rediss://me:hush@host:6380/0")
    answer = shell("config", *flag)
    assert "hush" not in answer.out + answer.err
    assert "rediss://***@host:6380/0" in answer.out


@pytest.mark.parametrize(
    "address",
    [
        "redis://:hu@sh@host:1/0",
        "redis://:hu/sh@host:1/0",
        "redis://host:1/0?password=hush",
        "rediss://me:hush@host:1/0?ssl_password=hush&ssl_ca_certs=a.pem",
    ],
)
def test_no_part_of_a_password_is_shown_however_it_is_written(address: str) -> None:
    shown = without_password(address)
    assert not re.search("hu|sh", shown)
    assert "host:1/0" in shown
