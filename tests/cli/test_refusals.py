"""Bad words for every verb: exit code 2, one sentence that says what to do, and nothing of the parts we are made of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tests.cli.shell import Shell

from tapeline.cli.main import app
from tapeline.cli.words import MAX_SHOWN

UNKNOWN = "unknown key `feed.nope` in {config}: did you mean `news`?"
NO_UNIVERSE = "there is no universe file {absent}; `tapeline sample --out {absent}` makes one"
NO_SERVER = "begins with redis://, rediss://, unix:// or /, as redis://localhost:6379/0 does"
SHOWS = "` shows what there is"

TABLE = (
    ("tumble", "no such command 'tumble': `tapeline --help` shows what there is"),
    ("--log-level loud config", "--log-level is 'loud': choose debug, info, warning or error"),
    ("demo --jsn", "`tapeline demo` has no option --jsn: did you mean --json?"),
    ("demo extra", "got unexpected extra argument(s) (extra): `tapeline demo --help` shows what there is"),
    ("demo --llm gpt", "--llm is 'gpt': choose embedded, sim, endpoint or none"),
    ("demo --mode slow", "--mode is 'slow': choose streaming or sequential"),
    ("demo --export {file}/x", "--export {file}/x cannot be used: Not a directory; give a folder you may write"),
    ("demo --home {file}", "cannot use the home {file}: File exists; set TAPELINE_HOME to a folder you may write"),
    ("demo --config {config}", UNKNOWN),
    ("run --config {absent}", "there is no configuration file {absent}: `tapeline init` writes one"),
    ("run --config {folder}", "cannot read the configuration file {folder}: Is a directory; give a TOML file"),
    ("run", "set APCA_API_KEY_ID and APCA_API_SECRET_KEY, or see a replay with `tapeline demo`"),
    ("scan --top 0", "--top is '0': give 1 or more"),
    ("scan --as-of never", "--as-of is 'never': give a day, as in 2010-05-06"),
    ("scan --engine dask", "--engine is 'dask': choose local or ray"),
    ("scan --device tpu", "--device is 'tpu': choose cpu or cuda"),
    ("scan --universe {absent} --json", NO_UNIVERSE),
    ("train --seed -1", "--seed is '-1': give 0 or more"),
    ("train --until soon", "--until is 'soon': give a day, as in 2010-05-06"),
    ("train --device tpu", "--device is 'tpu': choose cpu or cuda"),
    ("train --universe {absent}", NO_UNIVERSE),
    ("evaluate", "missing argument 'score': `tapeline evaluate --help` shows what there is"),
    ("evaluate score --horizon 99", "--horizon is '99': give 60 or less"),
    ("evaluate score --universe {absent}", NO_UNIVERSE),
    ("audit lookahead --moments 0", "--moments is '0': give 1 or more"),
    ("poll --strategy fast", "--strategy is 'fast': choose sequential, concurrent, batch or hybrid"),
    ("poll --cycles none", "--cycles is 'none': give a whole number"),
    ("poll --cycles", "option '--cycles' requires an argument: `tapeline --help` shows what there is"),
    ("poll", "set APCA_API_KEY_ID and APCA_API_SECRET_KEY"),
    ("sync --sessions 0", "--sessions is '0': give 1 or more"),
    ("sync", "set APCA_API_KEY_ID and APCA_API_SECRET_KEY"),
    ("import bars", "missing argument 'file': `tapeline import bars --help` shows what there is"),
    ("import bars {absent}", "cannot read {absent}: No such file or directory"),
    ("import bars {file} --timeframe 7min", "--timeframe is '7min': choose 1min, 5min, 15min, 1hour, 1day"),
    ("import ticks {folder}", "cannot read {folder}: Is a directory"),
    ("watchlist add a,b", "'A,B' cannot be a symbol"),
    ("watchlist import {absent}", "cannot read {absent}: No such file or directory"),
    ("status", "no node runs in {home}: start one with `tapeline run`, or set TAPELINE_HOME to its home"),
    ("status extra", SHOWS),
    ("compact --config {config}", UNKNOWN),
    ("config --config {file}", "{file} is not valid TOML"),
    ("config --config {bytes}", "the configuration file {bytes} is no text: give a TOML file in UTF-8"),
    ("init {folder}", "{folder} is there already: give another path, or --force to replace it"),
    ("warm extra", SHOWS),
    ("sample nothing", "there is no sample 'nothing': choose universe, ticks, minutes, chains, or list"),
    ("sample --symbols none", "--symbols is 'none': give a whole number"),
    ("sim --port a", "--port is 'a': give a whole number"),
    ("sim --day never", "--day is 'never': give a day, as in 2010-05-06"),
    ("bench nothing", "there is no benchmark 'nothing': choose all, kernels, greeks, poll, scan, stream"),
    ("process --workers -1", "--workers is '-1': give 0 or more"),
    ("process --address nonsense", NO_SERVER),
    ("lanes --set 0", "--set is '0': give 1 or more"),
    ("lanes --address nonsense", NO_SERVER),
    ("dlq list --address nonsense", NO_SERVER),
    ("dlq show", "missing argument 'letter': `tapeline dlq show --help` shows what there is"),
    ("dlq replay x --set y --address /nowhere", "--set 'y' is not FIELD=VALUE, as price=101.5 is"),
    ("ticks load {absent} --address /nowhere", "there is no file {absent}"),
    ("ticks load {file} --label gold", "--label is 'gold': choose real, repaired, bridged, resampled or simulated"),
    ("ticks replay --from yesterday", "'yesterday' is not a moment in ISO 8601"),
)
JARGON = re.compile(r"Value error|Input should|pydantic|msgspec|Errno|Traceback|expected `|RFC3339|Error:")


def test_the_table_has_every_verb() -> None:
    groups = {group.name for group in app.registered_groups}
    verbs = {found.name or found.callback.__name__ for found in app.registered_commands if found.callback}
    assert {words.split()[0] for words, _ in TABLE} >= {name for name in verbs | groups if name}


@pytest.mark.parametrize(("words", "sentence"), TABLE, ids=[words for words, _ in TABLE])
def test_bad_words_are_answered_by_one_sentence_that_says_what_to_do(
    shell: Shell, tmp_path: Path, words: str, sentence: str
) -> None:
    for name in ("APCA_API_KEY_ID", "APCA_API_SECRET_KEY"):
        shell.patch.delenv(name, raising=False)
    places = {name: tmp_path / name for name in ("absent", "file", "bytes", "folder", "config")}
    places["file"].write_text("no settings, no rows")
    places["bytes"].write_bytes(b"\xff\xfe\x00")
    places["folder"].mkdir()
    places["config"].write_text("[feed]\nnope = 1\n")
    told = shell.refuses(*words.format(**places).split())
    assert sentence.format(**places, home=shell.home) in told
    assert not JARGON.search(told)


@pytest.mark.parametrize(
    ("key", "text", "sentence"),
    [
        ("FEED__BATCH_SIZE", "many", "feed.batch_size (TAPELINE_FEED__BATCH_SIZE): it is 'many': give a whole number"),
        ("FEED__BATCH_SIZE", "0", "it is 0: give a whole number of at least 1"),
        ("FEED__CYCLE_S", "0", "it is 0: give a number above 0.0"),
        ("FEED__STRATEGY", "fast", "it is 'fast': give 'sequential' or 'concurrent' or 'batch' or 'hybrid'"),
        ("FEED__SOURCES", "alpaca", 'it is \'alpaca\': give a list, as in [1, 2] or ["a", "b"]'),
        ("FEED__STREAM", "perhaps", "it is 'perhaps': give true or false"),
        ("REPLAY__DAY", "2010-13-01", "it is '2010-13-01': give a day, as in 2010-05-06"),
        ("LLM__KIND", "endpoint", "llm (TAPELINE_LLM__KIND): kind is endpoint, but base_url is empty"),
        ("FEED__SOURCES", "[1]", "feed.sources (TAPELINE_FEED__SOURCES): it is [1]: give"),
        ("LLM__TEMPERATURE", "3", "it is 3: give a number of at most 2"),
    ],
)
def test_bad_settings_are_answered_by_one_sentence_that_says_what_to_give(
    shell: Shell, key: str, text: str, sentence: str
) -> None:
    shell.patch.setenv(f"TAPELINE_{key}", text)
    told = shell.refuses("config")
    assert sentence in told
    assert not JARGON.search(told)


def test_of_a_long_word_only_the_beginning_is_repeated(shell: Shell) -> None:
    told = shell.refuses("poll", "--cycles", "9" * 500 + "x")
    assert told == f"--cycles is '{'9' * (MAX_SHOWN - 1)}...: give a whole number"


def test_a_verb_that_needs_another_one_shows_its_help(shell: Shell) -> None:
    answer = shell("ticks")
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("Usage: tapeline ticks")
