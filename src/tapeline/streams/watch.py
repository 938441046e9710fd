"""What people see of a worker: a line every 30 seconds, numbers for Prometheus, and an alarm before it is too late.

In: the lanes' and the ingress's progress.  Out: log lines and metrics. Nothing depends on them.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import PortInUse
from tapeline.streams.ingress import IngressProgress
from tapeline.streams.store import LaneProgress, id_key

PERFORMANCE = "tapeline.performance"
"""Logger of the statistics."""
log = logging.getLogger(PERFORMANCE)

PREFIX = "tapeline_stream_"
_OF_LANE = {
    "lag": "Entries that are not applied yet.",
    "length": "Entries that are kept.",
    "dead": "Dead letters that are kept.",
    "unsaved_s": "Seconds of entries that a recovery would apply again.",
    "idle_s": "Seconds since the newest entry came, as far as the lane is applied.",
}


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

    def serve(self, port: int) -> None:
        """Answer Prometheus on a port of this machine until the process ends; raise ``PortInUse`` when it is taken."""
        try:
            start_http_server(port, addr="127.0.0.1", registry=self.registry)
        except OSError as error:
            raise PortInUse(f"streams.metrics_port {port} is taken ({error.strerror}): choose another, or 0") from error

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
