"""Exit codes and sentences: 2 for what a person can mend, 1 for what failed, 130 after Ctrl-C; a bug is raised."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import typer
from tests.cli.shell import Shell

import tapeline
from tapeline.cli.main import app, outcome_of
from tapeline.core.errors import BadInput, ConfigError, HomeBusy, ProcessDied, Unavailable

VERBS = [command.name or command.callback.__name__ for command in app.registered_commands if command.callback]


def raising(error: BaseException) -> Callable[[], None]:
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (BadInput("mend it"), 2),
        (ConfigError("mend it"), 2),
        (HomeBusy("mend it"), 2),
        (Unavailable("mend it"), 1),
        (ProcessDied("mend it"), 1),
        (ExceptionGroup("tasks", [BadInput("mend it")]), 2),
        (ExceptionGroup("tasks", [ExceptionGroup("inner", [Unavailable("mend it")])]), 1),
    ],
)
def test_an_error_of_ours_is_one_sentence_and_a_code(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome_of(raising(error)) == code
    assert capsys.readouterr() == ("", "tapeline: mend it\n")


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError(),
        ExceptionGroup("tasks", [ZeroDivisionError()]),
        ExceptionGroup("t", [BadInput("b"), OSError()]),
    ],
)
def test_a_bug_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        outcome_of(raising(error))
    assert raised.value is error


def test_ctrl_c_says_that_it_stopped(capsys: pytest.CaptureFixture[str]) -> None:
    interrupted = typer.Typer()
    interrupted.command()(raising(KeyboardInterrupt()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["tapeline"])
        assert outcome_of(interrupted) == 130
    assert capsys.readouterr().err.endswith("tapeline: stopped\n")


def test_what_ends_well_is_zero() -> None:
    assert outcome_of(lambda: None) == 0


def test_the_version_is_told(shell: Shell) -> None:
    answer = shell("--version")
    assert (answer.code, answer.out) == (0, f"tapeline {tapeline.__version__}\n")


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself(shell: Shell, verb: str) -> None:
    answer = shell(verb, "--help")
    assert answer.code == 0
    assert "Usage: tapeline" in answer.out
    assert not shell.home.exists()


def test_a_log_level_that_does_not_exist_is_one_sentence(shell: Shell) -> None:
    sentence = shell.refuses("--log-level", "loud", "config")
    assert sentence == "--log-level is 'loud': choose debug, info, warning or error"


@pytest.mark.parametrize(
    ("words", "named"),
    [("tumble", "tumble"), ("config --nonsense", "--nonsense"), ("sample --symbols none", "--symbols")],
)
def test_words_that_are_no_command_are_an_error_of_the_person(shell: Shell, words: str, named: str) -> None:
    answer = shell(*words.split())
    assert answer.code == 2
    assert named in answer.err
    assert "Traceback" not in answer.err
