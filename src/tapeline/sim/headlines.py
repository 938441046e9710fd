"""How a simulated newsroom words what it sees. The publishers do not exist, and no real one is ever quoted.

In: who moved, how far, and a number that chooses among phrasings.  Out: a title that says the direction in words.
"""

from __future__ import annotations

PUBLISHERS = (
    "Meridian Wire",
    "The Ledger Bell",
    "Northgate Markets",
    "Tape & Ticker Daily",
    "Harborline Finance",
    "Closing Print",
)

NEUTRAL = (
    "What analysts will ask {who} on its next call",
    "{who}: a look at the numbers before the next report",
    "Five things to know about {who} this week",
    "{who} to present at investor conference",
    "How {who} compares with its peers",
    "Options traders keep an eye on {who}",
)

_UP = (
    ("{who} rises {pct}% on steady buying", "{who} edges higher, up {pct}%", "{who} gains {pct}% as bulls return"),
    ("{who} climbs {pct}% in strong trading", "{who} rallies {pct}% on heavy demand", "{who} jumps {pct}%"),
    ("{who} surges {pct}% as buyers pile in", "{who} soars {pct}% in broad rally", "{who} leaps {pct}%"),
    ("{who} skyrockets {pct}% in furious rally", "{who} soars {pct}% as buyers rush in", "{who} surges {pct}%"),
)
_DOWN = (
    ("{who} falls {pct}% on steady selling", "{who} slips lower, down {pct}%", "{who} drops {pct}% as bears return"),
    ("{who} slides {pct}% in weak trading", "{who} sinks {pct}% under heavy selling", "{who} declines {pct}%"),
    ("{who} tumbles {pct}% as sellers rush out", "{who} slumps {pct}% in broad sell-off", "{who} plunges {pct}%"),
    ("{who} crashes {pct}% in panic selling", "{who} plummets {pct}% as sellers flee", "{who} plunges {pct}%"),
)
_TURN_UP = ("{who} rebounds from the day's low, recovers as buyers return", "{who} bounces back, climbs off the low")
_TURN_DOWN = ("{who} turns lower as sellers return", "{who} retreats from the day's high, slips as sellers return")
_CLOSE_UP = ("{who} closes {pct}% higher", "{who} ends the session up {pct}% after rally")
_CLOSE_DOWN = ("{who} closes {pct}% lower", "{who} ends the session down {pct}% after sell-off")


def move_title(who: str, move: float, level: int, choice: float) -> str:
    """Return the title of a move (fraction of the previous close) that has crossed its ``level``-th threshold."""
    return _word((_UP if move > 0 else _DOWN)[level], who, move, choice)


def turn_title(who: str, *, up: bool, choice: float) -> str:
    """Return the title of a move that has given back half of itself."""
    return _word(_TURN_UP if up else _TURN_DOWN, who, 0.0, choice)


def close_title(who: str, move: float, choice: float) -> str:
    """Return the title of a finished session."""
    return _word(_CLOSE_UP if move > 0 else _CLOSE_DOWN, who, move, choice)


def neutral_title(who: str, choice: float) -> str:
    """Return a title that says nothing of direction."""
    return _word(NEUTRAL, who, 0.0, choice)


def publisher(choice: float) -> str:
    """Return the name of a publisher; ``choice`` lies in (0, 1)."""
    return PUBLISHERS[int(choice * len(PUBLISHERS))]


def _word(titles: tuple[str, ...], who: str, move: float, choice: float) -> str:
    return titles[int(choice * len(titles))].format(who=who, pct=f"{abs(move) * 100:.1f}")
