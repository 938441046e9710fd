"""The simulator as the authority over time in a replay.

In: a moment that the node waits for.  Out: the moment that the simulator grants.
Refuses to go on without it: a simulator that does not answer is ``Unavailable``.
"""

from __future__ import annotations

from types import TracebackType

import anyio
import httpx2
import msgspec

from tapeline.core.errors import Unavailable
from tapeline.core.types import NS_PER_S
from tapeline.feed.http import SHARED_STEP_NS

_STEP_NS = SHARED_STEP_NS
"""Time is asked for in steps, so answers that arrive close together cost one question.

What the simulator may tell of those milliseconds is cut off by whoever reads it: bars end at whole minutes, and
headlines later than now are dropped.
"""
_WALL_S = 60.0
"""Real seconds after which a simulator that is silent counts as gone."""


class _Granted(msgspec.Struct, frozen=True):
    """{"now_ns": 1273152600000000000}"""

    now_ns: int


class ReplayAuthority:
    """Asks the simulator to move time. An async context manager, and the ``Authority`` of a ``LogicalClock``.

    Parameters
    ----------
    base_url
        The simulator's address.
    speed
        Market minutes per minute of the wall at most; 0 is as fast as it goes. A pace for those who watch, no more.
    open_ns
        Where the pace begins; what comes before is nothing to watch.
    transport
        What sends; None uses a connection pool.
    """

    def __init__(
        self, base_url: str, *, speed: float = 0.0, open_ns: int = 0, transport: httpx2.AsyncBaseTransport | None = None
    ) -> None:
        self._client = httpx2.AsyncClient(base_url=base_url, timeout=_WALL_S, trust_env=False, transport=transport)
        self._speed = speed
        self._open_ns = open_ns
        self._opened_s: float | None = None

    async def __aenter__(self) -> ReplayAuthority:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._client.aclose()

    async def __call__(self, moment_ns: int) -> int:
        """Return the time that the simulator has moved to, at least ``moment_ns``. Raises Unavailable otherwise."""
        until_ns = -(-moment_ns // _STEP_NS) * _STEP_NS
        try:
            answer = await self._client.post("/sim/clock", content=msgspec.json.encode({"until_ns": until_ns}))
            answer.raise_for_status()
            await self._keep_pace(moment_ns)
            return msgspec.json.decode(answer.content, type=_Granted).now_ns
        except (httpx2.HTTPError, msgspec.MsgspecError) as error:
            raise Unavailable(f"the simulator does not move its clock: {type(error).__name__} {error}") from error

    async def _keep_pace(self, moment_ns: int) -> None:
        """Wait until the wall has come as far as the pace allows."""
        if not self._speed or moment_ns < self._open_ns:
            return
        if self._opened_s is None:
            self._opened_s = anyio.current_time()
        await anyio.sleep_until(self._opened_s + (moment_ns - self._open_ns) / NS_PER_S / self._speed)
