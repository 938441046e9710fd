"""The engine under every kernel: tiles of bars in, rows of values out, one compiled driver for all kernels.

In: a ring of bars ``(fields, slots, symbols)``, the addresses of compiled kernels, their parameters and their states.
Out: the states just before the newest bar, and the values of the newest bar or of all bars.
Refuses to know any indicator: a kernel is an address. It starts no thread (``threads`` does) and holds no GIL.

How a kernel sees the market. ``TILE`` symbols are gathered into a tile ``(fields, depth, TILE)``. Bars in which a
symbol did not trade are left out and the rest is moved up to the newest, so a kernel never meets an interior NaN: row
``depth - 1`` is the newest bar, ``first[j]`` is the row of symbol j's oldest bar in the tile. A kernel with memory
folds ``state`` over the rows from ``start`` on, symbol j from ``fresh[j]`` on; one without memory looks back.
Every loop over symbols has the constant length ``TILE``, so it becomes vector instructions without a tail, and a symbol
gets the same bits wherever it stands.
"""

# ruff: noqa: ARG001 - an intrinsic's parameters are types that numba reads from its signature
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated, unreachable, import-untyped"

from __future__ import annotations

import hashlib
import math
import threading
import warnings
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from tapeline.kernels.cache import keep_read_only

TILE = 128
"""Symbols in a tile: a row of one field is 1 KiB, a tile of 252 bars fits the second-level cache."""
OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES, SESSION = range(8)
NUMBERS_PER_LINE = 8
ROWS_AHEAD = 8
"""A row of a tile is asked for this many rows before it is read: rows of a wide ring lie too far apart for the
processor to guess the next one."""
FIELDS = 8
"""Fields of a tile: those of a bar, and the number of its session, which the ring keeps once for all symbols."""
MAX_PARAMS = 4

NAN_SAFE = {"nsz", "contract"}
"""The only fast-math flags in use. Without nnan and ninf, so ``isnan`` works; without reassoc, so sums keep their order
and step and refold agree to the bit; without arcp, so that equal prices give equal quotients, as in TA-Lib."""

Body = Callable[..., None]

carray: Any = numba.carray  # type: ignore[attr-defined]
"""Gives a pointer its shape; constant lengths let the compiler drop its alias checks."""

_F64 = types.CPointer(types.float64)
_I64 = types.CPointer(types.int64)
_ARGS = (_F64, _I64, _I64, _F64, _F64, _F64, types.int64, types.int64, types.int64, types.int64)
SIGNATURE = types.void(*_ARGS)
"""kernel(bars, first, fresh, params, state, out, depth, start, rows, out_rows): pointers into a tile of ``depth`` rows.
Memory is folded over the rows ``start`` to ``rows``; values are written for the last ``out_rows`` of these."""

_compiled: dict[Body, Any] = {}
_compiling = threading.Lock()


@lru_cache
def sources_digest() -> str:
    """Return a digest of the sources of all kernels.

    numba asks only whether a kernel's own file has changed; a kernel compiled against another file's old constants
    would be found in the cache and compute nonsense. So the digest is part of every cached name.
    """
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def compile_cached(decorate: Callable[..., Any], body: Body, **options: Any) -> Any:
    """Compile ``body`` with numba's disk cache, or without it where no cache folder can be written.

    A warm folder that can only be read is read (``cache``).

    Several processes may do so at once: the cache replaces files as a whole.
    """
    if not body.__qualname__.endswith(sources_digest()):
        body.__qualname__ += f"_{sources_digest()}"
    options |= {"fastmath": NAN_SAFE, "error_model": "numpy"}
    try:
        return keep_read_only(decorate(cache=True, **options)(body))
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
    except OSError as error:  # numba saves what it compiled: a full disk, or a read-only cache of another processor
        warnings.warn(f"compiled code is not kept: {error}", RuntimeWarning, stacklevel=2)
    return decorate(cache=False, **options)(body)


def address_of(body: Body) -> int:
    """Return the machine address of a kernel, compiled (or loaded from the cache) at its first use."""
    with _compiling:
        if body not in _compiled:
            _compiled[body] = compile_cached(partial(cfunc, SIGNATURE), body)
    return int(_compiled[body].address)


@intrinsic
def _call(_typing, address, bars, first, fresh, params, state, out, depth, start, rows, out_rows):
    """Call a kernel by its address."""

    def codegen(context, builder, signature, args):
        kinds = [context.get_value_type(kind) for kind in signature.args[1:]]
        kernel = builder.inttoptr(args[0], ir.FunctionType(ir.VoidType(), kinds).as_pointer())
        builder.call(kernel, args[1:])
        return context.get_dummy_value()

    return types.void(types.intp, *_ARGS), codegen


@intrinsic
def _pointer(_typing, array):
    """Return the pointer to an array's first element."""

    def codegen(context, builder, signature, args):
        return context.make_array(signature.args[0])(context, builder, args[0]).data

    return types.CPointer(array.dtype)(array), codegen


@intrinsic
def _copy(_typing, target, to, source, at, count):
    """Copy ``count`` numbers between C-order arrays, from flat index ``at`` to flat index ``to``.

    numba copies slices number by number; this is one memcpy.
    """

    def codegen(context, builder, signature, args):
        into = context.make_array(signature.args[0])(context, builder, args[0]).data
        out_of = context.make_array(signature.args[2])(context, builder, args[2]).data
        into, out_of = builder.gep(into, [args[1]]), builder.gep(out_of, [args[3]])
        cgutils.raw_memcpy(builder, into, out_of, args[4], context.get_constant(types.intp, 8))
        return context.get_dummy_value()

    return types.void(target, types.intp, source, types.intp, types.intp), codegen


@intrinsic
def _prefetch(_typing, array, at, count):
    """Begin to load ``count`` numbers of a C-order array from flat index ``at`` on; changes nothing but the time."""

    def codegen(context, builder, signature, args):
        data = context.make_array(signature.args[0])(context, builder, args[0]).data
        i32, pointer = ir.IntType(32), ir.IntType(8).as_pointer()
        kind = ir.FunctionType(ir.VoidType(), [pointer, i32, i32, i32])
        prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
        line, none = ir.Constant(args[2].type, NUMBERS_PER_LINE), ir.Constant(args[2].type, 0)
        with cgutils.for_range_slice(builder, none, args[2], line, args[2].type) as (k, _):
            where = builder.bitcast(builder.gep(data, [builder.add(args[1], k)]), pointer)
            builder.call(prefetch, [where, i32(0), i32(3), i32(1)])  # to be read, soon and often, data
        return context.get_dummy_value()

    return types.void(array, types.intp, types.intp), codegen


@njit(nogil=True, fastmath=NAN_SAFE)
def _close_gaps(ring, sessions, oldest, n_rows, fold_from, col, j, fields, bars, came_from):
    """Move symbol j's traded bars up to the newest row but one of a tile, and fetch older ones for the gaps.

    ``came_from`` is room for the row each bar came from. Returns the row of the symbol's oldest bar and the row of its
    first bar to fold.
    """
    slots, rows = ring.shape[1], bars.shape[1]
    outside = n_rows - rows  # older rows than the tile's
    at, fresh, moved = rows - 2, rows - 1, -1  # above ``moved`` no bar has to move
    for row in range(n_rows - 2, -1, -1):
        r = row - outside
        if math.isnan(bars[CLOSE, r, j] if r >= 0 else ring[CLOSE, (oldest + row) % slots, col]):
            continue
        came_from[at] = r
        moved = at if moved < 0 and r < at else moved
        fresh = at if row >= fold_from else fresh
        at -= 1
        if at < 0:
            break
    for field, top in fields:
        for to in range(moved, max(at, top - 1), -1):
            r = came_from[to]
            if r >= top:
                bars[field, to, j] = bars[field, r, j]
            else:
                slot = (oldest + outside + r) % slots
                bars[field, to, j] = sessions[slot] if field == SESSION else ring[field, slot, col]
        bars[field, top : at + 1, j] = math.nan
    return at + 1, fresh


@njit(nogil=True, fastmath=NAN_SAFE)
def _gather(ring, sessions, oldest, n_rows, fold_from, col, width, fields, bars, first, fresh, last_fresh, room):
    """Fill a tile: the newest row last, above it the traded bars without gaps. Returns the first row to fold."""
    slots, n_symbols, rows = ring.shape[1], ring.shape[2], bars.shape[1]
    for field, top in fields:
        for r in range(top, rows):
            slot = (oldest + n_rows - rows + r) % slots
            if field == SESSION:
                bars[field, r] = sessions[slot]
            else:
                later = (oldest + n_rows - rows + min(r + ROWS_AHEAD, rows - 1)) % slots
                _prefetch(ring, (field * slots + later) * n_symbols + col, width)
                _copy(bars, (field * rows + r) * TILE, ring, (field * slots + slot) * n_symbols + col, width)
                for j in range(width, TILE):
                    bars[field, r, j] = 0.0  # columns without a symbol: computed, never kept
    probe = np.zeros(TILE)  # the sum of the older closes is NaN where one of them is
    for r in range(rows - 1):
        for j in range(TILE):
            probe[j] += bars[CLOSE, r, j]
    start = rows - 1
    for j in range(TILE):
        first[j], fresh[j] = 0, max(rows - (n_rows - fold_from), 0)
        if math.isnan(probe[j]):
            first[j], fresh[j] = _close_gaps(ring, sessions, oldest, n_rows, fold_from, col + j, j, fields, bars, room)
        last_fresh[j] = rows if math.isnan(bars[CLOSE, rows - 1, j]) else rows - 1
        start = min(start, fresh[j])
    return start


@njit(nogil=True, fastmath=NAN_SAFE)
def _spread(values, ring, oldest, col, width, first, out):
    """Write a tile's values back to the bars they belong to; bars without a trade get NaN."""
    slots, rows = ring.shape[1], out.shape[0]
    at = first.copy()
    for r in range(rows - 1):
        slot = (oldest + r) % slots
        for j in range(width):
            traded = not math.isnan(ring[CLOSE, slot, col + j])
            out[r, col + j] = values[at[j], j] if traded else math.nan
            at[j] += traded
    slot = (oldest + rows - 1) % slots
    for j in range(width):
        out[rows - 1, col + j] = math.nan if math.isnan(ring[CLOSE, slot, col + j]) else values[rows - 1, j]


def _fold(ring, sessions, oldest, n_rows, fold_from, tiles, fields, rows, kernels, params, state_in, state_out, out):
    """Fold kernels over the tiles ``tiles[0]`` to ``tiles[1]`` of a ring.

    Parameters
    ----------
    ring : float64 (7, slots, n_symbols)
        Bars; the oldest stands in slot ``oldest``, ``n_rows`` of them count.
    sessions : float64 (slots,)
        The number of each bar's session.
    fold_from : int
        States in ``state_in`` are those just before this row (0 = oldest).
    fields : int64 (n, 2)
        The fields to gather, and the first row of the tile in which each is needed; 0 for the close.
    rows : int
        Rows of a tile: enough for the longest look-back and for every row from ``fold_from`` on.
    kernels : int64 (n_kernels, 5)
        Address, first state row, state rows, first output, outputs of each kernel.
    params : float64 (n_kernels, MAX_PARAMS)
    state_in, state_out : float64 (n_tiles, n_state, TILE)
        ``state_out`` gets the states just before the newest row. May be the same array. A tile's states lie together,
        so that one more bar reads and writes them at the speed of memory.
    out : float64 (n_outputs, out_rows, n_symbols)
        ``out_rows`` is 0 (states only), 1 (the newest bar) or ``n_rows`` (all bars; then ``rows`` must be ``n_rows``).
    """
    n_symbols, n_state, out_rows = ring.shape[2], state_in.shape[1], out.shape[1]
    bars = np.empty((FIELDS, rows, TILE))
    first, fresh, last_fresh = np.empty(TILE, np.int64), np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    room = np.empty(rows, np.int64)
    state = np.zeros((max(kernels[:, 2].max(), 1), TILE))
    values = np.empty((kernels[:, 4].max(), max(out_rows, 1), TILE))
    for tile in range(tiles[0], tiles[1]):
        col = tile * TILE
        width = min(TILE, n_symbols - col)
        tile_of = (col, width, fields, bars, first, fresh, last_fresh, room)
        start = _gather(ring, sessions, oldest, n_rows, fold_from, *tile_of)
        for i in range(kernels.shape[0]):
            address, at, memory, out_at, n_out = kernels[i]
            here = (tile * n_state + at) * TILE
            _copy(state, 0, state_in, here, memory * TILE)
            pb, pf, pp, ps, po = _pointer(bars), _pointer(first), _pointer(params[i]), _pointer(state), _pointer(values)
            if out_rows > 1:
                _call(address, pb, pf, _pointer(fresh), pp, ps, po, rows, start, rows, rows)
                for k in range(n_out):
                    _spread(values[k], ring, oldest, col, width, first, out[out_at + k])
                continue
            if memory:
                _call(address, pb, pf, _pointer(fresh), pp, ps, po, rows, start, rows - 1, 0)
                _copy(state_out, here, state, 0, memory * TILE)
            if out_rows:
                _call(address, pb, pf, _pointer(last_fresh), pp, ps, po, rows, rows - 1, rows, 1)
                for k in range(n_out):
                    for j in range(width):
                        out[out_at + k, 0, col + j] = values[k, 0, j] if last_fresh[j] < rows else math.nan


fold = compile_cached(njit, _fold, nogil=True)
