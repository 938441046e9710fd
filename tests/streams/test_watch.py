"""What people see: the line of statistics, the metrics, and the alarm before it is too late."""

from __future__ import annotations

import logging
import socket

import anyio
import anyio.to_thread
import httpx2
import pytest

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import PortInUse
from tapeline.streams.ingress import IngressProgress
from tapeline.streams.store import LaneProgress
from tapeline.streams.watch import Watch, metrics_ports


def lane(number: int, lag: int, dead: int = 0) -> LaneProgress:
    return LaneProgress(number, f"worker-{number}", 100, lag, 0, dead, "5000-0", "4000-0", "3000-0", None)


INGRESS = IngressProgress("worker-0", 10, 2, 1, 3, "1-0", "1-0")


def test_the_line_says_rate_workers_errors_and_lag(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(StreamsConfig())
    with caplog.at_level(logging.INFO):
        watch.tell([lane(0, 0)], INGRESS, rows=0, lost=0, now_s=10.0)
        line = watch.tell([lane(0, 4), lane(1, 5, dead=2)], INGRESS, rows=15_000, lost=0, now_s=40.0)
    assert line == ("[PERFORMANCE] Processed: 15000 messages (500.0 msg/sec), Workers: 2, Errors: 5, Lag: 11, Lost: 0")
    assert line in caplog.text


def test_every_lane_has_its_metrics() -> None:
    watch = Watch(StreamsConfig())
    watch.tell([lane(0, 4), lane(1, 5, dead=2)], INGRESS, rows=7, lost=1, now_s=1.0)
    value = watch.registry.get_sample_value
    assert value("tapeline_stream_lag", {"lane": "1"}) == 5
    assert value("tapeline_stream_dead", {"lane": "1"}) == 2
    assert value("tapeline_stream_unsaved_s", {"lane": "0"}) == 2.0
    assert value("tapeline_stream_ingress_pending") == 1
    assert value("tapeline_stream_lost") == 1


def test_a_lag_of_half_of_what_is_kept_is_an_alarm(caplog: pytest.LogCaptureFixture) -> None:
    watch = Watch(StreamsConfig(max_entries=1000))
    watch.tell([lane(0, 500)], None, rows=0, lost=0, now_s=1.0)
    assert "entries behind" not in caplog.text
    watch.tell([lane(0, 501)], None, rows=0, lost=0, now_s=2.0)
    assert "lane 0 is 501 entries behind" in caplog.text


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def asked(port: int) -> str:
    """Return what Prometheus would read."""
    return httpx2.get(f"http://127.0.0.1:{port}/metrics", trust_env=False).text


@pytest.mark.anyio
async def test_a_port_is_waited_for_answers_and_is_let_go_of() -> None:
    watch = Watch(StreamsConfig())
    watch.tell([], None, rows=7, lost=0, now_s=1.0)
    with socket.socket() as before:
        before.bind(("127.0.0.1", 0))
        before.listen()
        port = before.getsockname()[1]
        with pytest.raises(PortInUse, match=f"streams.metrics_port: {port} is taken"):
            async with watch.served(port, wait_s=0.0):
                pass
        async with anyio.create_task_group() as group:
            group.start_soon(anyio.to_thread.run_sync, before.close)
            async with watch.served(port):
                assert "tapeline_stream_rows 7.0" in await anyio.to_thread.run_sync(asked, port)
    async with watch.served(port, wait_s=0.0), watch.served(0):
        pass


def test_ports_follow_each_other() -> None:
    assert list(metrics_ports(StreamsConfig(metrics_port=9100), 3)) == [9100, 9101, 9102]
    assert list(metrics_ports(StreamsConfig(), 3)) == []
