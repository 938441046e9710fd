"""How a headline leans, by a small table of financial words.

In: the title of a headline, text from the world.  Out: a lean in [-1, 1], or None when it has no word of the table.
Refuses to guess: words outside the table say nothing, and numbers say nothing ("up 5 %" leans by "up").
"""

from __future__ import annotations

import re
import unicodedata

MAX_TITLE = 300
"""Characters that are read; a headline is shorter, and a longer text is not a headline."""
MAX_NAME_WORDS = 4
"""Words that a company's name has at most, as headlines shorten them."""
NEGATION_REACH = 3
"""Words after a negation that it turns: "does not expect a loss"."""
NEGATED = -0.5
"""What a negation leaves of a word: "not bullish" leans down, but less than "bearish"."""

_STRONG_UP = "surge soar skyrocket rocket boom bullish blowout breakthrough outperform upgrade rally buyback"
_UP = (
    "up gain rise rose risen climb jump advance rebound recover recovery beat exceed strong strength stronger record "
    "high higher growth grow grew profitable boost lift raise optimistic optimism approval approve win won award "
    "expand expansion improve improvement positive buy bull leap bounce"
)
_STRONG_DOWN = (
    "plunge plummet crash collapse tumble slump tank nosedive freefall panic rout bearish bankrupt bankruptcy fraud "
    "downgrade selloff meltdown default insolvent insolvency"
)
_DOWN = (
    "down fall fell fallen drop decline slide slid sink sank sunk slip lose lost loss lower low dip retreat shed weak "
    "weakness weaker weaken miss cut warn warning fear worry worries concern lawsuit sue probe investigation recall "
    "delay layoff disappoint negative pressure sell hurt struggle bear"
)
WORDS: dict[str, float] = {
    **dict.fromkeys(_UP.split(), 0.5),
    **dict.fromkeys(_STRONG_UP.split(), 1.0),
    **dict.fromkeys(_DOWN.split(), -0.5),
    **dict.fromkeys(_STRONG_DOWN.split(), -1.0),
}
"""Stem to lean. 1 for words that only a clear move earns, 0.5 for ordinary ones."""

_NEGATIONS = "not no never without neither nor cannot cant dont doesnt didnt isnt arent wasnt wont fails failed"
NEGATIONS = frozenset(_NEGATIONS.split())
PHRASES = {
    "sell off": "selloff",
    "sells off": "selloff",
    "sold off": "selloff",
    "buy back": "buyback",
    "record low": "low",
    "record loss": "loss",
}
"""Two words that mean one of the table, where each alone would mislead."""

_APOSTROPHES = re.compile("['\u2019\u02bc]")
_NOT_WORD = re.compile(r"[^a-z0-9]+")


def normalise(title: str, publisher: str = "") -> str:
    """Return a title as plain lower-case words, without the " - Publisher" that news readers append.

    Two titles with equal normal forms are one headline.
    """
    text = unicodedata.normalize("NFKC", title[:MAX_TITLE]).casefold()
    text = text.removesuffix(f" - {publisher.casefold()}") if publisher else text
    return _NOT_WORD.sub(" ", _APOSTROPHES.sub("", text)).strip()


def without_name(title: str, symbol: str) -> str:
    """Return a title without the company's name before its symbol: "Best Buy (BBY) slips" says nothing good.

    Taken away are up to ``MAX_NAME_WORDS`` capitalised words in front of the symbol in brackets. In a headline whose
    every word is capitalised that may take a verb along: the title then says less, never the opposite.
    """
    title = title[:MAX_TITLE]
    end = title.find(f"({symbol})")
    if end < 0:
        return title
    words = title[:end].split()
    kept = len(words)
    while kept and len(words) - kept < MAX_NAME_WORDS and (words[kept - 1][0].isupper() or words[kept - 1] == "&"):
        kept -= 1
    return f"{' '.join(words[:kept])} {title[end:]}".strip()


def lean(words: str) -> float | None:
    """Return how a normalised title leans.

    Parameters
    ----------
    words
        Of ``normalise``.

    Returns
    -------
    float or None
        Sum of the leans over the number of leaning words, in [-1, 1]. None when there is no such word: the title
        has no opinion, which is not the same as a balanced one (0).

    Examples
    --------
    >>> lean(normalise("Acme shares plunge as profit falls"))
    -0.75
    >>> lean(normalise("Acme does not expect a loss"))
    0.25
    >>> lean(normalise("Acme to present at conference")) is None
    True
    """
    for phrase, word in PHRASES.items():
        words = f" {words} ".replace(f" {phrase} ", f" {word} ").strip()
    found: list[float] = []
    reach = 0
    for word in words.split():
        if word in NEGATIONS:
            reach = NEGATION_REACH
            continue
        points = _points(word)
        if points is not None:
            found.append(points * NEGATED if reach else points)
        reach = max(0, reach - 1)
    return sum(found) / len(found) if found else None


def _points(word: str) -> float | None:
    """Return the lean of a word in any of its forms; None when the table has none of them."""
    return next((WORDS[form] for form in _forms(word) if form in WORDS), None)


def _forms(word: str) -> list[str]:
    """Return the stems that a word may come from: plunges, plunged, plunging -> plunge; dropped -> drop."""
    forms = [word]
    for ending in ("s", "es", "d", "ed", "ing"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) >= 2:
            doubled = [stem[:-1]] if len(stem) > 3 and stem[-1] == stem[-2] else []
            forms += [stem, stem + "e", *doubled]
    if word.endswith(("ies", "ied")):
        forms.append(word[:-3] + "y")
    return forms
