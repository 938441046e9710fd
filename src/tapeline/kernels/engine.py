"""The engine under every kernel: tiles of bars in, rows of values out, one compiled driver for all kernels.

In: a ring of bars ``(fields, slots, symbols)``, the addresses of compiled kernels, their parameters and their states.
Out: the states just before the newest bar, and the values of the newest bar or of all bars.
Refuses to know any indicator: a kernel is an address. It starts no thread (``threads`` does) and holds no GIL.

How a kernel sees the market. ``TILE`` symbols are gathered into a tile ``(rows, fields, TILE)``. Bars in which a symbol
did not trade are left out and the rest is moved up to the newest, so a kernel never meets an interior NaN: row
``rows - 1`` is the newest bar, ``first[j]`` is the row of symbol j's oldest bar in the tile. A kernel with memory
folds ``state`` over the rows from ``start`` on, symbol j from ``fresh[j]`` on; one without memory looks back.
Every loop over symbols has the constant length ``TILE``, so it becomes vector instructions without a tail, and a symbol
gets the same bits wherever it stands.
"""

# ruff: noqa: ARG001 - an intrinsic's parameters are types that numba reads from its signature
# mypy: disable-error-code="no-untyped-def, no-untyped-call, call-arg, var-annotated, unreachable, import-untyped"

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import cfunc, njit, types
from numba.extending import intrinsic

TILE = 128
"""Symbols in a tile: a row of one field is 1 KiB, a tile of 252 bars fits the second-level cache."""
OPEN, HIGH, LOW, CLOSE, VOLUME, VWAP, TRADES = range(7)
FIELDS = 7
MAX_PARAMS = 4

NAN_SAFE = {"nsz", "arcp", "contract"}
"""The only fast-math flags in use. Without nnan and ninf, so ``isnan`` works; without reassoc, so sums keep their order
and step and refold agree to the bit."""

Body = Callable[..., None]

carray: Any = numba.carray  # type: ignore[attr-defined]
"""Gives a pointer its shape; constant lengths let the compiler drop its alias checks."""

_F64 = types.CPointer(types.float64)
_I64 = types.CPointer(types.int64)
_ARGS = (_F64, _I64, _I64, _F64, _F64, _F64, types.int64, types.int64, types.int64)
SIGNATURE = types.void(*_ARGS)
"""kernel(bars, first, fresh, params, state, out, start, rows, out_rows): pointers into a tile, and its lengths."""

_compiled: dict[Body, Any] = {}


def compile_cached(make: Callable[..., Any], **options: Any) -> Any:
    """Compile with numba's disk cache, or without it where no cache folder can be written."""
    try:
        return make(cache=True, **options)
    except RuntimeError as error:
        if "cannot cache function" not in str(error):
            raise
        return make(cache=False, **options)


def address_of(body: Body) -> int:
    """Return the machine address of a kernel, compiled (or loaded from the cache) at its first use."""
    if body not in _compiled:
        _compiled[body] = compile_cached(
            lambda cache: cfunc(SIGNATURE, cache=cache, fastmath=NAN_SAFE, error_model="numpy")(body)
        )
    return int(_compiled[body].address)


@intrinsic
def _call(_typing, address, bars, first, fresh, params, state, out, start, rows, out_rows):
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


@njit(nogil=True, fastmath=NAN_SAFE)
def _gather(ring, oldest, n_rows, fold_from, col, width, fields, bars, first, fresh, last_fresh):
    """Fill a tile: the newest row last, above it the traded bars without gaps. Returns the first row to fold."""
    slots, rows = ring.shape[1], bars.shape[0]
    clean = np.ones(TILE, np.bool_)
    for r in range(rows):
        slot = (oldest + n_rows - rows + r) % slots
        for field in fields:
            bars[r, field, :width] = ring[field, slot, col : col + width]
            bars[r, field, width:] = math.nan
        if r < rows - 1:
            for j in range(TILE):
                clean[j] &= bars[r, CLOSE, j] == bars[r, CLOSE, j]
    start = rows - 1
    for j in range(TILE):
        first[j] = 0
        fresh[j] = max(rows - (n_rows - fold_from), 0)
        if not clean[j]:
            at, fresh[j] = rows - 2, rows - 1
            row = n_rows - 2 if j < width else -1
            while row >= 0 and at >= 0:
                slot = (oldest + row) % slots
                if not math.isnan(ring[CLOSE, slot, col + j]):
                    for field in fields:
                        bars[at, field, j] = ring[field, slot, col + j]
                    if row >= fold_from:
                        fresh[j] = at
                    at -= 1
                row -= 1
            first[j] = at + 1
            for r in range(at + 1):
                for field in fields:
                    bars[r, field, j] = math.nan
        last_fresh[j] = rows - 1 if bars[rows - 1, CLOSE, j] == bars[rows - 1, CLOSE, j] else rows
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


def _fold(ring, oldest, n_rows, fold_from, tiles, fields, rows, kernels, params, state_in, state_out, out):
    """Fold kernels over the tiles ``tiles[0]`` to ``tiles[1]`` of a ring.

    Parameters
    ----------
    ring : float64 (FIELDS, slots, n_symbols)
        Bars; the oldest stands in slot ``oldest``, ``n_rows`` of them count.
    fold_from : int
        States in ``state_in`` are those just before this row (0 = oldest).
    fields : int64 (n,)
        The fields to gather.
    rows : int
        Rows of a tile: enough for the longest look-back and for every row from ``fold_from`` on.
    kernels : int64 (n_kernels, 5)
        Address, first state row, state rows, first output, outputs of each kernel.
    params : float64 (n_kernels, MAX_PARAMS)
    state_in, state_out : float64 (n_state, n_symbols)
        ``state_out`` gets the states just before the newest row. May be the same array.
    out : float64 (n_outputs, out_rows, n_symbols)
        ``out_rows`` is 0 (states only), 1 (the newest bar) or ``n_rows`` (all bars; then ``rows`` must be ``n_rows``).
    """
    n_symbols, out_rows = ring.shape[2], out.shape[1]
    bars = np.empty((rows, FIELDS, TILE))
    first, fresh, last_fresh = np.empty(TILE, np.int64), np.empty(TILE, np.int64), np.empty(TILE, np.int64)
    state = np.zeros((max(kernels[:, 2].max(), 1), TILE))
    values = np.empty((kernels[:, 4].max(), max(out_rows, 1), TILE))
    for tile in range(tiles[0], tiles[1]):
        col = tile * TILE
        width = min(TILE, n_symbols - col)
        start = _gather(ring, oldest, n_rows, fold_from, col, width, fields, bars, first, fresh, last_fresh)
        for i in range(kernels.shape[0]):
            address, at, depth, out_at, n_out = kernels[i]
            for s in range(depth):
                state[s, :width] = state_in[at + s, col : col + width]
            pb, pf, pp, ps, po = _pointer(bars), _pointer(first), _pointer(params[i]), _pointer(state), _pointer(values)
            if out_rows > 1:
                _call(address, pb, pf, _pointer(fresh), pp, ps, po, start, rows, rows)
                for k in range(n_out):
                    _spread(values[k], ring, oldest, col, width, first, out[out_at + k])
                continue
            if depth:
                _call(address, pb, pf, _pointer(fresh), pp, ps, po, start, rows - 1, 0)
                for s in range(depth):
                    state_out[at + s, col : col + width] = state[s, :width]
            if out_rows:
                _call(address, pb, pf, _pointer(last_fresh), pp, ps, po, rows - 1, rows, 1)
                for k in range(n_out):
                    for j in range(width):
                        out[out_at + k, 0, col + j] = values[k, 0, j] if last_fresh[j] < rows else math.nan


fold = compile_cached(lambda cache: njit(nogil=True, cache=cache, fastmath=NAN_SAFE)(_fold))
