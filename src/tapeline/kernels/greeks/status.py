"""What became of one option: a number, or the typed reason why there is none.

In: nothing.  Out: ``OptionStatus``, stored as int8 beside every result. Numbers stand only beside ``OK``; beside every
other status they are NaN, so that no floor, cap or default volatility can leak into a decision.
"""

from __future__ import annotations

from enum import IntEnum


class OptionStatus(IntEnum):
    """Why an option has a number (``OK``), or why it has none."""

    OK = 0
    BELOW_INTRINSIC = 1
    """The price is below what exercise at the forward pays: no volatility explains it."""
    ABOVE_BOUND = 2
    """The price is at or above what the option can ever be worth: no finite volatility explains it."""
    EXPIRED = 3
    """``years`` <= 0: the option has no future, and therefore no Greeks and no volatility."""
    BAD_INPUT = 4
    """Not finite, not positive where it must be, neither call nor put, or so extreme that results overflow."""
    INDETERMINATE = 5
    """Time value of at most 1e-12 x spot: it is rounding, and every volatility of a wide range explains it."""
    OUTSIDE_DOMAIN = 6
    """American only: rate and yield for which the approximation does not hold (two exercise boundaries)."""


# Plain integers: compiled code knows no enumerations.
OK = int(OptionStatus.OK)
BELOW_INTRINSIC = int(OptionStatus.BELOW_INTRINSIC)
ABOVE_BOUND = int(OptionStatus.ABOVE_BOUND)
EXPIRED = int(OptionStatus.EXPIRED)
BAD_INPUT = int(OptionStatus.BAD_INPUT)
INDETERMINATE = int(OptionStatus.INDETERMINATE)
OUTSIDE_DOMAIN = int(OptionStatus.OUTSIDE_DOMAIN)
