"""Ticks from anybody's program into the ingress, without an event loop.

In: ticks, one at a time or in columns.  Out: frames on ``ticks:intraday:processed``, each acknowledged by the server.
A server that fails over is waited for; a frame whose acknowledgement was lost is looked for before it is sent again.
Refuses what the worker would refuse: no name, no number.
"""

from __future__ import annotations

import math
import time
from collections import deque
from types import TracebackType

import numpy as np
from redis.exceptions import RedisError, ResponseError

from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.types import Label
from tapeline.streams import frames, keys
from tapeline.streams.access import absence
from tapeline.streams.link import Link
from tapeline.streams.store import BEGINNING
from tapeline.streams.ticks import EARLIEST_NS, LATEST_NS, NO_FEED, TickRows, flaw_of_symbol

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
"""Between two tries at a server that is away."""
_AT_ONCE = 100
"""Frames that are looked through in one go."""

Row = tuple[int, int, tuple[float, float, float, float, float]]


class TickWriter:
    """Writes ticks in frames. A context manager; what is left is written when it closes without an error.

    Parameters
    ----------
    address
        ``redis://``, ``rediss://`` or ``unix://``, or the path of a unix socket.
    feed
        Where the ticks come from; never mixed with others in a bar.
    label
        What kind of numbers they are.
    frame_rows
        Ticks in one frame; one tick is visible when its frame is full or ``flush`` is called.
    patience_s
        How long a server that took a frame before is waited for when it is away, in real seconds.

    Examples
    --------
    >>> with TickWriter("redis://localhost:6379/1") as writer:  # doctest: +SKIP
    ...     writer.add("AAPL", 1767623400_000_000_000, price=271.4, volume=100)
    """

    def __init__(
        self,
        address: str,
        *,
        feed: str = NO_FEED,
        label: Label = Label.REAL,
        frame_rows: int = 500,
        patience_s: float = 30.0,
    ) -> None:
        if not 1 <= frame_rows <= frames.MAX_ROWS:
            raise BadInput(f"frame_rows is {frame_rows}: choose 1 to {frames.MAX_ROWS}")
        self._link, self._patience_s = Link(address, keys.INGRESS), patience_s
        self._pending: deque[dict[bytes, bytes]] = deque()
        self._is_unsure = False
        self._upto = ""
        self._origin, self._frame_rows = (feed, label), frame_rows
        self._names: dict[str, int] = {}
        self._rows: list[Row] = []
        self.last_id = ""

    def add(
        self,
        symbol: str,
        event_ns: int,
        *,
        price: float,
        volume: float,
        bid: float = math.nan,
        ask: float = math.nan,
        oi: float = math.nan,
    ) -> None:
        """Add one tick; ``event_ns`` is when it traded, ``volume`` what traded since the last tick."""
        if (why := flaw_of_symbol(symbol)) is not None:
            raise BadInput(f"symbol {symbol[:20]!r} {why}")
        if not EARLIEST_NS <= event_ns <= LATEST_NS:
            raise BadInput(f"event_ns {event_ns} of {symbol} lies outside 1990..2100: give UTC nanoseconds")
        if not (price > 0 and volume >= 0):
            raise BadInput(f"price {price} or volume {volume} of {symbol} is no number above (or, for volume, of) zero")
        place = self._names.setdefault(symbol, len(self._names))
        self._rows.append((place, event_ns, (price, volume, bid, ask, oi)))
        if len(self._rows) >= self._frame_rows:
            self.flush()

    def write(self, rows: TickRows) -> None:
        """Write ticks in columns at once, after what was added before; ``flush`` says what when the server is away."""
        self._pack()
        for cut in range(0, len(rows), self._frame_rows):
            self._push(rows.take(np.arange(cut, min(cut + self._frame_rows, len(rows)))))
        self._settle()

    def flush(self) -> None:
        """Write what was added; raise ``Unavailable``, and keep it for the next time, when the server is away."""
        self._pack()
        self._settle()

    def _pack(self) -> None:
        if not self._rows:
            return
        symbol, event_ns, numbers = zip(*self._rows, strict=True)
        zero = np.zeros(len(symbol), np.int64)
        columns = np.array(symbol, np.int64), zero, np.array(event_ns, np.int64), np.array(numbers)
        self._push(TickRows(tuple(self._names), (self._origin,), *columns))
        self._rows.clear()
        self._names.clear()

    def _push(self, rows: TickRows) -> None:
        self._pending.append(frames.ticks_to_fields(rows))

    def _settle(self) -> None:
        """Write every frame that waits."""
        limit_s, pause_s = time.monotonic() + self._patience_s, FIRST_PAUSE_S
        while self._pending:
            try:
                self.last_id = self._upto = self._put(self._pending[0])
            except (RedisError, OSError, Unavailable) as error:
                if not self.last_id or time.monotonic() + pause_s > limit_s:
                    raise self._lost(error) from error
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
                continue
            self._pending.popleft()
            limit_s, pause_s = time.monotonic() + self._patience_s, FIRST_PAUSE_S

    def _lost(self, error: Exception) -> Exception:
        why = None if self.last_id else self._link.refusal(error)
        return why or Unavailable(absence(error) or f"the stream server did not take a frame of ticks: {error}")

    def _put(self, fields: dict[bytes, bytes]) -> str:
        """Return the id under which a frame is on the ingress, where it is put unless an earlier try did."""
        if self._is_unsure and (found := self._find(fields)):
            # It may be on one node alone: a write after it that waits for the replica says that it stays.
            self._link.run(("HSET", keys.ROUTER, keys.READ_ID, found))
            self._is_unsure = False
            return found
        if not self._upto:
            newest = self._link.run(("XREVRANGE", keys.INGRESS, "+", "-", "COUNT", 1))
            self._upto = newest[0][0].decode() if newest else BEGINNING
        self._is_unsure = True
        flat = [part for pair in fields.items() for part in pair]
        taken: bytes = self._link.run(("XADD", keys.INGRESS, "*", *flat))
        self._is_unsure = False
        return taken.decode()

    def _find(self, fields: dict[bytes, bytes]) -> str:
        """Return the id of a frame that may have come after our last one; empty when it has not."""
        after = self._upto
        while found := self._link.run(("XRANGE", keys.INGRESS, f"({after}", "+", "COUNT", _AT_ONCE)):
            for entry_id, there in found:
                if there == fields:
                    return str(entry_id.decode())
            after = found[-1][0].decode()
        return ""

    def sync(self, timeout_s: float = 5.0) -> bool:
        """Write what was added and wait until the server has put all of it on its disk.

        Returns
        -------
        bool
            False when it did not within ``timeout_s``, keeps no log, or cannot say (before Redis 7.2): then a loss of
            power may still take what was accepted last.

        Raises
        ------
        Unavailable
            When the server is gone.
        """
        self.flush()
        try:
            on_disk, _ = self._link.run(("WAITAOF", 1, 0, round(timeout_s * 1000)))
        except ResponseError:
            return False
        except (RedisError, OSError, Unavailable) as error:
            raise Unavailable(f"the stream server does not say what is on its disk: {error}") from error
        return bool(on_disk)

    def close(self) -> None:
        """Close the connection; what was not written is dropped."""
        self._link.close()

    def __enter__(self) -> TickWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.flush()
        finally:
            self.close()
