"""What people write about the market on message boards: about movers, about favourites, about nothing, and to mislead.

In: the tape, a board and the moment of asking.  Out: ``Post`` and ``Comment`` items that exist by then.
Refuses to know more than its writers: a text depends on nothing after its own moment, and an id never changes.
"""

from __future__ import annotations

import datetime as dt
import math
from collections import OrderedDict
from dataclasses import dataclass

from tapeline.core.types import NS_PER_S
from tapeline.sim import banter
from tapeline.sim.clock import new_york_day, new_york_ns
from tapeline.sim.faults import draw
from tapeline.sim.moves import Attention, DayMoves, farthest, last_seen
from tapeline.sim.tape import MINUTE_NS, PUBLISH_NS, Tape

BOARDS = ("wallstreetbets", "stocks", "pennystocks", "investing", "options")
HOUR_NS = 3_600 * NS_PER_S
SLOT_MINUTES = 15
MOVERS_A_SLOT = 2
MOVE_LEVEL = 0.02
OTHERS = 20
"""Movers that come to mind at any moment."""
MAX_POSTS = 128
MAX_COMMENTS = 256
MAX_DEPTH = 4
KEPT_THREADS = 256
FIRST_ORDINAL = dt.date(2000, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Post:
    """What somebody has posted. ``heat`` in (0, 1) is how much it will be read; ``symbol`` may be ""."""

    number: int
    board: str
    event_ns: int
    author: str
    title: str
    body: str
    symbol: str
    heat: float
    is_daily: bool = False

    def score(self, now_ns: int) -> int:
        """Return its votes, which come in over hours."""
        return 1 + int(6_000 * self.heat**3 * -math.expm1(-(now_ns - self.event_ns) / (4 * HOUR_NS)))


@dataclass(frozen=True, slots=True)
class Comment:
    """What somebody has answered; ``parent`` is the number of a comment, or -1 for the post itself."""

    number: int
    parent: int
    depth: int
    event_ns: int
    author: str
    body: str
    heat: float

    def score(self, now_ns: int) -> int:
        """Return its votes, below zero for some."""
        votes = 400 * self.heat**4 - 6
        return 1 + round(votes * -math.expm1(-(now_ns - self.event_ns) / (2 * HOUR_NS)))


class Crowd:
    """Writes and keeps the talk of the newest day.

    Parameters
    ----------
    tape
        What can be seen.
    seed
        Chooses who writes what and when; what moved is not its choice.
    """

    def __init__(self, tape: Tape, seed: int) -> None:
        self._tape = tape
        self._seed = seed
        self._moves = DayMoves(tape)
        self._attention = Attention(tape)
        self._posts: OrderedDict[tuple[str, dt.date], tuple[Post, ...]] = OrderedDict()
        self._threads: OrderedDict[int, tuple[Comment, ...]] = OrderedDict()

    def posts(self, board: str, now_ns: int) -> list[Post]:
        """Return what has been posted on a board since the previous session's close, oldest first."""
        day = new_york_day(now_ns)
        if (board, day) not in self._posts:
            self._posts[board, day] = self._write_day(board, day, now_ns)
            while len(self._posts) > len(BOARDS):
                self._posts.popitem(last=False)
        return [post for post in self._posts[board, day] if post.event_ns <= now_ns]

    def post(self, number: int, now_ns: int) -> Post | None:
        """Return the post of a number, or None when there is none today or it is still to come."""
        board = number // MAX_POSTS % len(BOARDS)
        found = self.posts(BOARDS[board], now_ns)
        rank = number % MAX_POSTS
        return found[rank] if rank < len(found) and found[rank].number == number else None

    def comments(self, post: Post, now_ns: int) -> list[Comment]:
        """Return what has been answered to a post, oldest first."""
        if post.number not in self._threads:
            self._threads[post.number] = self._write_thread(post, now_ns)
            while len(self._threads) > KEPT_THREADS:
                self._threads.popitem(last=False)
        return [comment for comment in self._threads[post.number] if comment.event_ns <= now_ns]

    def _write_day(self, board: str, day: dt.date, now_ns: int) -> tuple[Post, ...]:
        drafts = [
            *self._daily_threads(board, day),
            *self._about_favourites(board, day, now_ns),
            *self._about_yesterday(board, now_ns),
            *self._about_movers(board, now_ns),
            *self._chatter(board, day),
            *self._injections(board, day),
        ]
        # The number is the rank in time: what comes later changes no number of what was there.
        drafts.sort(key=lambda post: (post.event_ns, post.title))
        first = ((day.toordinal() - FIRST_ORDINAL) * len(BOARDS) + BOARDS.index(board)) * MAX_POSTS
        return tuple(_numbered(post, first + rank) for rank, post in enumerate(drafts[:MAX_POSTS]))

    def _draft(self, board: str, event_ns: int, title: str, body: str, symbol: str, *, daily: bool = False) -> Post:
        key = (self._seed, board, event_ns, title)
        author = "AutoModerator" if daily else banter.pick(banter.AUTHORS, draw(*key, "author"))
        return Post(0, board, event_ns, author, title, body, symbol, 0.95 if daily else draw(*key, "heat"), daily)

    def _daily_threads(self, board: str, day: dt.date) -> list[Post]:
        if board not in ("wallstreetbets", "stocks"):
            return []
        today = banter.DAILY_TITLE.format(date=day.strftime("%B %d, %Y"))
        after = banter.TOMORROW_TITLE.format(date=(day + dt.timedelta(days=1)).strftime("%B %d, %Y"))
        return [
            self._draft(board, new_york_ns(day, dt.time(6)), today, banter.DAILY_BODY, "", daily=True),
            self._draft(board, new_york_ns(day, dt.time(16)), after, banter.DAILY_BODY, "", daily=True),
        ]

    def _about_favourites(self, board: str, day: dt.date, now_ns: int) -> list[Post]:
        found = []
        favourites, _ = self._attention.yesterday(now_ns)
        for number in range(4 if favourites else 0):
            key = (self._seed, board, day, number, "favourite")
            symbol = favourites[int(draw(*key) * len(favourites))]
            event_ns = new_york_ns(day, dt.time(5)) + int(draw(*key, "time") * 14 * HOUR_NS)
            titles = banter.POPULAR_TITLES, banter.BODIES_FLAT
            found.append(self._on_symbol(board, event_ns, symbol, 0.0, titles))
        return found

    def _about_yesterday(self, board: str, now_ns: int) -> list[Post]:
        past = self._tape.past_rows(now_ns)
        if past < 2:
            return []
        close_ns = int(self._tape.market.close_ns[past - 1])
        found = []
        for symbol, move in self._attention.yesterday(now_ns)[1]:
            if draw(self._seed, board, close_ns, symbol) < 0.7:
                event_ns = close_ns + int(draw(self._seed, board, close_ns, symbol, "time") * 5 * HOUR_NS)
                found.append(self._on_symbol(board, event_ns, symbol, move, _titles(move)))
        return found

    def _about_movers(self, board: str, now_ns: int) -> list[Post]:
        """Return a post on each of the farthest movers of each quarter of an hour, once a symbol and level."""
        if (moves := self._moves.today(now_ns)) is None:
            return []
        event_ns, move = moves
        found, told = [], set()
        for row in range(SLOT_MINUTES - 1, len(event_ns), SLOT_MINUTES):
            for column in farthest(move[row], MOVERS_A_SLOT * 3):
                size = float(move[row, column])
                symbol = self._tape.market.symbols[column]
                level = int(abs(size) / (2 * MOVE_LEVEL))
                key = (self._seed, board, int(event_ns[row]), symbol)
                if abs(size) < MOVE_LEVEL or (symbol, level) in told or draw(*key) > 0.5:
                    continue
                told.add((symbol, level))
                seen_ns = int(event_ns[row]) + MINUTE_NS + PUBLISH_NS
                wrote_ns = seen_ns + (20 + int(draw(*key, "delay") * 600)) * NS_PER_S
                found.append(self._on_symbol(board, wrote_ns, symbol, size, _titles(size)))
        return found

    def _on_symbol(
        self, board: str, event_ns: int, symbol: str, move: float, words: tuple[tuple[str, ...], tuple[str, ...]]
    ) -> Post:
        """Return a post about one symbol in the given titles and bodies."""
        key = (self._seed, board, event_ns, symbol)
        name = self._tape.market.names[self._tape.columns[symbol]] or symbol
        fields = {
            "t": banter.spell(symbol, draw(*key, "spell")),
            "name": name,
            "pct": f"{abs(move) * 100:.1f}",
        }
        title = banter.pick(words[0], draw(*key, "title")).format(**fields)
        body = banter.pick(words[1], draw(*key, "body")).format(**fields)
        return self._draft(board, event_ns, title, body, symbol)

    def _chatter(self, board: str, day: dt.date) -> list[Post]:
        found = []
        for number in range(8):
            key = (self._seed, board, day, number, "chatter")
            event_ns = new_york_ns(day, dt.time(5)) + int(draw(*key) * 17 * HOUR_NS)
            title = banter.CHATTER_TITLES[number % len(banter.CHATTER_TITLES)]
            found.append(self._draft(board, event_ns, title, banter.pick(banter.BODIES_CHATTER, draw(*key, "b")), ""))
        return found

    def _injections(self, board: str, day: dt.date) -> list[Post]:
        """Return, on every other day and board, a post that is meant for machines."""
        key = (self._seed, board, day, "injection")
        if draw(*key) < 0.5:
            return []
        symbols = self._tape.market.symbols
        symbol = symbols[int(draw(*key, "symbol") * len(symbols))]
        event_ns = new_york_ns(day, dt.time(5)) + int(draw(*key, "time") * 6 * HOUR_NS)
        return [self._on_symbol(board, event_ns, symbol, 0.0, (banter.INJECTION_TITLES, (banter.INJECTION_BODY,)))]

    def _write_thread(self, post: Post, now_ns: int) -> tuple[Comment, ...]:
        """Return all comments that a post gets today, oldest first."""
        count = 140 if post.is_daily else int(45 * post.heat**2)
        key = (self._seed, post.number)
        times = sorted(post.event_ns + 60 * NS_PER_S + _delay_ns(draw(*key, n, "time")) for n in range(count))
        found: list[Comment] = []
        for number, event_ns in enumerate(times):
            parent = int(draw(*key, number, "parent") * (number + 1) * 2) - number - 2
            depth = found[parent].depth + 1 if parent >= 0 else 0
            if depth > MAX_DEPTH:
                parent, depth = -1, 0
            author = banter.pick(banter.AUTHORS, draw(*key, number, "author"))
            body = self._comment(post, number, event_ns, now_ns)
            heat = draw(*key, number, "heat")
            found.append(Comment(number, max(parent, -1), depth, event_ns, author, body, heat))
        return tuple(found)

    def _comment(self, post: Post, number: int, event_ns: int, now_ns: int) -> str:
        key = (self._seed, post.number, number)
        what, choice = draw(*key, "what"), draw(*key, "words")
        symbol = post.symbol
        if symbol and what < 0.4:
            words: tuple[str, ...] = banter.AGREE if draw(*key, "agree") < 0.6 else banter.DISAGREE
        elif what < (0.65 if post.is_daily else 0.5):
            others = self._others(event_ns, now_ns)
            if not others:
                return banter.pick(banter.BANTER, choice)
            symbol = others[int(draw(*key, "other") * len(others))]
            words = banter.AGREE + banter.DISAGREE + banter.OTHER
        elif symbol and what > 0.99:
            return banter.disguise(symbol) + " is the one, trust me"
        elif symbol and what > 0.98:
            return banter.INJECTION_BODY.format(t=f"${symbol}")
        else:
            return banter.pick(banter.BANTER, choice)
        return banter.pick(words, choice).format(t=banter.spell(symbol, draw(*key, "spell")))

    def _others(self, event_ns: int, now_ns: int) -> list[str]:
        """Return the symbols that somebody who writes at ``event_ns`` may have in mind."""
        favourites, movers = self._attention.yesterday(now_ns)
        known = favourites + [symbol for symbol, _ in movers]
        if (moves := self._moves.today(now_ns)) is None:
            return known
        starts, move = moves
        row = last_seen(starts, event_ns)
        if row < 0:
            return known
        return known + [self._tape.market.symbols[i] for i in farthest(move[row], OTHERS)]


def _numbered(post: Post, number: int) -> Post:
    return Post(number, *(getattr(post, name) for name in Post.__slots__[1:]))


def _titles(move: float) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (banter.UP_TITLES, banter.BODIES_UP) if move > 0 else (banter.DOWN_TITLES, banter.BODIES_DOWN)


def _delay_ns(choice: float) -> int:
    """Return how long after a post somebody answers: half of them within the first hour and a half."""
    return int(-math.log(choice) * 2.2 * HOUR_NS)
