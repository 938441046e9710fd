"""Weigh independent opinions of one symbol into one signal, or say why there is none.

In: the outcomes of every source asked, the market's regime, the configuration.  Out: ``Outcome[Signal]``. Pure.
Refuses to count a silent source as neutral, two sources of one group as two, or a quorum that disagrees as a signal.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tapeline.core.config import SignalsConfig
from tapeline.core.errors import ConfigError
from tapeline.core.outcome import Kind, Outcome, nothing, value_of
from tapeline.core.types import NS_PER_S, Side, Signal, Vote
from tapeline.signals.regime import label_of, tilt

SOURCE = "consensus"
ID_LENGTH = 16
"""Hex digits of a signal's id: 64 bits, enough to tell billions of signals apart."""
AUDIBLE_POINTS = 0.1
"""Side times confidence that a group needs to count for the quorum. A whisper, such as last night's headline at noon,
is weighed as what it is, but is no second opinion."""


@dataclass(frozen=True, slots=True)
class GroupOpinion:
    """What one group of related sources says together.

    Attributes
    ----------
    side
        [-1, 1], mean of the group's votes weighted by their confidence.
    confidence
        (0, 1], mean of their confidences with the same weights, so a vote of next to no confidence adds next to
        nothing, and restating the same opinion does not make it surer.
    weight
        Of the group, before normalising.
    """

    group: str
    side: float
    confidence: float
    weight: float

    @property
    def points(self) -> float:
        """Side times confidence, in [-1, 1]."""
        return self.side * self.confidence


def consensus(
    symbol: str, votes: Sequence[Outcome[Vote]], regime: Outcome[str], config: SignalsConfig, as_of_ns: int
) -> Outcome[Signal]:
    """Return the signal that a quorum of independent groups supports.

    Parameters
    ----------
    symbol
        Whom the votes are about.
    votes
        One outcome per source, in any order. What is not a value, and votes older than ``config.ttl_s``, are silent:
        they are recorded and change neither side, strength nor id.
    regime
        Of ``market_regime``. Tilts the strength a little; an unknown regime tilts nothing.
    as_of_ns
        The moment of the decision. Part of the signal's id, so one decision is one signal.

    Returns
    -------
    Outcome[Signal]
        A value; ``no_data`` when fewer groups speak than the quorum asks for; ``abstained`` when they speak and
        disagree, or agree too weakly. ``strength`` is in (0, 1].

    Raises
    ------
    ConfigError
        When a vote's group has no weight in ``signals.weights``.
    ValueError
        When a source votes twice, or knows more than ``as_of_ns`` allows: both are bugs of the caller.

    Notes
    -----
    strength = | sum(weight * side * confidence) / sum(weight) | * tilt over the groups that speak, at most 1.
    The quorum counts the groups whose side * confidence has the sign of that sum and at least ``AUDIBLE_POINTS``.
    """
    spoken, silent = _part(votes, config, as_of_ns)
    groups = _opinions(spoken, config)
    if len(groups) < config.quorum_groups:
        heard = ", ".join(opinion.group for opinion in groups) or "none"
        return _none(Kind.NO_DATA, f"{len(groups)} of {config.quorum_groups} groups speak ({heard})", silent, as_of_ns)
    total = math.fsum(g.weight * g.points for g in groups) / math.fsum(g.weight for g in groups)
    agreeing = [g for g in groups if g.points * total > 0 and abs(g.points) >= AUDIBLE_POINTS]
    said = ", ".join(f"{g.group} {g.points:+.2f}" for g in groups)
    if len(agreeing) < config.quorum_groups:
        return _none(Kind.ABSTAINED, f"the groups do not agree ({said})", silent, as_of_ns)
    side = Side.BUY if total > 0 else Side.SELL
    strength = min(1.0, abs(total) * tilt(regime, side, config.regime_tilt_frac))
    if strength < config.min_strength:
        reason = f"strength {strength:.2f} for a {side} is below {config.min_strength:g} ({said})"
        return _none(Kind.ABSTAINED, reason, silent, as_of_ns)
    signal = Signal(
        signal_id=signal_id(symbol, side, as_of_ns),
        symbol=symbol,
        side=side,
        strength=strength,
        as_of_ns=as_of_ns,
        expires_ns=as_of_ns + round(config.ttl_s * NS_PER_S),
        regime=label_of(regime),
        votes=tuple(spoken),
        silent=silent,
    )
    return value_of(signal, source=SOURCE, as_of_ns=as_of_ns)


def signal_id(symbol: str, side: Side, as_of_ns: int) -> str:
    """Return the id of a decision: equal decisions have equal ids, on every machine."""
    return hashlib.sha256(f"{symbol}|{side}|{as_of_ns}".encode()).hexdigest()[:ID_LENGTH]


def _part(
    votes: Iterable[Outcome[Vote]], config: SignalsConfig, as_of_ns: int
) -> tuple[list[Vote], tuple[tuple[str, str], ...]]:
    """Return the votes that count and the silent sources, both by source."""
    spoken: dict[str, Vote] = {}
    silent: dict[str, str] = {}
    oldest_ns = as_of_ns - round(config.ttl_s * NS_PER_S)
    for outcome in votes:
        vote = outcome.value
        source = outcome.source if vote is None else vote.source
        if source in spoken or source in silent:
            raise ValueError(f"{source} votes twice: a source is asked once in a decision")
        if vote is None:
            silent[source] = f"{outcome.kind}: {outcome.reason}"
        elif vote.as_of_ns > as_of_ns:
            raise ValueError(f"{source} votes as of {vote.as_of_ns}, after the decision's {as_of_ns}")
        elif vote.as_of_ns < oldest_ns:
            age_s = (as_of_ns - vote.as_of_ns) / NS_PER_S
            silent[source] = f"{Kind.STALE}: the vote is {age_s:.0f} s old, {config.ttl_s:g} s are allowed"
        else:
            spoken[source] = vote
    return [spoken[source] for source in sorted(spoken)], tuple(sorted(silent.items()))


def _opinions(votes: Sequence[Vote], config: SignalsConfig) -> list[GroupOpinion]:
    """Return one opinion per group, by name. ``fsum`` makes the sums exact, hence free of order."""
    members: dict[str, list[Vote]] = {}
    for vote in votes:
        members.setdefault(vote.group, []).append(vote)
    return [_opinion(group, members[group], config) for group in sorted(members)]


def _opinion(group: str, votes: Sequence[Vote], config: SignalsConfig) -> GroupOpinion:
    if group not in config.weights:
        known = ", ".join(sorted(config.weights))
        raise ConfigError(f"signals.weights has no weight for the group {group!r} of {votes[0].source}: it has {known}")
    heft = math.fsum(vote.confidence for vote in votes)
    return GroupOpinion(
        group=group,
        side=math.fsum(vote.side * vote.confidence for vote in votes) / heft,
        confidence=math.fsum(vote.confidence * vote.confidence for vote in votes) / heft,
        weight=config.weights[group],
    )


def _none(kind: Kind, reason: str, silent: tuple[tuple[str, str], ...], as_of_ns: int) -> Outcome[Signal]:
    quiet = "; ".join(f"{source} {why}" for source, why in silent)
    return nothing(kind, source=SOURCE, reason=f"{reason}; silent: {quiet}" if quiet else reason, as_of_ns=as_of_ns)
