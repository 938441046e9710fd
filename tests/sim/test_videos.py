"""Videos: found again by their ids, published after what they explain, blind to the future."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.worlds import DAY, SYMBOLS, MadeMarket, at, make_market, make_minutes, market_of, with_other_future

from tapeline.sim.market import MINUTE_NS
from tapeline.sim.tape import Tape
from tapeline.sim.videos import MARKET, Studio, Video, _decode, _encode

WORLD = make_market()
LATE = at("23:00")


def studio(market: MadeMarket = WORLD, seed: int = 7) -> Studio:
    return Studio(Tape(market), seed)


def everything(made: Studio, now_ns: int) -> list[tuple[Video, list[str]]]:
    found = made.of_market(now_ns) + [video for symbol in SYMBOLS for video in made.of_symbol(symbol, now_ns)]
    return [(video, made.speech(video)) for video in found]


@given(st.integers(1, 389), st.integers(0, 60 * 10**9 - 1))
@settings(max_examples=6, deadline=None)
def test_no_video_and_no_word_changes_with_the_future(minute: int, into_ns: int) -> None:
    now_ns = at("09:30") + minute * MINUTE_NS + into_ns
    assert everything(studio(), now_ns) == everything(studio(with_other_future(WORLD, minute)), now_ns)


def test_a_video_is_found_by_its_id_in_a_fresh_studio() -> None:
    found = [video for video, _ in everything(studio(), LATE)]
    assert len(found) > 10
    assert all(studio().find(video.video_id, LATE) == video for video in found)
    assert all(len(video.video_id) == 11 for video in found)


def test_a_video_is_not_found_before_it_is_published() -> None:
    noon = next(video for video in studio().of_market(LATE) if "Midday" in video.title and "May 6" in video.title)
    assert studio().find(noon.video_id, at("12:30")) is None
    assert studio().find(noon.video_id, at("12:31")) == noon


@pytest.mark.parametrize("video_id", ["", "x", "dQw4w9WgXcQ", "AAAAAAAAAAA", "!!!!!!!!!!!", "\u00e4" * 11])
def test_ids_that_nobody_made_are_not_found(video_id: str) -> None:
    assert studio().find(video_id, LATE) is None


@given(st.dates(dt.date(2000, 1, 1), dt.date(2100, 1, 1)), st.integers(0, MARKET), st.integers(0, 255), st.integers())
def test_an_id_holds_what_the_video_is(day: dt.date, column: int, kind: int, seed: int) -> None:
    assert _decode(_encode(day, column, kind, seed), seed) == (day, column, kind)


def test_a_large_move_is_explained_after_it_happened() -> None:
    made = make_minutes(1)
    column = SYMBOLS.index("IBM")
    rest = made[DAY][:, 90:, column]
    rest[:4] = np.nan_to_num(rest[:4], nan=120.0) * 1.4
    rest[4:] = np.nan_to_num(rest[4:], nan=100.0)
    found = [v for v in studio(market_of(made)).of_symbol("IBM", LATE) if v.move > 0.2]
    assert len(found) == 1
    assert at("11:10") < found[0].event_ns < at("12:00")
    assert "up" in found[0].title or "jumps" in found[0].title


def test_speech_is_in_ordinary_letters() -> None:
    for video, said in everything(studio(), LATE):
        words = " ".join(said).split()
        assert 12 < len(said) < 24
        assert sum(word.isupper() for word in words) < len(words) / 4
        if video.symbol:
            name = WORLD.names[SYMBOLS.index(video.symbol)] or video.symbol
            assert any(name in line or video.symbol in line for line in said)
