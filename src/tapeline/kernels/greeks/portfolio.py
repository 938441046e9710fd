"""The risk of a book of options: its Greeks, and what it gains when spot, volatility and time move. One call.

In: positions as columns, and the moves.  Out: ``BookRisk``: per position, in total, and the grid of gains.
Refuses to add what it could not value: one position without a status of OK makes the totals NaN, and is named.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tapeline.core.errors import BadArgument
from tapeline.kernels.greeks.columns import F64, I8, columns_of, loop
from tapeline.kernels.greeks.status import OK
from tapeline.kernels.greeks.values import DAYS_PER_YEAR, greeks, legs
from tapeline.kernels.threads import share

MIN_VOL = 1e-4
"""A volatility shock stops here (0.01 % a year): below zero there is no price."""


@dataclass(frozen=True, slots=True)
class BookRisk:
    """What a book is worth, how it moves, and what it gains under each shock.

    Attributes
    ----------
    positions : dict of float64 (n,)
        ``price`` and Greeks of one contract's unit, and ``status``; as ``greeks(..., second_order=True)`` returns them.
    totals : dict of float
        ``value`` and each Greek of the whole book, in the units of ``greeks``; ``dollar_delta`` = sum of delta x spot,
        which, unlike delta, adds up over different underlyings. NaN if any position has a status other than OK.
    unvalued : int64 (k,)
        Rows of the positions that could not be valued.
    gains : float64 (n_spot, n_vol, n_days)
        Value after the shock minus value now. NaN as the totals are.
    """

    positions: dict[str, NDArray[Any]]
    totals: dict[str, float]
    unvalued: NDArray[np.intp]
    gains: F64


@loop
def _shock(right, numbers, steps, status, spot_moves, vol_moves, days, out, low, high):  # type: ignore[no-untyped-def]
    """Write the book's value after each of the shocks ``low`` to ``high`` of the flattened grid.

    Positions are added in their order, so the sum does not depend on how the grid was shared out.
    """
    sizes, spots, strikes, terms, rates, vols, yields = numbers
    for cell in range(low, high):
        rise = 1.0 + spot_moves[cell // (len(vol_moves) * len(days))]
        lift = vol_moves[cell // len(days) % len(vol_moves)]
        passed = days[cell % len(days)] / DAYS_PER_YEAR
        total = 0.0
        for i in range(len(status)):
            if status[i] != OK:
                continue
            w, S, K = right[i * steps[0]], spots[i * steps[2]] * rise, strikes[i * steps[3]]
            years = terms[i * steps[4]] - passed
            if years > 0.0 and S > 0.0:
                vol = max(vols[i * steps[6]] + lift, MIN_VOL)
                worth = legs(w, S, K, years, rates[i * steps[5]], vol, yields[i * steps[7]])[0]
            else:
                worth = max(w * (S - K), 0.0)
            total += sizes[i * steps[1]] * worth
        out[cell] = total


def book_risk(
    right: ArrayLike,
    qty: ArrayLike,
    spot: ArrayLike,
    strike: ArrayLike,
    years: ArrayLike,
    rate: ArrayLike,
    vol: ArrayLike,
    div_yield: ArrayLike = 0.0,
    *,
    multiplier: ArrayLike = 100.0,
    spot_moves_pct: ArrayLike = (-10.0, -5.0, 0.0, 5.0, 10.0),
    vol_moves_points: ArrayLike = (-5.0, 0.0, 5.0),
    days: ArrayLike = (0.0, 1.0, 7.0),
) -> BookRisk:
    """Return the Greeks of a book of European options and its gains under a grid of shocks.

    Parameters
    ----------
    right, spot, strike, years, rate, vol, div_yield : (n,) or scalar
        As in ``greeks``, one row per position.
    qty : (n,) or scalar
        Contracts held; negative when short.
    multiplier : (n,) or scalar
        Units of the underlying in one contract.
    spot_moves_pct : (n_spot,)
        Every spot moves by this per cent, all together. Above -100.
    vol_moves_points : (n_vol,)
        Every volatility moves by this many percentage points, and stops at ``MIN_VOL``.
    days : (n_days,)
        Calendar days that pass, >= 0. A position that expires on the way is worth what it pays at the shocked spot.

    Raises
    ------
    BadArgument
        For what is no number, positions that are not one row each, and moves that are not finite or out of range.
    """
    try:
        sizes = np.multiply(np.asarray(qty, np.float64), np.asarray(multiplier, np.float64))
    except (TypeError, ValueError) as error:
        raise BadArgument(f"qty and multiplier are numbers that fit each other: {error}") from None
    columns = columns_of(right, sizes, spot, strike, years, rate, vol, div_yield)
    if len(columns.shape) > 1:
        raise BadArgument(f"positions come as one row each, not in shape {columns.shape}")
    moves = _moves(spot_moves_pct, vol_moves_points, days)
    size, *inputs = columns.numbers
    each = greeks(columns.right, *inputs, second_order=True)
    if each["price"].ndim == 0 or each["price"].size != columns.size:
        each = {name: np.broadcast_to(value, (columns.size,)) for name, value in each.items()}
    status: I8 = np.where(np.isfinite(size), each["status"], np.int8(4)).astype(np.int8)
    unvalued = np.flatnonzero(status != OK)
    totals = {name: float(np.sum(size * each[name])) for name in each if name != "status"}
    totals = {"value": totals.pop("price"), **totals, "dollar_delta": float(np.sum(size * each["delta"] * inputs[0]))}
    out = np.full(tuple(move.size for move in moves), math.nan)
    if unvalued.size == 0:
        flat = out.reshape(-1)
        share(lambda low, high: _shock(columns.right, columns.numbers, columns.steps, status, *moves, flat, low, high),
              flat.size)  # fmt: skip
        out -= _now(columns.right, columns.numbers, columns.steps, status)
    return BookRisk({**each, "status": status}, totals, unvalued, out)


def _now(right: I8, numbers: tuple[F64, ...], steps: NDArray[np.int64], status: I8) -> float:
    """Return the value before any shock by the very sum of the grid, so that no shock gains exactly nothing."""
    zero, value = np.zeros(1), np.empty(1)
    _shock(right, numbers, steps, status, zero, zero, zero, value, 0, 1)
    return float(value[0])


def _moves(spot_moves_pct: ArrayLike, vol_moves_points: ArrayLike, days: ArrayLike) -> tuple[F64, F64, F64]:
    """Return the moves as fractions, or refuse them."""
    spots, vols, times = (np.array(m, np.float64).reshape(-1) for m in (spot_moves_pct, vol_moves_points, days))
    if not all(np.all(np.isfinite(move)) for move in (spots, vols, times)):
        raise BadArgument("every move of a shock grid is a finite number")
    if np.any(spots <= -100.0) or np.any(times < 0.0):
        raise BadArgument("a spot falls by less than 100 %, and days pass forward only")
    return spots / 100.0, vols / 100.0, times
