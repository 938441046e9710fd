"""Which tickers are worth a thesis: found while reading goes on, each told as soon as its points pass the mark.

In: talk from the world, text by text, and symbols that others put forward.  Out: ``Found``, one for each ticker.
Refuses symbols outside the universe, a text that was counted already, one author's second word in a thread, what
robots write, and talk from before yesterday, so no ticker re-qualifies by having been found before.
"""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import partial
from typing import Protocol

from tapeline.core.clock import Clock, together
from tapeline.core.errors import TapelineError
from tapeline.core.outcome import Kind, Outcome, nothing
from tapeline.core.types import NS_PER_S
from tapeline.thesis.mentions import Mentions

MAX_AGE_S = 86_400.0
"""Talk of the last day counts; older talk had its chance."""
MAX_COUNT = 5
"""Mentions inside one speech that count."""
MAX_COMMENTS = 5.0
"""Points that the comments of one thread can give one ticker: a long thread is still one thread."""
MAX_REASONS = 8
"""Reasons kept of one ticker."""
_AROUND = 40
"""Characters on either side of a mention that a reason shows."""
ROUTINE = 0.5
"""Weight of stickied daily threads: everybody's favourites stand there every day."""


class Place(StrEnum):
    """Where in a thread a text stands."""

    TITLE = "title"
    BODY = "body"
    COMMENT = "comment"
    SPEECH = "speech"


POINTS = {Place.TITLE: 3.0, Place.BODY: 2.0, Place.COMMENT: 1.0, Place.SPEECH: 1.0}
"""Of a ticker that is named there: once, but in a speech each time."""

_ROBOTS = frozenset({"automoderator", "visualmod"})


@dataclass(frozen=True, slots=True)
class Text:
    """One piece of talk: data, never instruction.

    Attributes
    ----------
    source
        Who carries it: ``"reddit"``, ``"youtube"``.
    thread
        Texts of one thread or video share it.
    place
        Where in the thread; decides the points.
    words
        As it was written: case carries meaning.
    author
        Empty when unknown; one author counts once per thread, place and ticker.
    weight
        Multiplies the points: how far this voice is trusted.
    is_routine
        Counts ``ROUTINE``.
    """

    source: str
    thread: str
    place: Place
    event_ns: int
    words: str
    author: str
    weight: float = 1.0
    is_routine: bool = False


@dataclass(frozen=True, slots=True)
class Lead:
    """A symbol that somebody else puts forward: a candidate of the scan, a position that is held."""

    symbol: str
    points: float
    source: str
    reason: str


@dataclass(frozen=True, slots=True)
class Found:
    """A ticker whose points passed the mark.

    ``score`` and ``reasons`` are as of that moment; ``Scoreboard.score`` knows later ones. ``sources`` are sorted.
    """

    symbol: str
    score: float
    sources: tuple[str, ...]
    reasons: tuple[str, ...]


Hear = Callable[[Sequence[Text]], Awaitable[None]]
"""Told the texts of one answer, together: they were read at one moment."""


class TalkSource(Protocol):
    """Somebody who carries talk."""

    @property
    def name(self) -> str:
        """Unique among the sources, e.g. ``"reddit"``."""
        ...

    async def read(self, hear: Hear) -> tuple[Outcome[int], ...]:
        """Tell each answer's texts as soon as it is there; return, for each question, how many texts came."""
        ...


@dataclass(slots=True)
class _Case:
    """What speaks for one ticker so far."""

    points: float = 0.0
    is_found: bool = False
    sources: set[str] = field(default_factory=set)
    reasons: list[str] = field(default_factory=list)
    by_comments: dict[str, float] = field(default_factory=dict)


class Scoreboard:
    """The points of every ticker. Pure: the order of different texts decides when a ticker is found, not its score.

    Parameters
    ----------
    universe
        Symbols that count.
    min_score
        Points from which a ticker is found.
    as_of_ns
        Now; texts older than ``MAX_AGE_S`` do not count.
    """

    def __init__(self, universe: Collection[str], *, min_score: float, as_of_ns: int) -> None:
        self._mentions = Mentions(universe)
        self._universe = frozenset(universe)
        self._min_score = min_score
        self._as_of_ns = as_of_ns
        self._cases: dict[str, _Case] = {}
        self._texts: set[bytes] = set()
        self._spoke: set[tuple[str, Place, str, str]] = set()

    def score(self, symbol: str) -> float:
        """Return the points of a ticker so far."""
        case = self._cases.get(symbol)
        return case.points if case is not None else 0.0

    def ranking(self) -> tuple[tuple[str, float], ...]:
        """Return (ticker, points) of every ticker that was named, most points first, then by name."""
        ranked = sorted((-case.points, symbol) for symbol, case in self._cases.items())
        return tuple((symbol, -points) for points, symbol in ranked)

    def lead(self, leads: Sequence[Lead]) -> tuple[Found, ...]:
        """Take in what others put forward; return the tickers that passed the mark by it, best first."""
        for lead in leads:
            if lead.symbol in self._universe:
                self._add(lead.symbol, lead.points, lead.source, lead.reason)
        return self._passed()

    def hear(self, texts: Sequence[Text]) -> tuple[Found, ...]:
        """Take in the texts of one moment; return the tickers that passed the mark by them, best first."""
        for text in texts:
            if self._counts(text):
                self._read(text)
        return self._passed()

    def _read(self, text: Text) -> None:
        for symbol, count in self._mentions.find(text.words).items():
            if self._is_first_word(text, symbol):
                times = min(count, MAX_COUNT) if text.place is Place.SPEECH else 1
                weight = text.weight * (ROUTINE if text.is_routine else 1.0)
                points = self._bounded(text, symbol, POINTS[text.place] * weight * times)
                self._add(symbol, points, text.source, _told(text.words, symbol))

    def _counts(self, text: Text) -> bool:
        """Return whether a text counts at all: of the last day, by a person, and not heard before."""
        age_ns = self._as_of_ns - text.event_ns
        if age_ns > MAX_AGE_S * NS_PER_S or is_robot(text.author):
            return False
        mark = hashlib.sha256(" ".join(text.words.split()).casefold().encode()).digest()
        is_new = mark not in self._texts
        self._texts.add(mark)
        return is_new

    def _is_first_word(self, text: Text, symbol: str) -> bool:
        """Return whether the author names the ticker for the first time in this place of the thread."""
        key = (text.thread, text.place, text.author, symbol)
        is_first = not text.author or key not in self._spoke
        self._spoke.add(key)
        return is_first

    def _bounded(self, text: Text, symbol: str, points: float) -> float:
        """Return what is left of a comment's points under the bound of its thread."""
        if text.place is not Place.COMMENT:
            return points
        given = self._cases.setdefault(symbol, _Case()).by_comments
        allowed = min(points, MAX_COMMENTS - given.get(text.thread, 0.0))
        given[text.thread] = given.get(text.thread, 0.0) + allowed
        return allowed

    def _add(self, symbol: str, points: float, source: str, reason: str) -> None:
        if points <= 0.0:
            return
        case = self._cases.setdefault(symbol, _Case())
        case.points += points
        case.sources.add(source)
        if len(case.reasons) < MAX_REASONS:
            case.reasons.append(f"{points:+g} {source}: {reason}")

    def _passed(self) -> tuple[Found, ...]:
        """Return the tickers that have passed the mark since the last call, most points first, then by name."""
        passed = [(s, c) for s, c in self._cases.items() if not c.is_found and c.points >= self._min_score]
        for _, case in passed:
            case.is_found = True
        found = [Found(s, c.points, tuple(sorted(c.sources)), tuple(c.reasons)) for s, c in passed]
        return tuple(sorted(found, key=lambda ticker: (-ticker.score, ticker.symbol)))


def is_robot(author: str) -> bool:
    """Return whether an author is a machine by its name."""
    name = author.casefold()
    return name in _ROBOTS or name.endswith(("bot", "-mod", "_mod"))


def _told(words: str, symbol: str) -> str:
    """Return the words around the first mention of a symbol, on one line."""
    line = " ".join(words.split())
    start = max(0, line.upper().find(symbol) - _AROUND)
    return line[start : start + 2 * _AROUND].strip()


async def discover(
    sources: Sequence[TalkSource],
    board: Scoreboard,
    emit: Callable[[Found], Awaitable[None]],
    clock: Clock,
    *,
    also: Sequence[Lead] = (),
) -> Mapping[str, tuple[Outcome[int], ...]]:
    """Read all talk and tell each ticker once, at the moment its points pass the mark, the best of a moment first.

    In: talk, and what others put forward (``also``, first).   Out: ``emit`` for each ticker.
    Concurrency: one task per source, as actors in the place of the caller, who must be one.
    Backpressure: a source waits while ``emit`` does.
    Failure: what a source could not read is its outcome; ``TapelineError`` and ``OSError`` that it raises become one.
        The others go on.
    Shutdown: returns when every source has been read; leaves no task behind.

    Returns
    -------
    Mapping
        Source name -> an outcome for each question it asked, with the texts that came.
    """
    heard: dict[str, tuple[Outcome[int], ...]] = {}

    async def tell(found: tuple[Found, ...]) -> None:
        for ticker in found:
            await emit(ticker)

    async def hear(texts: Sequence[Text]) -> None:
        await tell(board.hear(texts))

    async def read(source: TalkSource) -> None:
        try:
            heard[source.name] = await source.read(hear)
        except (TapelineError, OSError) as error:
            reason = f"{type(error).__name__}: {error}"
            heard[source.name] = (nothing(Kind.ERROR, source=source.name, reason=reason, as_of_ns=clock.now_ns()),)

    await tell(board.lead(also))
    if sources:
        await together(clock, [partial(read, source) for source in sources])
    return {source.name: heard[source.name] for source in sources}
