"""New entrants: told once, never at the first scan, never by a partial one, and again when the alert failed."""

from __future__ import annotations

from dataclasses import replace

import anyio
import pytest
from tests.ml.made import QUICK, history
from tests.scan.test_market import CONFIG

from tapeline.core.types import Candidate
from tapeline.scan.entrants import EntrantWatch
from tapeline.scan.market import run_scan
from tapeline.scan.saved import to_saved

WHOLE = run_scan(history(seed=9).grid, CONFIG, QUICK, models=None).result
FEWER = replace(WHOLE, candidates=WHOLE.candidates[2:])


class Told:
    """Keeps what it was told; fails as often as asked to."""

    def __init__(self, failures: int = 0) -> None:
        self.names: list[str] = []
        self.failures = failures

    async def __call__(self, entrants: tuple[Candidate, ...]) -> None:
        if self.failures:
            self.failures -= 1
            raise OSError("nobody listens")
        self.names += [candidate.symbol for candidate in entrants]


def test_entrants_are_told_once_and_nobody_is_new_at_first() -> None:
    told = Told()

    async def main() -> None:
        watch = EntrantWatch(told)
        assert await watch.see(FEWER) == ()
        assert await watch.see(replace(WHOLE, left_out=("up_10",))) == ()
        assert await watch.see(WHOLE) == WHOLE.candidates[:2]
        assert await watch.see(WHOLE) == ()

    anyio.run(main)
    assert told.names == [candidate.symbol for candidate in WHOLE.candidates[:2]]


def test_one_that_keeps_crossing_the_edge_is_told_once_and_still_seen_to_change() -> None:
    told = Told()

    async def main() -> None:
        watch = EntrantWatch(told)
        for _ in range(3):
            await watch.see(FEWER)
            await watch.see(WHOLE)
            assert watch.change is not None
            assert len(watch.change.new) == 2

    anyio.run(main)
    assert told.names == [candidate.symbol for candidate in WHOLE.candidates[:2]]


def test_restart_goes_on_from_the_kept_scan_and_a_failed_alert_is_told_again() -> None:
    told = Told(failures=1)

    async def main() -> None:
        watch = EntrantWatch(told, to_saved(FEWER.candidates, FEWER.as_of_ns))
        with pytest.raises(OSError, match="nobody listens"):
            await watch.see(WHOLE)
        assert len(await watch.see(WHOLE)) == 2

    anyio.run(main)
    assert len(told.names) == 2
