"""Several vendors of bars, one behind the other.

In: a question.  Out: the first vendor's answer that is one; its name and feed stand on every row.
Refuses to pass a substitute off as the first choice, and to ask another vendor what the first one calls a wrong
question: that has to be mended, not asked elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence

from tapeline.core.outcome import Kind, Outcome
from tapeline.core.types import BarFrame
from tapeline.feed.http import Refusal
from tapeline.feed.sources import BarSource


class SourceChain:
    """A ``BarSource`` made of others, best first."""

    def __init__(self, sources: Sequence[BarSource]) -> None:
        if not sources:
            raise ValueError("a chain of no sources has nobody to ask")
        self._sources = tuple(sources)
        self.substituted: dict[str, int] = {}
        """Source -> questions that it answered in the first one's place."""

    @property
    def name(self) -> str:
        """The first choice."""
        return self._sources[0].name

    @property
    def feed(self) -> str:
        """The first choice's feed; a frame from another vendor names its own."""
        return self._sources[0].feed

    @property
    def pages(self) -> int:
        """Pages received from all of them."""
        return sum(source.pages for source in self._sources)

    @property
    def requests(self) -> int:
        """Requests sent to all of them."""
        return sum(source.requests for source in self._sources)

    async def fetch_bars(
        self,
        symbols: Sequence[str],
        start_ns: int,
        end_ns: int,
        timeframe: str = "1Min",
        *,
        deadline_ns: int | None = None,
    ) -> Outcome[BarFrame]:
        """Ask one after the other until one has an answer; without any, return the first one's reason."""
        first: Outcome[BarFrame] | None = None
        for source in self._sources:
            outcome = await source.fetch_bars(symbols, start_ns, end_ns, timeframe, deadline_ns=deadline_ns)
            if outcome.is_value and first is not None:
                self.substituted[source.name] = self.substituted.get(source.name, 0) + 1
            if outcome.is_value or (first is None and _is_final(outcome)):
                return outcome
            first = first or outcome
        assert first is not None  # there is at least one source
        return first


def _is_final(outcome: Outcome[BarFrame]) -> bool:
    """Return whether the first choice has spoken, though without bars."""
    return isinstance(outcome, Refusal) or outcome.kind is Kind.NO_DATA
