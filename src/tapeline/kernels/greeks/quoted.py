"""Volatility and Greeks that the prices of a few options imply, for who asks thousands of times a second.

In: flat columns as the loops walk them, not brought into shape first: for seven options that took longer than all the
mathematics.  Out: one table, and a status for each option. Refuses nothing; what cannot be valued is NaN.
"""

from __future__ import annotations

import numpy as np

from tapeline.kernels.greeks.columns import F64, I8, Columns
from tapeline.kernels.greeks.implied import solve_columns
from tapeline.kernels.greeks.values import FIRST_ORDER, value_columns

QUOTED = ("implied_vol", *FIRST_ORDER[1:])
"""Rows of the table."""
_SOLVED = np.array([1, 1, 1, 1, 1, 0, 0])
_VALUED = np.array([1, 1, 1, 1, 0, 1, 0])
"""Steps of right, then of the numbers: one of each option, or one for all."""


def quoted_greeks(
    right: I8, price: F64, spot: F64, strike: F64, years: F64, rate: float, *, futures: bool = False
) -> tuple[F64, I8]:
    """Return what ``implied_vol`` and ``greeks``, or with ``futures`` the functions of Black-76, say of options.

    Parameters
    ----------
    right : int8 (n,)
        +1 call, -1 put.
    price, spot, strike, years : float64 (n,)
        Contiguous and writeable. ``spot`` is the future with ``futures``.
    rate
        Continuously compounded, a year; a spot pays no yield.

    Returns
    -------
    table : float64 (6, n)
        ``QUOTED``; NaN unless the status is ``OK``.
    status : int8 (n,), ``OptionStatus``
        Of the volatility.
    """
    n, rates, yields = price.size, np.array([rate]), np.array([rate if futures else 0.0])
    vol, status = solve_columns(Columns((n,), right, (price, spot, strike, years, rates, yields), _SOLVED))
    valued = Columns((n,), right, (spot, strike, years, rates, vol, yields), _VALUED)
    table, _ = value_columns(valued, len(FIRST_ORDER), futures=futures)
    table[0] = vol
    return table, status
