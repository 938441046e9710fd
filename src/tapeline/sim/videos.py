"""Videos about stocks: shows on the market every day, analyses of symbols, and explanations of what has moved.

In: the tape, a symbol or none, and the moment of asking.  Out: ``Video`` items with their speech.
An id holds what a video is, so that it is found again without anything being kept. Refuses to show what is not
published yet; what a video says depends on nothing after its publication.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import hashlib
from dataclasses import dataclass

import numpy as np

from tapeline.core.types import NS_PER_S
from tapeline.sim import screenplay
from tapeline.sim.banter import pick
from tapeline.sim.clock import new_york_day, new_york_ns
from tapeline.sim.faults import draw
from tapeline.sim.moves import Attention, DayMoves, farthest, last_seen
from tapeline.sim.tape import MINUTE_NS, PUBLISH_NS, Tape

MARKET = 0xFFFFFF
"""Stands for the column of a video on the whole market."""
EVERGREEN, INTRADAY, EVENING = range(3)
DAYS_BACK = 6
INTRADAY_LEVEL = 0.03
EVENING_LEVEL = 0.025
FIRST_DAY = dt.date(2000, 1, 1)
SENTENCE_S = 4.2


@dataclass(frozen=True, slots=True)
class Video:
    """One video. ``symbol`` is "" for the whole market; ``move`` is what it explains, as a fraction.

    ``captions`` are (language, made by machine); () where there are none.
    """

    video_id: str
    event_ns: int
    channel: str
    title: str
    symbol: str
    move: float
    captions: tuple[tuple[str, bool], ...]


class Studio:
    """Makes the videos.

    Parameters
    ----------
    tape
        What can be seen.
    seed
        Chooses words, channels, delays and who has captions.
    """

    def __init__(self, tape: Tape, seed: int) -> None:
        self._tape = tape
        self._seed = seed
        self._moves = DayMoves(tape)
        self._attention = Attention(tape)

    def of_symbol(self, symbol: str, now_ns: int) -> list[Video]:
        """Return the published videos on a symbol of the last week, newest first."""
        column, day = self._tape.columns[symbol], new_york_day(now_ns)
        found = [self._evergreen(column, day - dt.timedelta(days=back)) for back in range(DAYS_BACK + 1)]
        found += [self._evening(column, now_ns), self._intraday(column, now_ns)]
        return _published(found, now_ns)

    def of_market(self, now_ns: int) -> list[Video]:
        """Return the shows of today and yesterday and the videos on what has moved, newest first."""
        day = new_york_day(now_ns)
        shows = [
            self._show(number, date)
            for date in (day, day - dt.timedelta(days=1))
            for number in range(len(screenplay.SHOWS))
        ]
        columns = [self._tape.columns[symbol] for symbol, _ in self._attention.yesterday(now_ns)[1]]
        evenings = [self._evening(column, now_ns) for column in columns]
        return _published([*shows, *evenings], now_ns)

    def find(self, video_id: str, now_ns: int) -> Video | None:
        """Return the video of an id, or None when there is none by now."""
        decoded = _decode(video_id, self._seed)
        if decoded is None:
            return None
        day, column, kind = decoded
        if column != MARKET and column >= len(self._tape.market.symbols):
            return None
        if column == MARKET:
            video = self._show(kind, day) if kind < len(screenplay.SHOWS) else None
        elif kind == EVERGREEN:
            video = self._evergreen(column, day)
        else:
            video = {INTRADAY: self._intraday, EVENING: self._evening}[kind](column, now_ns) if kind < 3 else None
        found = _published([video], now_ns)
        return found[0] if found and found[0].video_id == video_id else None

    def speech(self, video: Video) -> list[str]:
        """Return what is said, sentence by sentence."""
        key = (self._seed, video.video_id, "speech")
        subjects = [(video.symbol, video.move)] if video.symbol else self._seen(video.event_ns)
        said = [pick(screenplay.OPENING, draw(*key, "opening"))]
        for number in range(14):
            symbol, move = subjects[number % len(subjects)] if subjects else ("", 0.0)
            lines = screenplay.ON_NOTHING if abs(move) < 0.01 else screenplay.ON_UP if move > 0 else screenplay.ON_DOWN
            if not symbol or draw(*key, number, "aside") < 0.2:
                lines = screenplay.ON_MARKET
            said.append(self._fill(pick(lines, draw(*key, number)), symbol, move))
        if video.symbol and draw(*key, "machines") < 0.06:
            said.append(screenplay.FOR_MACHINES.format(symbol=video.symbol))
        return [*said, pick(screenplay.CLOSING, draw(*key, "closing"))]

    def _seen(self, moment_ns: int) -> list[tuple[str, float]]:
        """Return whom a show of that moment talks about: today's movers so far, or yesterday's."""
        _, movers = self._attention.yesterday(moment_ns)
        if (moves := self._moves.today(moment_ns)) is None or (row := last_seen(moves[0], moment_ns)) < 0:
            return movers[:6]
        move = moves[1][row]
        return [(self._tape.market.symbols[i], float(move[i])) for i in farthest(move, 6)]

    def _show(self, number: int, day: dt.date) -> Video:
        time, title = screenplay.SHOWS[number]
        event_ns = new_york_ns(day, dt.time.fromisoformat(time))
        return self._video(day, MARKET, number, event_ns, f"{title} ({day:%B} {day.day}, {day.year})", 0.0)

    def _evergreen(self, column: int, day: dt.date) -> Video | None:
        key = (self._seed, column, day, "evergreen")
        if draw(*key) > 0.5:
            return None
        event_ns = new_york_ns(day, dt.time(4)) + int(draw(*key, "time") * 5 * 3_600) * NS_PER_S
        return self._video(
            day, column, EVERGREEN, event_ns, pick(screenplay.EVERGREEN_TITLES, draw(*key, "title")), 0.0
        )

    def _evening(self, column: int, now_ns: int) -> Video | None:
        """Return the video on a symbol's move of the previous session."""
        past = self._tape.past_rows(now_ns)
        if past < 2:
            return None
        closes = self._tape.closes(slice(past - 2, past), now_ns)[:, column]
        move = float(closes[1] / closes[0] - 1.0)
        if not abs(move) >= EVENING_LEVEL:
            return None
        close_ns = int(self._tape.market.close_ns[past - 1])
        event_ns = close_ns + (1_800 + int(draw(self._seed, column, close_ns, "evening") * 14_400)) * NS_PER_S
        return self._video(
            new_york_day(now_ns), column, EVENING, event_ns, self._explains(column, close_ns, move), move
        )

    def _intraday(self, column: int, now_ns: int) -> Video | None:
        """Return the video on a symbol's first large move of the day."""
        if (moves := self._moves.today(now_ns)) is None:
            return None
        starts, move = moves[0], moves[1][:, column]
        large = np.nan_to_num(np.abs(move), nan=0.0) >= INTRADAY_LEVEL
        if not large.any():
            return None
        row = int(large.argmax())
        seen_ns = int(starts[row]) + MINUTE_NS + PUBLISH_NS
        event_ns = seen_ns + (600 + int(draw(self._seed, column, seen_ns, "intraday") * 2_400)) * NS_PER_S
        size = float(move[row])
        return self._video(
            new_york_day(now_ns), column, INTRADAY, event_ns, self._explains(column, seen_ns, size), size
        )

    def _explains(self, column: int, moment_ns: int, move: float) -> str:
        titles = screenplay.UP_TITLES if move > 0 else screenplay.DOWN_TITLES
        return pick(titles, draw(self._seed, column, moment_ns, "title"))

    def _video(self, day: dt.date, column: int, kind: int, event_ns: int, title: str, move: float) -> Video:
        video_id = _encode(day, column, kind, self._seed)
        symbol = "" if column == MARKET else self._tape.market.symbols[column]
        channel = pick(screenplay.CHANNELS, draw(self._seed, video_id, "channel"))
        return Video(
            video_id, event_ns, channel, self._fill(title, symbol, move), symbol, move, self._captions(video_id)
        )

    def _captions(self, video_id: str) -> tuple[tuple[str, bool], ...]:
        choice = draw(self._seed, video_id, "captions")
        if choice < 0.12:
            return ()
        if choice < 0.18:
            return (("de", True),)
        return (("en", False), ("en", True)) if choice > 0.8 else (("en", True),)

    def _fill(self, text: str, symbol: str, move: float) -> str:
        name = self._tape.market.names[self._tape.columns[symbol]] if symbol else ""
        return text.format(symbol=symbol, name=name or symbol, pct=f"{abs(move) * 100:.1f}") if symbol else text


def _published(videos: list[Video | None], now_ns: int) -> list[Video]:
    seen = [video for video in videos if video is not None and video.event_ns + PUBLISH_NS <= now_ns]
    return sorted(seen, key=lambda video: (-video.event_ns, video.video_id))


def _encode(day: dt.date, column: int, kind: int, seed: int) -> str:
    """Return an id of eleven letters: the day, the column, the kind and two bytes that tell whether they are right."""
    head = (day - FIRST_DAY).days.to_bytes(2) + column.to_bytes(3) + kind.to_bytes(1)
    check = hashlib.blake2b(head, digest_size=2, key=str(seed).encode()).digest()
    mask = hashlib.blake2b(check, digest_size=6).digest()
    masked = bytes(a ^ b for a, b in zip(head, mask, strict=True))
    return base64.urlsafe_b64encode(masked + check).decode().rstrip("=")


def _decode(video_id: str, seed: int) -> tuple[dt.date, int, int] | None:
    """Return what ``_encode`` was given, or None for what it did not make."""
    try:
        raw = base64.urlsafe_b64decode(video_id + "=") if len(video_id) == 11 else b""
    except (ValueError, binascii.Error):
        return None
    if len(raw) != 8:
        return None
    mask = hashlib.blake2b(raw[6:], digest_size=6).digest()
    head = bytes(a ^ b for a, b in zip(raw[:6], mask, strict=True))
    day = FIRST_DAY + dt.timedelta(days=int.from_bytes(head[:2]))
    column, kind = int.from_bytes(head[2:5]), head[5]
    return (day, column, kind) if _encode(day, column, kind, seed) == video_id else None
