"""From a scan to signals: the tape's votes, the sources' votes, the consensus of each symbol.

In: a scan, the symbols in question, sources to ask, votes that are there.  Out: ``Decisions``: signals, and reasons.
Refuses nothing by itself; it only joins the pure parts to the one fan-out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tapeline.core.clock import Clock
from tapeline.core.config import SignalsConfig
from tapeline.core.outcome import Outcome
from tapeline.core.types import Signal, Vote
from tapeline.scan.result import ScanResult
from tapeline.signals.consensus import consensus
from tapeline.signals.fanout import Votes, VoteSource, gather_votes
from tapeline.signals.tape import tape_votes

Given = Mapping[str, Sequence[Outcome[Vote]]]
"""Symbol -> votes of sources that need not be asked, e.g. of a dossier that is there."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """What came of one cycle, in the order of the symbols.

    Attributes
    ----------
    signals
        One for each symbol with a quorum.
    refused
        (symbol, why no signal came of it).
    """

    signals: tuple[Signal, ...]
    refused: tuple[tuple[str, str], ...]


async def form_signals(
    scan: ScanResult,
    symbols: Sequence[str],
    sources: Sequence[VoteSource],
    regime: Outcome[str],
    config: SignalsConfig,
    clock: Clock,
    given: Given | None = None,
) -> Decisions:
    """Ask the sources about ``symbols`` and decide.

    In: distinct symbols, candidates and held positions alike; in ``given`` the votes that nobody has to be asked for.
    Out: a signal or a reason for each.
    Only symbols that could still reach a quorum are asked about: where the tape is silent and the sources alone are
    too few groups, a request would be spent on an answer that changes nothing.
    The decision is as of the scan, however long the sources took: answers may know nothing later.
    The caller must be an actor of ``clock``; see ``gather_votes`` for concurrency and failure.
    """
    given = given or {}
    asked = await gather_votes(
        [symbol for symbol in symbols if _can_reach_quorum(scan, symbol, sources, given, config)],
        sources,
        clock,
        scan.as_of_ns,
        deadline_s=config.deadline_s,
        source_timeout_s=config.source_timeout_s,
        concurrency=config.source_concurrency,
    )
    return decide(scan, symbols, asked, regime, config, given)


def decide(
    scan: ScanResult,
    symbols: Sequence[str],
    asked: Votes,
    regime: Outcome[str],
    config: SignalsConfig,
    given: Given | None = None,
) -> Decisions:
    """Return the decisions that the tape, the gathered and the given votes support. Pure."""
    given = given or {}
    signals: list[Signal] = []
    refused: list[tuple[str, str]] = []
    for symbol in symbols:
        votes: list[Outcome[Vote]] = [*tape_votes(scan.reading(symbol)), *given.get(symbol, ())]
        votes += asked.get(symbol, {}).values()
        outcome = consensus(symbol, votes, regime, config, scan.as_of_ns)
        if outcome.value is None:
            refused.append((symbol, outcome.reason))
        else:
            signals.append(outcome.value)
    return Decisions(tuple(signals), tuple(refused))


def _can_reach_quorum(
    scan: ScanResult, symbol: str, sources: Sequence[VoteSource], given: Given, config: SignalsConfig
) -> bool:
    """Return whether the groups that speak already and all that can be asked are enough for a quorum."""
    known = (*tape_votes(scan.reading(symbol)), *given.get(symbol, ()))
    speaking = {vote.value.group for vote in known if vote.value is not None}
    return len(speaking | {source.group for source in sources}) >= config.quorum_groups
