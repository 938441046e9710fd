"""The crowd: it writes of what has happened, in an order that the future cannot change."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.sim.worlds import DAY, SYMBOLS, MadeMarket, at, make_market, make_minutes, market_of, with_other_future

from tapeline.sim.market import MINUTE_NS
from tapeline.sim.talk import BOARDS, MAX_DEPTH, Comment, Crowd, Post
from tapeline.sim.tape import Tape

MARKET = make_market()
LATE = at("23:30")


def crowd(market: MadeMarket = MARKET, seed: int = 7) -> Crowd:
    return Crowd(Tape(market), seed)


def everything(talk: Crowd, now_ns: int) -> list[tuple[Post, list[Comment]]]:
    posts = [post for board in BOARDS for post in talk.posts(board, now_ns)]
    return [(post, talk.comments(post, now_ns)) for post in posts]


@given(st.integers(1, 389), st.integers(0, 60 * 10**9 - 1))
@settings(max_examples=6, deadline=None)
def test_no_post_and_no_comment_changes_with_the_future(minute: int, into_ns: int) -> None:
    now_ns = at("09:30") + minute * MINUTE_NS + into_ns
    assert everything(crowd(), now_ns) == everything(crowd(with_other_future(MARKET, minute)), now_ns)


def test_what_was_there_stays_and_keeps_its_number() -> None:
    talk = crowd()
    early, late = everything(talk, at("10:00")), everything(crowd(), LATE)
    posts = [post for post, _ in late]
    assert all(post in posts for post, _ in early)
    assert len(late) > len(early)
    threads = {post.number: comments for post, comments in late}
    assert all(threads[post.number][: len(comments)] == comments for post, comments in early)


def test_a_move_is_written_about_after_it_happened() -> None:
    made = make_minutes(1)
    column = SYMBOLS.index("IBM")
    rest = made[DAY][:, 60:, column]
    rest[:4] = np.nan_to_num(rest[:4], nan=120.0) * 1.3
    rest[4:] = np.nan_to_num(rest[4:], nan=100.0)
    talk = crowd(market_of(made))
    told = [post for post, _ in everything(talk, LATE) if post.symbol == "IBM" and "%" in post.title]
    about_today = [post for post in told if post.event_ns > at("09:30")]
    assert about_today
    assert all(post.event_ns > at("10:30") for post in about_today)
    assert all("IBM" in post.title for post in about_today)


def test_boards_have_daily_threads_chatter_and_texts_for_machines() -> None:
    posts = [post for post, _ in everything(crowd(), LATE)]
    daily = [post.title for post in posts if post.is_daily]
    assert sorted(daily)[0] == "Daily Discussion Thread for May 06, 2010"
    assert any(title.startswith("What Are Your Moves Tomorrow, May 07") for title in daily)
    assert sum(post.symbol == "" for post in posts) > 8
    assert any("ignore" in post.body.lower() and "previous instructions" in post.body.lower() for post in posts)


def test_comments_hang_together_as_trees() -> None:
    for post, comments in everything(crowd(), LATE):
        for comment in comments:
            assert comment.event_ns > post.event_ns
            assert comment.depth <= MAX_DEPTH
            assert comment.parent < comment.number
            above = comments[comment.parent].depth + 1 if comment.parent >= 0 else 0
            assert comment.depth == above


@pytest.mark.parametrize("moment", ["09:00", "12:00"])
def test_a_post_is_found_by_its_number_as_soon_as_it_is_there(moment: str) -> None:
    talk = crowd()
    for post, _ in everything(crowd(), LATE):
        found = talk.post(post.number, at(moment))
        assert found == (post if post.event_ns <= at(moment) else None)
    assert talk.post(12, at(moment)) is None


def test_votes_come_in_over_time_and_the_seed_chooses_the_words() -> None:
    post = max((post for post, _ in everything(crowd(), at("09:00"))), key=lambda post: post.heat)
    assert post.score(at("09:00")) < post.score(at("15:00"))
    assert everything(crowd(seed=8), LATE) != everything(crowd(), LATE) == everything(crowd(), LATE)
