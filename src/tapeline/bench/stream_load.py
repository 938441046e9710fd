"""Ticks for the stream benchmark: a made-up market of 5,000 symbols, 30 % of them options, and real trades of a future.

In: a seed and a count.  Out: commands as bytes, and a connection that writes them. Nothing here is measured.
"""

from __future__ import annotations

import itertools
import socket
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tapeline.core.instruments import underlying_of
from tapeline.core.types import F64, I64, NS_PER_S, Label
from tapeline.data.samples import load_trades
from tapeline.streams.lanes import lane_of
from tapeline.streams.ticks import TickRows

SEED = 7
SYMBOLS, OPTION_SHARE, OPTIONS_EACH = 5_000, 0.3, 10
START_NS = 1_767_623_400 * NS_PER_S
"""2026-01-05 14:30 UTC, the open of a session."""
TICKS_A_SECOND = 5_000
"""How dense the ticks lie in exchange time."""
CHUNK = 5_000

_SOUND: dict[bytes, bytes | None] = {
    b"symbol": b"POISON",
    b"last_price": b"10",
    b"volume": b"1",
    b"exchange_timestamp": b"%d" % (START_NS // 1_000_000),
}
POISON: tuple[dict[bytes, bytes | None], ...] = (
    {b"symbol": b"\xff\xfe"},
    {b"symbol": None},
    {b"last_price": b"nan"},
    {b"last_price": b"-1"},
    {b"last_price": b"1e300"},
    {b"last_price": b"ten"},
    {b"volume": b"-1"},
    {b"volume": None},
    {b"exchange_timestamp": b"0"},
    {b"exchange_timestamp": b"4000000000"},
    {b"frame": b"\x09 of a schema that nobody knows"},
)
"""What makes a sound tick one that cannot be applied; None leaves the field out."""


@dataclass(frozen=True, slots=True)
class Market:
    """Symbols by number, and the first price of each."""

    symbols: tuple[str, ...]
    price: F64


def market(n_symbols: int = SYMBOLS) -> Market:
    """Return shares, and calls and puts on some of them."""
    n_options = int(n_symbols * OPTION_SHARE)
    letters = itertools.product("BCDFGHJKLM", "AEIOU", "BCDFGKLMNPRSTV", "AEIOUX")
    shares = ["".join(word) for word in itertools.islice(letters, n_symbols - n_options)]
    rng = np.random.default_rng(SEED)
    spot = rng.uniform(20.0, 400.0, len(shares)).round(2)
    symbols, price = list(shares), list(spot)
    for k in range(n_options):
        share, step = divmod(k, OPTIONS_EACH)
        strike = round(float(spot[share]) * (0.9 + 0.02 * step))
        right = "CP"[k % 2]
        symbols.append(f"{shares[share]}260619{right}{strike * 1000:08d}")
        intrinsic = max((spot[share] - strike) * (1 if right == "C" else -1), 0.0)
        price.append(round(float(intrinsic + 0.05 * spot[share]), 2))
    return Market(tuple(symbols), np.array(price))


def ticks(here: Market, n: int, seed: int = SEED, start_ns: int = START_NS) -> Iterator[TickRows]:
    """Yield ``n`` ticks in chunks, in order of time."""
    rng = np.random.default_rng(seed)
    for done in range(0, n, CHUNK):
        size = min(CHUNK, n - done)
        symbol: I64 = rng.integers(0, len(here.symbols), size)
        price = (here.price[symbol] * rng.uniform(0.99, 1.01, size)).round(2)
        half = np.maximum(price * 0.0005, 0.01).round(2)
        numbers = np.full((size, 5), np.nan)
        numbers[:, 0], numbers[:, 1] = price, rng.integers(1, 500, size)
        numbers[:, 2], numbers[:, 3] = price - half, price + half
        event_ns = start_ns + np.arange(done, done + size) * (NS_PER_S // TICKS_A_SECOND)
        yield TickRows(here.symbols, (("ticks", Label.REAL),), symbol, np.zeros(size, np.int64), event_ns, numbers)


def real_market() -> Market:
    """Return the one future of the shipped trades."""
    return Market((load_trades().symbol,), np.array([load_trades().price[0]]))


def real_ticks(here: Market, n: int) -> Iterator[TickRows]:
    """Yield the first ``n`` shipped trades in chunks, as they came."""
    trades = load_trades()
    for low in range(0, min(n, trades.size.size), CHUNK):
        part = slice(low, min(low + CHUNK, n))
        size = trades.size[part].size
        numbers = np.full((size, 5), np.nan)
        numbers[:, 0], numbers[:, 1] = trades.price[part], trades.size[part]
        none = np.zeros(size, np.int64)
        yield TickRows(here.symbols, (("ticks", Label.REAL),), none, none, trades.event_ns[part], numbers)


def lanes_of(here: Market, n_lanes: int) -> I64:
    """Return each symbol's lane."""
    return np.array([lane_of(symbol, n_lanes, underlying_of) for symbol in here.symbols], np.int64)


def commands(rows: TickRows, keys: list[bytes]) -> Iterator[bytes]:
    """Yield the XADD of each tick, with the six fields of an entry; ``keys`` are the streams by symbol."""
    columns = (rows.symbol.tolist(), rows.event_ns.tolist(), *rows.numbers[:, :4].T.tolist())
    for symbol, event_ns, price, volume, bid, ask in zip(*columns, strict=True):
        quoted = (b"bid", b"%.2f" % bid, b"ask", b"%.2f" % ask) if bid == bid else ()  # not NaN
        fields = (
            *(b"symbol", rows.symbols[symbol].encode(), b"last_price", b"%.2f" % price, b"volume", b"%d" % volume),
            *(*quoted, b"exchange_timestamp", b"%d" % (event_ns // 1_000_000)),
        )
        yield command(b"XADD", keys[symbol], b"*", *fields)


def with_poison(wires: Iterable[bytes], every: int, streams: Sequence[bytes]) -> Iterator[bytes]:
    """Yield the commands with one of ``POISON`` before each ``every``-th, in the streams in turn."""
    bad = itertools.cycle(itertools.product(POISON, streams))
    for k, wire in enumerate(wires):
        if k % every == 0:
            changed, stream = next(bad)
            fields = {name: value for name, value in (_SOUND | changed).items() if value is not None}
            yield command(b"XADD", stream, b"*", *(part for pair in fields.items() for part in pair))
        yield wire


def command(*parts: bytes) -> bytes:
    """Return a command as the server reads it."""
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%b\r\n" % (len(part), part) for part in parts)


class Pipe:
    """A connection that writes commands without waiting for each reply."""

    def __init__(self, socket_path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(str(socket_path))

    def send(self, wire: bytes, n_replies: int) -> None:
        """Write ``n_replies`` commands whose replies are one line after a length, and read these."""
        self._socket.sendall(wire)
        seen = 0
        while seen < 2 * n_replies:
            seen += self._socket.recv(1 << 16).count(b"\n")

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()
