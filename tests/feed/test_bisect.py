"""Bisection: whoever is refused is found in few requests, and the rest is delivered."""

from __future__ import annotations

import math

import anyio
from hypothesis import given, settings
from hypothesis import strategies as st

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.feed.bisect import Sifted, sift
from tapeline.feed.http import Refusal


def _sift(n: int, bad: set[int], broken: frozenset[int] = frozenset()) -> Sifted[tuple[str, ...]]:
    async def ask(symbols: tuple[str, ...]) -> Outcome[tuple[str, ...]]:
        numbers = {int(symbol) for symbol in symbols}
        if numbers & bad:
            return Refusal(Kind.ERROR, "vendor", None, "invalid symbol")
        if numbers & broken:
            return nothing(Kind.ERROR, source="vendor", reason="500")
        return value_of(symbols, source="vendor")

    async def main() -> Sifted[tuple[str, ...]]:
        return await sift(tuple(str(number) for number in range(n)), ask)

    return anyio.run(main)


def test_one_bad_symbol_anywhere_costs_at_most_two_requests_a_level() -> None:
    for n in [*range(1, 40), 63, 64, 65, 399, 400]:
        for place in {0, 1 % n, n // 3, n // 2, n - 2 if n > 1 else 0, n - 1}:
            found = _sift(n, {place})
            assert [symbol for symbol, _ in found.bad] == [str(place)]
            assert found.requests <= 2 * math.log2(n) + 1


@given(n=st.integers(1, 70), data=st.data())
@settings(max_examples=150, deadline=None)
def test_any_set_of_bad_symbols_is_found_and_every_other_is_delivered_once(n: int, data: st.DataObject) -> None:
    bad = data.draw(st.sets(st.integers(0, n - 1), max_size=n))
    found = _sift(n, bad)
    assert {int(symbol) for symbol, _ in found.bad} == bad
    assert len(found.bad) == len(bad)
    delivered = [symbol for _, outcome in found.answers for symbol in outcome.unwrap()]
    assert sorted(int(symbol) for symbol in delivered) == sorted(set(range(n)) - bad)
    if bad:
        assert found.requests <= len(bad) * 2 * math.log2(n) + 1


def test_a_half_that_fails_otherwise_is_handed_on_and_not_taken_for_bad() -> None:
    found = _sift(8, {1}, broken=frozenset({6}))
    assert [symbol for symbol, _ in found.bad] == ["1"]
    failed = [symbols for symbols, outcome in found.answers if not outcome.is_value]
    assert failed == [("4", "5", "6", "7")]
