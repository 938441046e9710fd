"""Ticks from anybody's program into the ingress, without an event loop.

In: ticks, one at a time or in columns.  Out: frames on ``ticks:intraday:processed``, each acknowledged by the server.
Refuses what the worker would refuse: no name, no number.
"""

from __future__ import annotations

import math
from types import TracebackType
from typing import Any

import numpy as np
from redis import ConnectionPool, Redis
from redis.exceptions import MovedError, RedisError, ResponseError

from tapeline.core.errors import BadInput, Unavailable
from tapeline.core.types import Label
from tapeline.streams import frames, keys
from tapeline.streams.access import pool_for, refusal
from tapeline.streams.ticks import EARLIEST_NS, LATEST_NS, NO_FEED, TickRows, flaw_of_symbol

MAX_MOVES = 3
"""Nodes of a cluster that are asked after the first: each names the one that has the ingress."""

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

    Examples
    --------
    >>> with TickWriter("redis://localhost:6379/1") as writer:  # doctest: +SKIP
    ...     writer.add("AAPL", 1767623400_000_000_000, price=271.4, volume=100)
    """

    def __init__(self, address: str, *, feed: str = NO_FEED, label: Label = Label.REAL, frame_rows: int = 500) -> None:
        if not 1 <= frame_rows <= frames.MAX_ROWS:
            raise BadInput(f"frame_rows is {frame_rows}: choose 1 to {frames.MAX_ROWS}")
        self._client: Any = Redis.from_pool(pool_for(ConnectionPool, address, protocol=2))
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
        """Write ticks in columns at once, after what was added before."""
        self.flush()
        for cut in range(0, len(rows), self._frame_rows):
            self._send(rows.take(np.arange(cut, min(cut + self._frame_rows, len(rows)))))

    def flush(self) -> None:
        """Write what was added; raise ``Unavailable``, and keep it, when the server does not take it."""
        if not self._rows:
            return
        symbol, event_ns, numbers = zip(*self._rows, strict=True)
        zero = np.zeros(len(symbol), np.int64)
        columns = np.array(symbol, np.int64), zero, np.array(event_ns, np.int64), np.array(numbers)
        self._send(TickRows(tuple(self._names), (self._origin,), *columns))
        self._rows.clear()
        self._names.clear()

    def _send(self, rows: TickRows) -> None:
        try:
            reply = self._add(frames.ticks_to_fields(rows))
        except (RedisError, OSError) as error:
            why = None if self.last_id else refusal(error, self._client.connection_pool)
            raise why or Unavailable(f"the stream server did not take a frame of {len(rows)} ticks: {error}") from error
        self.last_id = reply.decode() if isinstance(reply, bytes) else str(reply)

    def _add(self, fields: dict[bytes, bytes]) -> Any:
        """Add an entry to the ingress, at the node of a cluster that has it; later ones go there at once."""
        for _ in range(MAX_MOVES):
            try:
                return self._client.xadd(keys.INGRESS, fields)
            except MovedError as moved:
                self._move_to(moved.host, moved.port)
        return self._client.xadd(keys.INGRESS, fields)

    def _move_to(self, host: str, port: int) -> None:
        """Talk to another node from now on, as to the first: with its name and password, encrypted or not."""
        before = self._client.connection_pool
        how = {**before.connection_kwargs, "host": host or before.connection_kwargs["host"], "port": port}
        self._client.close()
        # With a pool of one's own a client would leave it open.
        self._client = Redis.from_pool(ConnectionPool(connection_class=before.connection_class, **how))

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
            on_disk, _ = self._client.execute_command("WAITAOF", 1, 0, round(timeout_s * 1000))
        except ResponseError:
            return False
        except (RedisError, OSError) as error:
            raise Unavailable(f"the stream server does not say what is on its disk: {error}") from error
        return bool(on_disk)

    def close(self) -> None:
        """Close the connection; what was not written is dropped."""
        self._client.close()

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
