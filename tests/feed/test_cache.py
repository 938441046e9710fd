"""The cache: holds for its time, within its bound, the least recently used go first."""

from __future__ import annotations

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.feed.cache import TtlCache

ONE: Outcome[int] = value_of(1, source="test")


def test_an_entry_holds_until_its_end_and_not_at_it() -> None:
    cache = TtlCache(100)
    cache.keep("a", ONE, expires_ns=10, size=5)
    assert cache.find("a", 9) is ONE
    assert cache.find("a", 10) is None


def test_that_there_is_nothing_is_kept_too() -> None:
    cache = TtlCache(100)
    none: Outcome[int] = nothing(Kind.NO_DATA, source="test", reason="an empty feed")
    cache.keep("a", none, expires_ns=10, size=0)
    assert cache.find("a", 0) is none


def test_the_least_recently_used_go_when_the_bound_is_reached() -> None:
    cache = TtlCache(10)
    for key in "ab":
        cache.keep(key, ONE, expires_ns=10, size=5)
    cache.find("a", 0)
    cache.keep("c", ONE, expires_ns=10, size=5)
    assert [key for key in "abc" if cache.find(key, 0)] == ["a", "c"]


def test_what_is_larger_than_the_bound_is_not_kept_and_pushes_nobody_out() -> None:
    cache = TtlCache(10)
    cache.keep("a", ONE, expires_ns=10, size=5)
    cache.keep("b", ONE, expires_ns=10, size=11)
    assert cache.find("a", 0) is ONE
    assert cache.find("b", 0) is None


def test_a_newer_answer_takes_the_place_of_the_older() -> None:
    cache = TtlCache(10)
    two: Outcome[int] = value_of(2, source="test")
    for outcome in (ONE, two):
        cache.keep("a", outcome, expires_ns=10, size=8)
    assert cache.find("a", 0) is two
