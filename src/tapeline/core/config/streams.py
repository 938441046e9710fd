"""Lanes, workers and what a tick does: ``[streams]`` and ``[live]``."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, field

from tapeline.core.config.base import Count, NotNegative, Positive, Section
from tapeline.core.errors import ConfigError


class StreamsConfig(Section, frozen=True):
    """Valkey, lanes and workers. Read by ``streams``."""

    redis_url: str = ""
    """redis:// or rediss:// of a server (Redis >= 7 or Valkey), of a cluster that of several nodes, with commas between
    them; empty starts the embedded Valkey in the home."""
    lanes: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Streams that the symbols are spread over; 0 takes those that the server has, and makes two a worker on a fresh
    one."""
    workers: Annotated[int, Meta(ge=0, le=64)] = 0
    """Worker processes; 0 means 70 % of the cores, at least min_workers, at most 8."""
    min_workers: Annotated[int, Meta(ge=1, le=64)] = 1
    """Worker processes at least, however few cores there are; a number of workers below it is refused."""
    batch_size: Count = 50
    """Entries read at once."""
    batch_ms: Annotated[int, Meta(ge=1, le=10_000)] = 10
    """Longest wait for a batch to fill."""
    lease_s: Positive = 3.0
    """A lane whose owner is silent this long is taken over; well under the 5 s that are promised."""
    max_entries: Annotated[int, Meta(ge=1000)] = 100_000
    """Applied entries that each lane, and the ingress, keeps for a replay, and up to a sixteenth more; what waits stays
    beside them, however much it is."""
    tick_days: Positive = 5.0
    """Days that applied ticks stay in the lanes and on the ingress for a replay, counted back from the newest; fewer
    where max_entries are reached before."""
    snapshot_s: Positive = 1.0
    """Longest time between two snapshots of a lane under load."""
    hot_s: Positive = 0.25
    """Longest time that hot state lags behind under backlog; without one it is shown with every batch."""
    max_dead_letters: Count = 100_000
    """Dead letters kept per lane; the oldest beyond are dropped."""
    max_alerts: Count = 10_000
    """Alerts kept in `alerts:stream`."""
    stats_s: Positive = 30.0
    """Seconds between two lines of statistics."""
    metrics_port: Annotated[int, Meta(ge=0, le=65_535)] = 0
    """Port on this machine that Prometheus asks; 0 for none. Each worker has its own: those of a node or of
    `tapeline process` take this one and the next ones, `tapeline status` names them."""
    max_deliveries: Count = 5
    """Tries of one entry before it goes to the dead letters."""
    max_poison_pct: Annotated[float, Meta(gt=0, le=100)] = 50.0
    """A worker stops when more than this share of 200 entries in a row cannot be read; at 100 it never does, and all of
    them become dead letters."""

    def __post_init__(self) -> None:
        if 0 < self.workers < self.min_workers:
            raise ValueError(
                f"workers is {self.workers} and min_workers {self.min_workers}: raise one or lower the other"
            )


class PatternConfig(Section, frozen=True):
    """When a closed bar is worth an alert. Volumes are multiples of the mean of the bars before. Read by ``live``."""

    enabled: bool = True
    window_bars: Annotated[int, Meta(ge=10, le=1000)] = 20
    """Bars that say what is usual, and whose range a breakout leaves."""
    leg_bars: Annotated[int, Meta(ge=1, le=100)] = 5
    """Bars of one leg of a move."""
    turn_bars: Annotated[int, Meta(ge=1, le=100)] = 3
    """Bars since the turn of a reversal."""
    volume_spike: Positive = 2.2
    volume_breakout: Positive = 1.8
    divergence: Positive = 1.5
    momentum: Positive = 1.3
    breakout: Positive = 1.8
    reversal: Positive = 1.6
    accumulation: Positive = 1.6
    accumulation_max: Positive = 2.0
    max_ratio: Positive = 10.0
    """Above it a volume is told as this: a first trade after an hour is no record."""
    breakout_pct: Positive = 0.3
    momentum_pct: Positive = 0.5
    leg_pct: Positive = 2.0
    turn_pct: Positive = 1.0
    still_pct: Positive = 0.1
    """A move smaller than this is none."""
    accumulation_rsi: tuple[float, float] = (45.0, 65.0)
    regime_vol_pct: tuple[float, float, float] = (15.0, 20.0, 25.0)
    """Yearly volatility of the symbol's own bars at which low ends, and high and panic begin."""
    regime_factor: tuple[Positive, Positive, Positive, Positive] = (0.8, 1.0, 1.3, 1.8)
    """What low, normal, high and panic make of every threshold."""

    def __post_init__(self) -> None:
        if self.leg_bars + self.turn_bars > self.window_bars:
            raise ValueError("leg_bars and turn_bars together may not be more than window_bars")
        if list(self.regime_vol_pct) != sorted(self.regime_vol_pct):
            raise ValueError("regime_vol_pct must rise")


SCANNER_NAMES = {
    "redis_url": "redis_url",
    "optimized_processor_workers": "workers",
    "optimized_processor_batch_size": "batch_size",
}
"""What a scanner's JSON calls some settings of ours."""
SCANNER_SWITCH = "use_optimized_stream_processor"


def from_scanner(given: dict[str, Any]) -> dict[str, Any]:
    """Return settings with a scanner's top-level names put where ours are; null leaves the default.

    There is one processor, so the switch may only be on. Values are checked where all are.

    Raises
    ------
    ConfigError
        When the switch is off.
    """
    if given.get(SCANNER_SWITCH) not in (None, True):
        raise ConfigError(
            f"{SCANNER_SWITCH} is {given[SCANNER_SWITCH]!r}: there is no other processor here; leave it out or set "
            "it to true, and do not start `tapeline process` where none is wanted"
        )
    ours = {key: value for key, value in given.items() if key not in (*SCANNER_NAMES, SCANNER_SWITCH)}
    said = {SCANNER_NAMES[key]: given[key] for key in SCANNER_NAMES if given.get(key) is not None}
    return {**ours, "streams": {**given.get("streams", {}), **said}} if said else ours


class LiveConfig(Section, frozen=True):
    """What a tick does. Read by ``live``."""

    timeframes_s: tuple[Count, ...] = (60, 300)
    """Bars built from the stream; each a multiple of the one before."""
    window_bars: Annotated[int, Meta(ge=30, le=10_000)] = 120
    """Bars of one minute kept per symbol for the indicators."""
    grace_s: NotNegative = 0.0
    """How long after its end a bar still takes late ticks before it closes; a later one makes a revision."""
    indicators: tuple[str, ...] = ("sma_20", "ema_12", "rsi_14", "atr_14", "bbands_20_2_upper", "bbands_20_2_lower")
    session_start_utc_s: Annotated[int, Meta(ge=0, lt=86_400)] = 18_000
    """Seconds after midnight UTC at which session VWAP, volume, high and low begin anew; 5 h is New York's midnight."""
    hot_ttl_s: Positive = 86_400.0
    """Life of a symbol's hot state in Valkey."""
    rate: Annotated[float, Meta(ge=-0.5, le=1.0)] = 0.04
    """Yearly rate, continuously compounded, for the Greeks of options."""
    patterns: PatternConfig = field(default_factory=PatternConfig)
