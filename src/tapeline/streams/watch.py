"""What people see of a worker: a line every 30 seconds, numbers for Prometheus, and an alarm before it is too late.

In: the lanes' and the ingress's progress.  Out: log lines and metrics. Nothing depends on them.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from wsgiref.simple_server import WSGIServer

import anyio
import anyio.to_thread
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import ConfigError, PortInUse
from tapeline.streams.ingress import IngressProgress
from tapeline.streams.store import LaneProgress, id_key

PERFORMANCE = "tapeline.performance"
"""Logger of the statistics."""
log = logging.getLogger(PERFORMANCE)

METRICS_PORT = "TAPELINE_STREAMS__METRICS_PORT"
"""What tells a worker its own port, when it is one of several."""
LEAVES_WITHIN_S = 5.0
"""A worker that was killed with all that watched it lets go of its port within this."""
_TRY_EVERY_S = 0.25

PREFIX = "tapeline_stream_"
_OF_LANE = {
    "lag": "Entries that are not applied yet.",
    "length": "Entries that are kept.",
    "dead": "Dead letters that are kept.",
    "unsaved_s": "Seconds of entries that a recovery would apply again.",
    "idle_s": "Seconds since the newest entry came, as far as the lane is applied.",
}


def metrics_ports(config: StreamsConfig, n_workers: int) -> range:
    """Return the port that Prometheus asks of each worker, one after the other; none when it should not.

    Raises
    ------
    ConfigError
        When there are not so many ports above the first.
    """
    first = config.metrics_port
    if not first:
        return range(0)
    if first + n_workers > 1 << 16:
        raise ConfigError(
            f"streams.metrics_port is {first}, and {n_workers} workers need as many ports from there on: choose a "
            f"lower one, {(1 << 16) - n_workers} at most"
        )
    return range(first, first + n_workers)


@dataclass(slots=True)
class Watch:
    """Tells of the streams.

    Attributes
    ----------
    config
        Sizes that the alarm is measured by.
    registry
        Where the metrics are.
    """

    config: StreamsConfig
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    _gauges: dict[str, Gauge] = field(default_factory=dict)
    _rows: int = 0
    _at_s: float = 0.0

    def __post_init__(self) -> None:
        for name, text in _OF_LANE.items():
            self._gauges[name] = Gauge(PREFIX + name, text, ["lane"], registry=self.registry)
        for name in ("ingress_lag", "ingress_pending", "ingress_dead", "rows", "rows_per_s", "workers", "lost"):
            self._gauges[name] = Gauge(PREFIX + name, name.replace("_", " "), registry=self.registry)

    @asynccontextmanager
    async def served(self, port: int, *, wait_s: float = LEAVES_WITHIN_S) -> AsyncIterator[None]:
        """Answer Prometheus on a port of this machine while the body runs; 0 is for none.

        Waits for a worker of before that is about to end; raises ``PortInUse`` when the port stays taken.
        """
        if not port:
            yield
            return
        server = await self._listen(port, anyio.current_time() + wait_s)
        try:
            yield
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.to_thread.run_sync(server.shutdown)
                server.server_close()

    async def _listen(self, port: int, until_s: float) -> WSGIServer:
        while True:
            try:
                return start_http_server(port, addr="127.0.0.1", registry=self.registry)[0]
            except OSError as error:
                if anyio.current_time() >= until_s:
                    raise PortInUse(
                        f"streams.metrics_port: {port} is taken ({error.strerror}): choose another, or 0; of several "
                        "workers each has its own, from there on"
                    ) from error
            await anyio.sleep(_TRY_EVERY_S)

    def tell(
        self, lanes: Iterable[LaneProgress], ingress: IngressProgress | None, *, rows: int, lost: int, now_s: float
    ) -> str:
        """Take in where everything stands; return the line and log it with every alarm that is due.

        Parameters
        ----------
        lanes, ingress
            Progress now; None without an ingress.
        rows, lost
            Ticks applied by this worker, and times that the server went back behind what it had acknowledged.
        now_s
            A clock that only goes forward.
        """
        lanes = list(lanes)
        rate = (rows - self._rows) / (now_s - self._at_s) if now_s > self._at_s > 0 else 0.0
        self._rows, self._at_s = rows, now_s
        for lane in lanes:
            self._tell_lane(lane)
        if ingress is not None:
            self._tell_ingress(ingress)
        workers = len({lane.owner for lane in lanes if lane.owner})
        dead = sum(lane.dead for lane in lanes) + (ingress.dead if ingress is not None else 0)
        lag = sum(lane.lag for lane in lanes) + (ingress.lag if ingress is not None else 0)
        for name, value in (("rows", rows), ("rows_per_s", rate), ("workers", workers), ("lost", lost)):
            self._gauges[name].set(value)
        line = (
            f"[PERFORMANCE] Processed: {rows} messages ({rate:.1f} msg/sec), Workers: {workers}, Errors: {dead}, "
            f"Lag: {lag}, Lost: {lost}"
        )
        log.info("%s", line)
        return line

    def _tell_lane(self, lane: LaneProgress) -> None:
        label = str(lane.lane)
        newest_ms, saved_ms = id_key(lane.last_id)[0], id_key(lane.snapshot_id)[0]
        applied_ms = id_key(lane.applied_id)[0]
        values = {
            "lag": lane.lag,
            "length": lane.length,
            "dead": lane.dead,
            "unsaved_s": max(newest_ms - saved_ms, 0) / 1000 if saved_ms else 0.0,
            "idle_s": max(newest_ms - applied_ms, 0) / 1000 if applied_ms else 0.0,
        }
        for name, value in values.items():
            self._gauges[name].labels(label).set(value)
        self._alarm(f"lane {lane.lane}", lane.lag)

    def _tell_ingress(self, ingress: IngressProgress) -> None:
        self._gauges["ingress_lag"].set(ingress.lag)
        self._gauges["ingress_pending"].set(ingress.pending)
        self._gauges["ingress_dead"].set(ingress.dead)
        self._alarm("the ingress", ingress.lag)

    def _alarm(self, what: str, lag: int) -> None:
        if 2 * lag > self.config.max_entries:
            log.error(
                "%s is %d entries behind, more than half of streams.max_entries (%d): a producer that trims to that "
                "length would soon cut what is not applied; add workers",
                what,
                lag,
                self.config.max_entries,
            )
