"""Which words are symbols, and which only look like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.thesis.mentions import ORDINARY, Mentions

UNIVERSE = ("A", "AA", "AAPL", "ALL", "BRK.B", "GOOG", "IT", "MSFT", "ON", "T", "TSLA")
MENTIONS = Mentions(UNIVERSE)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("AAPL is cheap", {"AAPL": 1}),
        ("Bought (AAPL), AAPL's run, AAPL.", {"AAPL": 3}),
        ("AAPL/MSFT/GOOG", {"AAPL": 1, "GOOG": 1, "MSFT": 1}),
        ("an AAPL-based view", {"AAPL": 1}),
        ("BRK.B and BRK-B", {"BRK.B": 2}),
        ("$aapl and $BRK.B and $brk-b", {"AAPL": 1, "BRK.B": 2}),
        ("$ALL is a symbol, ALL is a word", {"ALL": 1}),
        ("$ON and $IT and $T, but not ON or IT or T", {"IT": 1, "ON": 1, "T": 1}),
        ("ＡＡＰＬ in wide letters", {"AAPL": 1}),
        ("aapl and Aapl are words", {}),
        ("a AA battery", {"AA": 1}),
        ("XAAPL AAPLX AAPL1 1AAPL AAPL_X", {}),
        ("S&P AT&T R&D", {}),
        ("$TSLА ends in a Cyrillic letter, as $AAPLА does", {}),
        ("$1000 and $5k and US$ and $$AAPL$$", {}),
        ("me@AAPL.com and #AAPL", {}),
        ("BUY THIS AA ROCKET BEFORE TOMORROW", {}),
        ("BUY THIS $AA ROCKET BEFORE TOMORROW", {"AA": 1}),
        ("TSLA", {"TSLA": 1}),
        ("AAPL MSFT GOOG TSLA", {"AAPL": 1, "GOOG": 1, "MSFT": 1, "TSLA": 1}),
        ("NVDA is not in the universe", {}),
        ("", {}),
    ],
)
def test_what_is_named(text: str, found: dict[str, int]) -> None:
    assert MENTIONS.find(text) == found


@pytest.mark.parametrize(
    "word", ["ALL", "ON", "IT", "CEO", "YOLO", "NOW", "ARE", "GO", "CAN", "LOW", "STAY", "UK", "DD"]
)
def test_ordinary_words_need_their_dollar(word: str) -> None:
    everything = Mentions(ORDINARY)
    assert everything.find(f"they said {word} yesterday") == {}
    assert everything.find(f"they said ${word} yesterday") == {word: 1}


@given(
    text=st.lists(st.sampled_from([*UNIVERSE, "$", " ", "-", "B", "x"]) | st.text(max_size=5), max_size=30).map("".join)
)
def test_only_symbols_of_the_universe_are_ever_found(text: str) -> None:
    found = MENTIONS.find(text)
    assert set(found) <= set(UNIVERSE)
    assert list(found) == sorted(found)
    assert all(count >= 1 for count in found.values())


@given(words=st.lists(st.sampled_from(["hello", "ALL", "on", "world", "Yes", "up"]), max_size=20))
def test_ordinary_talk_names_nothing(words: list[str]) -> None:
    assert MENTIONS.find(" ".join(words)) == {}
