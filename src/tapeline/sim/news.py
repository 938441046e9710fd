"""News that the real moves would have made: headlines of companies, their sectors and the market, and some noise.

In: the tape, a symbol and the moment of asking.  Out: ``Story`` items, newest first.
Refuses to know more than its readers: a story depends on nothing after the minute it tells of, which has ended before
the story appears.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np

from tapeline.core.types import F64, I64, NS_PER_S
from tapeline.sim import headlines
from tapeline.sim.clock import new_york_day, new_york_ns
from tapeline.sim.faults import draw
from tapeline.sim.moves import DayMoves
from tapeline.sim.tape import MINUTE_NS, PUBLISH_NS, Tape

COMPANY_LEVELS = (0.02, 0.04, 0.06, 0.10)
GROUP_LEVELS = (0.01, 0.02, 0.035, 0.05)
"""Moves since the previous close that make news; a group is a sector or the market, which move less."""
CLOSE_LEVEL = 0.02
PAST_SESSIONS = 3
DELAY_S = (30, 180)
"""Seconds from the end of a minute to the story on it. The bar itself appears after one second."""
CLOSE_DELAY_S = (1_200, 7_200)
NOISE_HOURS = (4, 17)
MAX_STORIES = 100


@dataclass(frozen=True, slots=True)
class Story:
    """One item. ``event_ns`` is its time of publication, a whole second."""

    event_ns: int
    guid: str
    title: str
    publisher: str


class Newsroom:
    """Writes and keeps the stories of each day.

    Parameters
    ----------
    tape
        What can be seen.
    seed
        Chooses phrasing, publishers, delays and noise; never a direction.
    """

    def __init__(self, tape: Tape, seed: int) -> None:
        self._tape = tape
        self._seed = seed
        self._written: dict[tuple[str, dt.date], tuple[Story, ...]] = {}
        self._moves = DayMoves(tape)
        market = tape.market
        self._members = {
            sector: np.array([i for i, other in enumerate(market.sectors) if other == sector], np.intp)
            for sector in sorted(set(market.sectors) - {""})
        }

    def of_symbol(self, symbol: str, now_ns: int) -> list[Story]:
        """Return what has been published on a symbol, its sector and the market, newest first."""
        sector = self._tape.market.sectors[self._tape.columns[symbol]]
        stories = [*self._company(symbol, now_ns), *self._group(sector, now_ns), *self._group("", now_ns)]
        return _published(stories, now_ns)

    def of_market(self, now_ns: int) -> list[Story]:
        """Return what has been published on the market and all sectors, newest first."""
        groups = ["", *self._members]
        return _published([story for group in groups for story in self._group(group, now_ns)], now_ns)

    def _company(self, symbol: str, now_ns: int) -> tuple[Story, ...]:
        """Return all stories that a company makes today or has made lately, those to come included."""
        day = new_york_day(now_ns)
        if (symbol, day) not in self._written:
            column = self._tape.columns[symbol]
            name = self._tape.market.names[column]
            who = f"{name} ({symbol})" if name else symbol
            stories = [*self._noise(symbol, who, day), *self._closes(symbol, who, column, now_ns)]
            if (moves := self._moves.today(now_ns)) is not None:
                event_ns, move = moves
                stories += self._crossings(symbol, who, event_ns, move[:, column], COMPANY_LEVELS)
            self._written[symbol, day] = tuple(stories)
        return self._written[symbol, day]

    def _group(self, sector: str, now_ns: int) -> tuple[Story, ...]:
        """Return today's stories of a sector, or of the whole market for ""."""
        key = f"sector:{sector}", new_york_day(now_ns)
        if key not in self._written:
            stories: list[Story] = []
            if (moves := self._moves.today(now_ns)) is not None:
                event_ns, move = moves
                members = move if sector == "" else move[:, self._members[sector]]
                who = f"{sector} sector" if sector else "Wall Street"
                stories = self._crossings(key[0], who, event_ns, _mean(members), GROUP_LEVELS)
            self._written[key] = tuple(stories)
        return self._written[key]

    def _crossings(self, key: str, who: str, event_ns: I64, move: F64, levels: tuple[float, ...]) -> list[Story]:
        """Return a story for each threshold at the minute that first crosses it, and one when half is given back."""
        stories = []
        for sign in (1, -1):
            told: dict[int, int] = {}
            signed = np.nan_to_num(sign * move, nan=0.0)
            for level, threshold in enumerate(levels):
                crossed = signed >= threshold
                if crossed.any():
                    told[int(crossed.argmax())] = level  # one story a minute: a gap tells its highest level only
            for minute, level in told.items():
                choice = draw(self._seed, key, int(event_ns[minute]), sign, "title")
                title = headlines.move_title(who, float(move[minute]), level, choice)
                stories.append(self._story(key, int(event_ns[minute]) + MINUTE_NS, DELAY_S, title))
            best = np.maximum.accumulate(signed)
            turned = (best >= levels[1]) & (best - signed >= best / 2)
            if turned.any():
                minute = int(turned.argmax())
                choice = draw(self._seed, key, int(event_ns[minute]), sign, "turn")
                title = headlines.turn_title(who, up=sign < 0, choice=choice)
                stories.append(self._story(key, int(event_ns[minute]) + MINUTE_NS, DELAY_S, title))
        return stories

    def _closes(self, symbol: str, who: str, column: int, now_ns: int) -> list[Story]:
        """Return what was written after the last sessions ended."""
        tape = self._tape
        past = tape.past_rows(now_ns)
        closes = tape.closes(slice(max(0, past - PAST_SESSIONS - 1), None), now_ns)[:, column]
        stories = []
        for row, move in zip(range(past - len(closes) + 1, past), closes[1:] / closes[:-1] - 1.0, strict=True):
            if abs(move) >= CLOSE_LEVEL:
                closed_ns = int(tape.market.close_ns[row])
                title = headlines.close_title(who, float(move), draw(self._seed, symbol, closed_ns, "close"))
                stories.append(self._story(symbol, closed_ns, CLOSE_DELAY_S, title))
        return stories

    def _noise(self, symbol: str, who: str, day: dt.date) -> list[Story]:
        """Return up to two stories a day that say nothing, of this day and the one before."""
        stories = []
        for date in (day - dt.timedelta(days=1), day):
            first_ns = new_york_ns(date, dt.time(NOISE_HOURS[0]))
            span_s = (NOISE_HOURS[1] - NOISE_HOURS[0]) * 3_600
            for number in range(int(draw(self._seed, symbol, date, "noise") * 3)):
                title = headlines.neutral_title(who, draw(self._seed, symbol, date, number, "neutral"))
                stories.append(self._story(f"{symbol}#{number}", first_ns, (0, span_s), title))
        return stories

    def _story(self, key: str, after_ns: int, delay_s: tuple[int, int], title: str) -> Story:
        """Return the story with a publisher and a time of publication that follow from what it tells of."""
        low_s, high_s = delay_s
        delay = low_s + int(draw(self._seed, key, after_ns, title, "delay") * (high_s - low_s))
        guid = hashlib.blake2b(f"{self._seed}|{key}|{after_ns}|{title}".encode(), digest_size=12).hexdigest()
        event_ns = after_ns + delay * NS_PER_S
        return Story(event_ns, guid, title, headlines.publisher(draw(self._seed, key, after_ns, title, "publisher")))


def _published(stories: list[Story], now_ns: int) -> list[Story]:
    seen = [story for story in stories if story.event_ns + PUBLISH_NS <= now_ns]
    return sorted(seen, key=lambda story: (-story.event_ns, story.guid))[:MAX_STORIES]


def _mean(moves: F64) -> F64:
    """Return the mean of each row over the symbols that have traded; NaN where none has."""
    count = (~np.isnan(moves)).sum(axis=1)
    total = np.nansum(moves, axis=1)
    mean: F64 = np.divide(total, count, out=np.full(len(moves), np.nan), where=count > 0)
    return mean
