"""Latency and failure by plan: which answer is slow, refused, broken or lacks a symbol.

In: a plan from a TOML or JSON file, and the identity of a request.  Out: a latency in ms and at most one fault.
Draws hang on (seed, request, logical time, how often that very request was repeated), never on the order of arrival.
Refuses a plan with unknown keys or impossible numbers, in one sentence.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import NormalDist
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from tapeline.core.errors import BadInput
from tapeline.core.types import NS_PER_S
from tapeline.sim.clock import NEW_YORK

FamilyName = Literal["data", "trading", "news", "reddit", "youtube", "yahoo", "edgar", "chat"]
"""Routes that one vendor serves under one limit."""

Probability = Annotated[float, Meta(ge=0, le=1)]


class Latency(Struct, frozen=True, forbid_unknown_fields=True):
    """Log-normal time to an answer: half of them are faster than ``median_ms``; ``sigma`` spreads their logarithm."""

    median_ms: Annotated[float, Meta(ge=0)]
    sigma: Annotated[float, Meta(ge=0, le=3)] = 0.35


class Fault(Struct, frozen=True, forbid_unknown_fields=True):
    """One way to fail, for routes that begin with ``route``, between two times of the New York day.

    Attributes
    ----------
    family
        Only routes of this family; all of them when absent. So ``family = "reddit"`` with a ``status`` of 500 and a
        probability of 1 is a dead Reddit.
    kind
        ``status`` answers ``status`` instead; ``stall`` takes ``latency_ms``; ``truncate`` cuts the body in half;
        ``missing`` leaves symbols out, each with this probability.
    burst_s
        Above 0, faults come in bursts: time is cut into stretches of so many seconds, each is struck with
        ``probability``, and in one that is, every request is. Not for ``missing``.
    """

    kind: Literal["status", "stall", "truncate", "missing"]
    probability: Probability
    route: str = "/"
    status: Annotated[int, Meta(ge=400, le=599)] = 500
    latency_ms: Annotated[float, Meta(ge=0)] = 30_000.0
    from_time: dt.time = dt.time.min
    until_time: dt.time = dt.time.max
    family: FamilyName | None = None
    burst_s: Annotated[float, Meta(ge=0)] = 0.0

    def strikes(self, number: int, seed: int, request_key: str, now_ns: int) -> bool:
        """Return whether the fault, ``number`` of its plan, befalls a request; drawn for itself or for its stretch."""
        stretch_ns = round(self.burst_s * NS_PER_S)
        key = f"{seed}|burst|{now_ns // stretch_ns}" if stretch_ns else request_key
        return draw(key, "fault", number) < self.probability


class FaultPlan(Struct, frozen=True, forbid_unknown_fields=True):
    """What goes wrong and how long answers take. Without a file nothing goes wrong."""

    seed: int | None = None
    """Seed of the draws; the simulator's own when absent."""
    latency: dict[str, Latency] = {}
    """By the beginning of the path; the longest that fits wins over the table below."""
    fault: tuple[Fault, ...] = ()
    """In order of precedence: the first that strikes is the only one. Put ``missing``, which always does, last."""


LATENCY = {
    "/": Latency(40.0),
    "/v2/stocks/bars": Latency(60.0),
    "/v2/assets": Latency(120.0),
    "/v2/clock": Latency(15.0),
    "/rss/": Latency(220.0, 0.5),
    "/api/v1/access_token": Latency(150.0),
    "/r/": Latency(250.0, 0.4),
    "/comments/": Latency(300.0, 0.4),
    "/youtube/": Latency(180.0),
    "/watch": Latency(400.0),
    "/v10/finance/": Latency(160.0),
    "/ws/fundamentals-timeseries/": Latency(220.0),
    "/submissions/": Latency(120.0),
    "/v1/chat/": Latency(1_100.0),
}
"""The usual time to an answer. Chosen to be plausible for one client on a good line; not measured at any vendor."""

MAX_SIGMAS = 2.85
"""No answer is further from the usual time: with it a chat answer takes 0.4 to 3 s."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What happens to one request.

    Attributes
    ----------
    latency_ms
        Time to the answer.
    fault
        Name of the fault that struck, for the statistics, or None.
    status
        The failure to answer instead, or None.
    lost
        Probability with which each symbol is left out; ``loses`` decides.
    """

    latency_ms: float
    draw_key: str
    fault: str | None = None
    status: int | None = None
    truncated: bool = False
    lost: float = 0.0

    def loses(self, symbol: str) -> bool:
        """Return whether the answer leaves ``symbol`` out."""
        return self.lost > 0 and draw(self.draw_key, "lost", symbol) < self.lost


def draw(*key: object) -> float:
    """Return a number in (0, 1) that depends on ``key`` alone."""
    text = "\x1f".join(str(part) for part in key)
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    return (int.from_bytes(digest) + 0.5) / 2.0**64


class Weather:
    """Decides what happens to each request.

    The same request may come several times at one moment (retries, two clients). Its copies are told apart by their
    number alone, and as they are the same it does not matter which came first.
    """

    def __init__(self, plan: FaultPlan, seed: int) -> None:
        self._plan = plan
        self._seed = seed if plan.seed is None else plan.seed
        self._latency = sorted({**LATENCY, **plan.latency}.items(), key=lambda item: -len(item[0]))
        self._moment_ns = -1
        self._copies: Counter[str] = Counter()

    def fate(self, path: str, query: str, now_ns: int, family: str = "") -> Fate:
        """Return what happens to the request for ``path`` of ``family``, with its sorted ``query``, at ``now_ns``."""
        if now_ns != self._moment_ns:
            self._moment_ns, self._copies = now_ns, Counter()
        identity = f"{path}?{query}"
        self._copies[identity] += 1
        key = f"{self._seed}|{identity}|{now_ns}|{self._copies[identity]}"
        latency = next(latency for prefix, latency in self._latency if path.startswith(prefix))
        z = min(max(NormalDist().inv_cdf(draw(key, "latency")), -MAX_SIGMAS), MAX_SIGMAS)
        latency_ms = round(latency.median_ms * math.exp(latency.sigma * z), 3)
        fate = Fate(latency_ms, key)
        time = dt.datetime.fromtimestamp(now_ns // NS_PER_S, NEW_YORK).time()
        for number, fault in enumerate(self._plan.fault):
            in_force = path.startswith(fault.route) and fault.from_time <= time < fault.until_time
            in_force = in_force and fault.family in (None, family)
            # A missing symbol is drawn per symbol, in ``Fate.loses``; every other kind strikes the whole answer.
            if in_force and (fault.kind == "missing" or fault.strikes(number, self._seed, key, now_ns)):
                return _strike(fate, fault)
        return fate


def _strike(fate: Fate, fault: Fault) -> Fate:
    if fault.kind == "status":
        return replace(fate, fault=f"status_{fault.status}", status=fault.status)
    if fault.kind == "stall":
        return replace(fate, fault="stall", latency_ms=fault.latency_ms)
    if fault.kind == "truncate":
        return replace(fate, fault="truncate", truncated=True)
    return replace(fate, fault="missing", lost=fault.probability)


def load_plan(path: Path | None) -> FaultPlan:
    """Return the plan in a ``.toml`` or ``.json`` file, or the empty one. Raises BadInput in one sentence."""
    if path is None:
        return FaultPlan()
    decode = msgspec.json.decode if path.suffix == ".json" else msgspec.toml.decode
    try:
        return decode(path.read_bytes(), type=FaultPlan)
    except OSError as error:
        raise BadInput(f"the fault plan {path} cannot be read: {error.strerror}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"the fault plan {path} is wrong: {error}") from None
