"""Finding the symbols for which a vendor refuses a whole batch.

In: symbols and a way to ask for some of them.  Out: the answers of the good ones, the bad ones with the vendor's word.
Refuses to ask what it can conclude: when one half is good, the bad symbol is in the other, which is not asked again as
a whole. One bad symbol among n costs at most ``2 * log2(n) + 1`` requests.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from tapeline.core.outcome import Outcome
from tapeline.feed.http import Refusal

T = TypeVar("T")
Ask = Callable[[tuple[str, ...]], Awaitable[Outcome[T]]]


@dataclass(slots=True)
class Sifted(Generic[T]):
    """What became of the parts of a batch.

    Attributes
    ----------
    answers
        (symbols, outcome) of each part that was not refused; the outcome may still hold no value.
    bad
        (symbol, the vendor's word) of each symbol that is refused by itself.
    requests
        Questions asked.
    """

    answers: list[tuple[tuple[str, ...], Outcome[T]]] = field(default_factory=list)
    bad: list[tuple[str, str]] = field(default_factory=list)
    requests: int = 0


async def sift(symbols: tuple[str, ...], ask: Ask[T]) -> Sifted[T]:
    """Ask for ``symbols``; when the vendor refuses the question itself, find out because of whom."""
    found: Sifted[T] = Sifted()
    word = await _ask(symbols, ask, found)
    if word is not None:
        await _split(symbols, word, ask, found)
    return found


async def _ask(symbols: tuple[str, ...], ask: Ask[T], found: Sifted[T]) -> str | None:
    """Ask for some symbols and keep the answer; return the vendor's word when it refuses the question."""
    outcome = await ask(symbols)
    found.requests += 1
    if isinstance(outcome, Refusal):
        return outcome.reason
    found.answers.append((symbols, outcome))
    return None


async def _split(symbols: tuple[str, ...], word: str, ask: Ask[T], found: Sifted[T]) -> None:
    """Find the bad ones in a part that is known to hold at least one."""
    while len(symbols) > 1:
        left, right = symbols[: len(symbols) // 2], symbols[len(symbols) // 2 :]
        left_word = await _ask(left, ask, found)
        if left_word is None:
            symbols = right  # it must be in here
            continue
        right_word = await _ask(right, ask, found)
        if right_word is not None:
            await _split(right, right_word, ask, found)
        symbols, word = left, left_word
    found.bad.append((symbols[0], word))
