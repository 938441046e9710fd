"""Larger universes, resampled from the real one, and the Parquet file that keeps one.

In: the real market.  Out: a market with as many symbols as asked for, named ``R00001`` and so on, labelled resampled.
Dates stay where they are: each new symbol is stitched from blocks of 20 sessions, each block lent by a real symbol of
one sector on those same dates, its moves stretched by a factor of the symbol's own. So every symbol has the same market
days, and what moves together on a day still does. Splits and spin-offs are taken out before.
Refuses to imitate names, and to invent days: where the lender did not trade, neither did the new symbol.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.types import F64, Label
from tapeline.sim import seeded
from tapeline.sim.bridge import MIN_SHARES
from tapeline.sim.market import CELL_LABELS, DAILY_FIELDS, UNIVERSE_COLUMNS, Market

BLOCK = 20
"""Sessions that one lender lends: long enough for its momentum and its turbulent weeks to survive."""
MIN_PRESENCE = 0.8
"""A real symbol with bars in fewer of the sessions lends nothing."""
STRETCH = (0.7, 1.4)
"""Each new symbol multiplies its lenders' log moves by one number from here, so that no two are copies."""
MIN_PRICE = 0.05
"""Dollars; below it a cent is too coarse for a day's range."""
MAX_SYMBOLS = 100_000
CHUNK = 1024
"""Symbols made at once: bounds the memory, changes no number."""

Cols = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Moves:
    """A real market as log moves, each (n_sessions, n_symbols), NaN where it did not trade.

    ``gap`` is from the last close to this open, 0 at a symbol's first bar; the others are from this open.
    """

    gap: F64
    high: F64
    low: F64
    close: F64
    volume: F64


def resample(market: Market, n_symbols: int, seed: int) -> Market:
    """Return a market of ``n_symbols`` resampled symbols.

    Parameters
    ----------
    market
        The real one; its resampled symbols, if it has any, lend nothing.
    seed
        Decides lenders, stretches and prices. A symbol is the same in a universe of any size.

    Raises
    ------
    BadInput
        When ``n_symbols`` is not in 1..100,000.
    """
    if not 1 <= n_symbols <= MAX_SYMBOLS:
        raise BadInput(f"a universe of {n_symbols} symbols cannot be made: choose 1 to {MAX_SYMBOLS:,}")
    lenders = _lenders(market)
    moves = _moves(lenders)
    symbols = tuple(f"R{i + 1:05d}" for i in range(n_symbols))
    shape = (len(market.sessions), n_symbols)
    daily = {name: np.empty(shape) for name in DAILY_FIELDS}
    homes = np.empty(n_symbols, np.intp)
    for at in range(0, n_symbols, CHUNK):
        cols = slice(at, at + CHUNK)
        recipe = _recipe(lenders, symbols[cols], seed)
        homes[cols] = recipe.home
        for name, panel in _stitch(moves, recipe).items():
            daily[name][:, cols] = panel
    return replace(
        market,
        symbols=symbols,
        names=("",) * n_symbols,
        sectors=tuple(lenders.sectors[int(i)] for i in homes),
        industries=("",) * n_symbols,
        daily=daily,
        label=np.full(shape, CELL_LABELS.index(Label.RESAMPLED), np.int8),
        corporate_actions=(),
        seed=seed,
    )


def extend(market: Market, n_symbols: int, seed: int) -> Market:
    """Return ``market`` with resampled symbols added until it has ``n_symbols``; itself when it has as many."""
    missing = n_symbols - len(market.symbols)
    if missing <= 0:
        return market
    more = resample(market, missing, seed)
    joined = replace(
        market,
        symbols=market.symbols + more.symbols,
        names=market.names + more.names,
        sectors=market.sectors + more.sectors,
        industries=market.industries + more.industries,
        daily={name: np.hstack([market.daily[name], more.daily[name]]) for name in DAILY_FIELDS},
        label=np.hstack([market.label, more.label]),
    )
    return joined.take(np.argsort(np.array(joined.symbols), kind="stable"))


def sample_universe(path: Path, n_symbols: int, seed: int = 7) -> Market:
    """Write a universe of ``n_symbols`` to ``path`` and return it: real ones first, resampled ones beyond 524."""
    market = Market.load(n_symbols, seed)
    write_universe(market, path)
    return market


def write_universe(market: Market, path: Path) -> None:
    """Write a market's bars as Parquet, one row per symbol and session, sorted; ``read_universe`` reads them back."""
    writer: pq.ParquetWriter | None = None
    try:
        for table in _tables(market):
            writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
            writer.write_table(table)
    except OSError as error:
        raise BadInput(f"the universe cannot be written to {path}: {error.strerror or error}") from None
    finally:
        if writer is not None:
            writer.close()


def read_universe(path: Path, seed: int = 7) -> Market:
    """Return the market of a universe file; ``DataError`` when it is none. ``seed`` decides the minutes."""
    return Market.load(seed=seed, universe=path)


@dataclass(frozen=True, slots=True)
class _Recipe:
    """What a chunk of k new symbols is made of: ``source`` (n_sessions, k) lenders, the rest (k,) one a symbol."""

    home: Cols
    source: Cols
    stretch: F64
    first_price: F64
    usual_volume: F64


def _recipe(lenders: Market, names: tuple[str, ...], seed: int) -> _Recipe:
    n_sessions = len(lenders.sessions)
    keys = np.array([seeded.key(seed, "resample", name) for name in names], np.uint64)
    draws = seeded.unit(seeded.words(keys, 5 + n_sessions // BLOCK + 2))
    home = (draws[:, 0] * len(lenders.symbols)).astype(np.intp)
    # Row s of the table: the lenders of one sector, as many as ``sizes[s]``, then padding that is never picked.
    sectors, sector_of = np.unique(np.array(lenders.sectors), return_inverse=True)
    groups = [np.flatnonzero(sector_of == s) for s in range(sectors.size)]
    sizes = np.array([group.size for group in groups])
    table = np.array([np.pad(group, (0, sizes.max() - group.size)) for group in groups])
    sector = sector_of[home]
    lent = table[sector[:, None], (draws[:, 5:] * sizes[sector][:, None]).astype(np.intp)]
    block = (np.arange(n_sessions) + (draws[:, 1:2] * BLOCK).astype(np.intp)) // BLOCK
    volume = np.nanmedian(lenders.daily["volume"][:, home], axis=0)
    return _Recipe(
        home=home,
        source=np.take_along_axis(lent, block, axis=1).T,
        stretch=STRETCH[0] + (STRETCH[1] - STRETCH[0]) * draws[:, 2],
        first_price=np.nanmedian(lenders.daily["close"][:, home], axis=0) * (0.5 + draws[:, 3]),
        usual_volume=volume * (0.5 + draws[:, 4]),
    )


def _stitch(moves: _Moves, recipe: _Recipe) -> dict[str, F64]:
    """Return the daily bars (n_sessions, k) of the symbols of a recipe."""
    rows = np.arange(recipe.source.shape[0])[:, None]
    gap, high, low, close = (
        panel[rows, recipe.source] * recipe.stretch for panel in (moves.gap, moves.high, moves.low, moves.close)
    )
    # The open of a day: the first price, all gaps up to that day and all days before it. An absent day moves nothing.
    days = np.nan_to_num(close, nan=0.0)
    opened = np.log(recipe.first_price) + np.cumsum(np.nan_to_num(gap, nan=0.0) + days, axis=0) - days
    logs = {"open": opened + 0.0 * close, "high": opened + high, "low": opened + low, "close": opened + close}
    # Rounding and the floor keep the order of the four, as both never turn a larger number into a smaller one.
    bars = {name: np.maximum(np.round(np.exp(log), 2), MIN_PRICE) for name, log in logs.items()}
    shares = np.rint(moves.volume[rows, recipe.source] * recipe.usual_volume)
    return {**bars, "volume": np.maximum(shares, MIN_SHARES)}


def _moves(market: Market) -> _Moves:
    """Return the real market as log moves, with splits and the like taken out of the gaps."""
    open_, high, low, close, volume = (market.daily[name] for name in DAILY_FIELDS)
    n_sessions, n_symbols = close.shape
    known = np.isfinite(close)
    last = np.maximum.accumulate(np.where(known, np.arange(n_sessions)[:, None], -1), axis=0)
    before = np.vstack([np.full((1, n_symbols), -1), last[:-1]])
    last_close = np.where(before >= 0, close[np.maximum(before, 0), np.arange(n_symbols)], open_)
    gap = np.log(open_ / last_close)
    column = {symbol: col for col, symbol in enumerate(market.symbols)}
    for action in market.corporate_actions:
        since = [row for row, day in enumerate(market.sessions) if day >= action.ex_date]
        traded = [row for row in since if known[row, column[action.symbol]]]
        if traded:
            gap[traded[0], column[action.symbol]] -= np.log(action.ratio)
    usual = np.nanmedian(volume, axis=0)
    return _Moves(gap, np.log(high / open_), np.log(low / open_), np.log(close / open_), volume / usual)


def _lenders(market: Market) -> Market:
    """Return the market of the real symbols with enough bars to lend."""
    real = (market.label != CELL_LABELS.index(Label.RESAMPLED)).all(axis=0)
    present = np.isfinite(market.daily["close"]).mean(axis=0) >= MIN_PRESENCE
    if not (real & present).any():
        raise BadInput("no real symbol of this market has bars in most of its sessions: there is nothing to resample")
    return market.take(np.flatnonzero(real & present))


def _tables(market: Market) -> Iterator[pa.Table]:
    """Yield the rows of a universe file, some symbols at a time."""
    sessions = pa.array(market.sessions, pa.date32())
    labels = pa.array([str(label) for label in CELL_LABELS])
    about = {"symbol": market.symbols, "name": market.names, "sector": market.sectors, "industry": market.industries}
    for at in range(0, len(market.symbols), CHUNK):
        cols = slice(at, at + CHUNK)
        col, row = np.nonzero(np.isfinite(market.daily["close"][:, cols]).T)
        texts = {name: pa.array(values[cols]).take(pa.array(col)) for name, values in about.items()}
        numbers = {name: market.daily[name][row, at + col] for name in DAILY_FIELDS}
        label = labels.take(pa.array(market.label[row, at + col]))
        table = pa.table({**texts, "session": sessions.take(pa.array(row)), **numbers, "label": label})
        yield table.select(list(UNIVERSE_COLUMNS))
