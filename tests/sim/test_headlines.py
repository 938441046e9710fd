"""Words of the newsroom: every title of a move tells its direction, no neutral one does."""

from __future__ import annotations

import pytest

from tapeline.sim import headlines

UP = {"rises", "higher", "gains", "climbs", "rallies", "jumps", "surges", "soars", "leaps", "skyrockets", "rebounds",
      "recovers", "bounces", "up", "rally"}  # fmt: skip
DOWN = {"falls", "slips", "lower", "down", "drops", "slides", "sinks", "declines", "tumbles", "plunges", "slumps",
        "crashes", "plummets", "retreats", "sell-off", "selling"}  # fmt: skip
CHOICES = [0.05, 0.2, 0.4, 0.6, 0.8, 0.99]


def words(title: str) -> set[str]:
    return {word.strip(",.:'") for word in title.lower().split()}


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("sign", [1, -1])
def test_every_title_of_a_move_has_words_of_its_direction_and_none_of_the_other(sign: int, choice: float) -> None:
    ours, theirs = (UP, DOWN) if sign > 0 else (DOWN, UP)
    titles = [headlines.move_title("IBM", sign * 0.031, level, choice) for level in range(4)]
    titles += [
        headlines.close_title("IBM", sign * 0.031, choice),
        headlines.turn_title("IBM", up=sign > 0, choice=choice),
    ]
    for title in titles:
        assert words(title) & ours, title
        assert not words(title) & theirs, title
        assert "IBM" in title


@pytest.mark.parametrize("choice", CHOICES)
def test_neutral_titles_say_nothing_of_direction(choice: float) -> None:
    assert not words(headlines.neutral_title("IBM", choice)) & (UP | DOWN)


def test_a_title_tells_the_size_of_the_move_without_its_sign() -> None:
    assert "3.1%" in headlines.move_title("IBM", -0.0312, 0, 0.5)


@pytest.mark.parametrize("choice", CHOICES)
def test_publishers_are_our_own(choice: float) -> None:
    assert headlines.publisher(choice) in headlines.PUBLISHERS
