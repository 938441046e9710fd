"""What prices and volumes alone say of a symbol: two sources of the one group "tape".

In: the scan's reading of a symbol, absolute and in units of its own daily range.  Out: two ``Outcome[Vote]``. Pure.
Refuses to have an opinion within the noise: a move of less than half a daily range abstains.
"""

from __future__ import annotations

import math

from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import Vote
from tapeline.scan.result import Reading

GROUP = "tape"
TREND = "tape.trend"
INTRADAY = "tape.intraday"

NOISE_ATR = 0.5
"""Half a usual day's range happens every day, in both directions, and says nothing."""
FULL_TREND_ATR = 2.0
"""Two daily ranges away from its averages, a price is as clearly in a trend as it gets."""
FULL_INTRADAY_ATR = 1.0
"""A whole usual day's range, in one direction, from open and previous close."""
TREND_BROKEN_ATR = 1.0
"""A day that moves this far against the trend puts it in question."""
BASE_CONFIDENCE = 0.6
CONFIRMED = 0.15
"""Added for each independent confirmation. Confidences are not calibrated yet: they order votes, no more."""
BUSY = 1.5
"""Relative volume that confirms a move: half as much again as usual at this time of day."""


def tape_votes(reading: Outcome[Reading]) -> tuple[Outcome[Vote], Outcome[Vote]]:
    """Return the votes of trend and of intraday momentum, as of the scan.

    A symbol without a reading keeps the scan's kind and reason in both.
    """
    return trend_vote(reading), intraday_vote(reading)


def trend_vote(reading: Outcome[Reading]) -> Outcome[Vote]:
    """Return the vote of the distance from the averages of 20 and 50 sessions.

    Full side at 2 ATR. Surer when the last 21 sessions moved the same way. Abstains within half an ATR, and when today
    moves an ATR or more against the trend: then the averages describe the market of yesterday.
    """
    if reading.value is None:
        return _silent(reading, TREND)
    as_of_ns = reading.value.as_of_ns
    trend, intraday, momentum = (reading.value.factors[name] for name in ("trend", "intraday", "momentum_21"))
    if math.isnan(trend):
        return nothing(Kind.NO_DATA, source=TREND, reason="too few sessions for a trend", as_of_ns=as_of_ns)
    where = f"{trend:+.1f} ATR from its averages"
    if abs(trend) < NOISE_ATR:
        return nothing(Kind.ABSTAINED, source=TREND, reason=f"no trend: {where}", as_of_ns=as_of_ns)
    if trend * intraday < 0 and abs(intraday) >= TREND_BROKEN_ATR:
        reason = f"{where}, but today moves {intraday:+.1f} ATR against it"
        return nothing(Kind.ABSTAINED, source=TREND, reason=reason, as_of_ns=as_of_ns)
    confidence = BASE_CONFIDENCE + CONFIRMED * (momentum * trend > 0)
    return _vote(TREND, trend / FULL_TREND_ATR, confidence, as_of_ns, where)


def intraday_vote(reading: Outcome[Reading]) -> Outcome[Vote]:
    """Return the vote of today's move, the mean of those since the open and since the previous close.

    Full side at 1 ATR, and surer there. Surer on busy volume as well; an unknown volume (NaN) confirms nothing.
    """
    if reading.value is None:
        return _silent(reading, INTRADAY)
    as_of_ns = reading.value.as_of_ns
    move, busy = reading.value.factors["intraday"], reading.value.factors["relative_volume"]
    if math.isnan(move):
        return nothing(Kind.NO_DATA, source=INTRADAY, reason="no usable move today", as_of_ns=as_of_ns)
    said = f"{move:+.1f} ATR today on {busy:.1f} times the usual volume"
    if abs(move) < NOISE_ATR:
        return nothing(Kind.ABSTAINED, source=INTRADAY, reason=f"within the noise: {said}", as_of_ns=as_of_ns)
    confidence = BASE_CONFIDENCE + CONFIRMED * (busy >= BUSY) + CONFIRMED * (abs(move) >= FULL_INTRADAY_ATR)
    return _vote(INTRADAY, move / FULL_INTRADAY_ATR, confidence, as_of_ns, said)


def _vote(source: str, side: float, confidence: float, as_of_ns: int, reason: str) -> Outcome[Vote]:
    vote = Vote(source, GROUP, max(-1.0, min(1.0, side)), confidence, as_of_ns, reason)
    return value_of(vote, source=source, as_of_ns=as_of_ns)


def _silent(reading: Outcome[Reading], source: str) -> Outcome[Vote]:
    return nothing(reading.kind, source=source, reason=reading.reason, as_of_ns=reading.as_of_ns)
