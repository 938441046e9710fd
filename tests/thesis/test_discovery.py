"""Discovery: points as they come, each ticker once, and none for being loud."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.thesis.markets import BACKENDS, NOW_NS, run

from tapeline.core.clock import LogicalClock, sleep_s
from tapeline.core.errors import Unavailable
from tapeline.core.outcome import Kind, Outcome, value_of
from tapeline.core.types import NS_PER_S
from tapeline.thesis.discovery import (
    MAX_COMMENTS,
    MAX_COUNT,
    Found,
    Hear,
    Lead,
    Place,
    Scoreboard,
    TalkSource,
    Text,
    discover,
    is_robot,
)

UNIVERSE = ("AAPL", "GOOG", "MSFT", "TSLA")


def _text(words: str, place: Place = Place.TITLE, **other: object) -> Text:
    plain = Text("reddit", "t1", place, NOW_NS - 60 * NS_PER_S, words, "")
    return replace(plain, **other)  # type: ignore[arg-type]


def _board(min_score: float = 3.0) -> Scoreboard:
    return Scoreboard(UNIVERSE, min_score=min_score, as_of_ns=NOW_NS)


def _score(*texts: Text) -> float:
    board = _board()
    board.hear(texts)
    return board.score("AAPL")


@pytest.mark.parametrize(
    ("place", "points"), [(Place.TITLE, 3.0), (Place.BODY, 2.0), (Place.COMMENT, 1.0), (Place.SPEECH, 1.0)]
)
def test_a_mention_counts_by_its_place(place: Place, points: float) -> None:
    assert _score(_text("AAPL", place)) == points


def test_a_text_counts_once_however_often_it_names_the_ticker() -> None:
    assert _score(_text("AAPL AAPL $AAPL")) == 3.0


def test_a_speech_counts_each_mention_up_to_a_bound() -> None:
    assert _score(_text("AAPL " * 3, Place.SPEECH)) == 3.0
    assert _score(_text("AAPL " * 30, Place.SPEECH, weight=1.5)) == 1.5 * MAX_COUNT


def test_the_same_words_in_another_thread_do_not_count_again() -> None:
    first = _text("AAPL to the moon")
    assert _score(first, replace(first, thread="t2", words="aapl TO THE MOON".replace("aapl", "AAPL"))) == 3.0


def test_one_author_counts_once_in_a_thread() -> None:
    comments = [_text(f"AAPL again {n}", Place.COMMENT, author="fan") for n in range(4)]
    assert _score(*comments) == 1.0
    assert _score(*(replace(c, author=f"fan{n}") for n, c in enumerate(comments))) == 4.0
    assert _score(_text("AAPL", author="fan"), _text("more on AAPL", Place.BODY, author="fan")) == 5.0


def test_one_long_thread_gives_a_ticker_a_bounded_score() -> None:
    assert _score(*(_text(f"AAPL {n}", Place.COMMENT) for n in range(50))) == MAX_COMMENTS
    spread = (_text(f"AAPL {n}", Place.COMMENT, thread=f"t{n}") for n in range(8))
    assert _score(*spread) == 8.0


def test_a_daily_thread_counts_half() -> None:
    assert _score(_text("AAPL", is_routine=True)) == 1.5


@pytest.mark.parametrize(
    ("author", "is_machine"),
    [
        ("AutoModerator", True),
        ("VisualMod", True),
        ("stock_bot", True),
        ("wsb-mod", True),
        ("abbot1", False),
        ("", False),
    ],
)
def test_robots_do_not_count(author: str, is_machine: bool) -> None:
    assert is_robot(author) is is_machine
    assert (_score(_text("AAPL", author=author)) == 0.0) is is_machine


def test_yesterdays_talk_does_not_count_again_today() -> None:
    old = _text("AAPL", event_ns=NOW_NS - 86_401 * NS_PER_S)
    assert _score(old) == 0.0
    assert _score(replace(old, event_ns=NOW_NS - 86_399 * NS_PER_S)) == 3.0


def test_a_ticker_is_told_once_with_its_reasons() -> None:
    board = _board()
    assert board.hear([_text("AAPL", Place.BODY)]) == ()
    assert board.hear([_text("$AAPL now", Place.COMMENT, source="youtube")]) == (
        Found("AAPL", 3.0, ("reddit", "youtube"), ("+2 reddit: AAPL", "+1 youtube: $AAPL now")),
    )
    assert board.hear([_text("AAPL, AAPL again")]) == ()
    assert board.score("AAPL") == 6.0


def test_the_reason_is_what_stands_around_the_mention() -> None:
    (found,) = _board(1.0).hear([_text(f"{'so many words ' * 20} and $aapl is cheap {'again ' * 20}", Place.SPEECH)])
    assert found.reasons == (
        "+1 reddit: words so many words so many words and $aapl is cheap again again again again ag",
    )


def test_the_best_of_a_moment_is_told_first() -> None:
    texts = [_text("AAPL and MSFT"), _text("MSFT it is", Place.BODY), _text("GOOG", thread="t2")]
    assert [found.symbol for found in _board().hear(texts)] == ["MSFT", "AAPL", "GOOG"]


def test_what_others_put_forward_adds_to_the_talk() -> None:
    board = _board()
    leads = [
        Lead("MSFT", 3.0, "held", "100 shares"),
        Lead("AAPL", 2.0, "scan", "rank 3"),
        Lead("NONE", 9.0, "scan", "?"),
    ]
    assert [found.symbol for found in board.lead(leads)] == ["MSFT"]
    (found,) = board.hear([_text("AAPL", Place.COMMENT)])
    assert (found.score, found.sources, found.reasons[0]) == (3.0, ("reddit", "scan"), "+2 scan: rank 3")
    assert board.ranking() == (("AAPL", 3.0), ("MSFT", 3.0))


TEXTS = st.lists(
    st.builds(
        Text,
        source=st.sampled_from(["reddit", "youtube"]),
        thread=st.sampled_from(["t1", "t2"]),
        place=st.sampled_from(Place),
        event_ns=st.just(NOW_NS),
        words=st.lists(st.sampled_from(["AAPL", "$MSFT", "up", "down", "GOOG"]), max_size=4).map(" ".join),
        author=st.just(""),
        is_routine=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda text: " ".join(text.words.split()),
)


@given(texts=TEXTS, order=st.randoms(use_true_random=False))
def test_the_order_of_texts_changes_no_score(texts: list[Text], order: object) -> None:
    one, other = _board(), _board()
    one.hear(texts)
    shuffled = list(texts)
    order.shuffle(shuffled)  # type: ignore[attr-defined]
    for text in shuffled:
        other.hear([text])
    assert one.ranking() == other.ranking()


@dataclass
class _Talk:
    """Tells its batches, one a second."""

    name: str
    batches: Sequence[Sequence[Text]]
    clock: LogicalClock
    step_s: float = 1.0

    async def read(self, hear: Hear) -> tuple[Outcome[int], ...]:
        for batch in self.batches:
            await sleep_s(self.clock, self.step_s)
            await hear(batch)
        return tuple(value_of(len(batch), source=self.name) for batch in self.batches)


class _Dead:
    """Raises."""

    name = "dead"

    async def read(self, hear: Hear) -> tuple[Outcome[int], ...]:
        await hear([_text("TSLA")])
        raise Unavailable("no door")


@pytest.mark.parametrize("backend", BACKENDS)
def test_tickers_are_told_while_reading_goes_on(backend: str) -> None:
    async def main(clock: LogicalClock) -> tuple[list[tuple[float, str]], dict[str, list[Kind]]]:
        told: list[tuple[float, str]] = []

        async def emit(found: Found) -> None:
            told.append(((clock.now_ns() - NOW_NS) / NS_PER_S, found.symbol))

        sources: list[TalkSource] = [
            _Talk("reddit", [[_text("AAPL")], [_text("GOOG", thread="t2")]], clock),
            _Talk("youtube", [[], [], [_text("MSFT", thread="v", source="youtube")]], clock, 1.5),
            _Dead(),
        ]
        heard = await discover(sources, _board(), emit, clock, also=[Lead("TSLA", 1.0, "scan", "rank 1")])
        return told, {name: [outcome.kind for outcome in asked] for name, asked in heard.items()}

    told, heard = run(main, backend=backend)
    assert told == [(0.0, "TSLA"), (1.0, "AAPL"), (2.0, "GOOG"), (4.5, "MSFT")]
    assert heard == {"reddit": [Kind.VALUE] * 2, "youtube": [Kind.VALUE] * 3, "dead": [Kind.ERROR]}


def test_without_talk_only_what_others_put_forward_is_told() -> None:
    async def main(clock: LogicalClock) -> list[str]:
        told: list[str] = []

        async def emit(found: Found) -> None:
            told.append(found.symbol)

        await discover([], _board(), emit, clock, also=[Lead("AAPL", 3.0, "held", "10 shares")])
        return told

    assert run(main) == ["AAPL"]


def test_a_reader_waits_while_nobody_takes_its_tickers() -> None:
    async def main(clock: LogicalClock) -> float:
        async def emit(_found: Found) -> None:
            await sleep_s(clock, 10.0)

        await discover([_Talk("reddit", [[_text("AAPL")], [_text("GOOG")]], clock)], _board(), emit, clock)
        return (clock.now_ns() - NOW_NS) / NS_PER_S

    assert run(main) == 22.0
