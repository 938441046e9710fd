"""Progress: stages with their times, counters, each event handed out once, a log that stays short."""

from __future__ import annotations

from tapeline.core.clock import LogicalClock
from tapeline.loop.progress import MAX_DEGRADED, MAX_LOG, Progress, idle


def begun() -> tuple[Progress, list[int]]:
    changes: list[int] = []
    progress = Progress(LogicalClock(1_273_154_400 * 10**9), lambda: changes.append(1))
    progress.begin("run@1", "streaming", "3 tickers at most")
    return progress, changes


def test_a_ticker_moves_through_stages_and_the_counters_follow() -> None:
    progress, changes = begun()
    for stage in ("discovered", "queued", "collecting", "collected"):
        progress.enter("AAA", stage)
    status = progress.status()
    assert status.ticker_status == {"AAA": "collected"}
    assert status.counters == {"discovered": 1, "collected": 1, "analyzed": 0, "traded": 0}
    assert [stage for stage, _ in status.tickers[0].history] == ["discovered", "queued", "collecting", "collected"]
    assert status.started_at == "2010-05-06T14:00:00Z"
    assert progress.stage_of("AAA") == "collected"
    assert progress.stage_of("BBB") == ""
    assert len(changes) >= 5


def test_events_are_handed_out_once() -> None:
    progress, _ = begun()
    progress.enter("AAA", "discovered", "3 points")
    assert [(event.symbol, event.stage) for event in progress.take_events()] == [("", "started"), ("AAA", "discovered")]
    assert progress.take_events() == ()


def test_log_and_complaints_are_bounded_and_a_part_complains_once() -> None:
    progress, _ = begun()
    for number in range(2 * MAX_LOG):
        progress.complain(f"part {number % (2 * MAX_DEGRADED)}", f"it broke {number}")
        progress.say(f"line {number}")
    status = progress.status()
    assert len(status.log) == MAX_LOG
    assert len(status.degraded) == MAX_DEGRADED
    assert status.degraded[0] == "it broke 0"


def test_a_part_that_works_again_is_no_longer_degraded_and_the_end_still_tells_of_it() -> None:
    progress, _ = begun()
    progress.complain("reddit", "it is dead")
    progress.heal("reddit")
    progress.heal("reddit")
    status = progress.status()
    assert status.degraded == ()
    assert [line.message for line in status.log][-1] == "reddit works again"
    assert progress.complaints == {"reddit": "it is dead"}


def test_what_came_to_no_order_is_not_counted() -> None:
    progress, _ = begun()
    progress.enter("AAA", "traded", "no order: no signal", counts=False)
    progress.enter("BBB", "traded", "buy 10 ordered")
    assert progress.status().counters["traded"] == 1


def test_a_new_run_forgets_the_one_before_but_not_its_log() -> None:
    progress, _ = begun()
    progress.enter("AAA", "discovered")
    progress.complain("reddit", "it is dead")
    progress.end("over")
    progress.begin("run@2", "sequential", "again")
    status = progress.status()
    assert (status.tickers, status.degraded, status.counters["discovered"]) == ((), (), 0)
    assert list(status.phases) == ["discovery", "collection", "analysis", "trading"]
    assert any("over" in line.message for line in status.log)


def test_before_any_run_it_is_idle() -> None:
    status = idle("streaming")
    assert (status.running, status.phase, status.started_at) == (False, "idle", None)
