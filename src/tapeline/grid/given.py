"""What a person hands to a grid, checked: times, columns, lengths of bars.

In: arrays and numbers of any kind.  Out: the same as the grid keeps them.
Refuses, with one sentence, what it would have to guess at: times as fractions, shapes that do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral

import numpy as np
from numpy.typing import ArrayLike

from tapeline.core.errors import BadArgument
from tapeline.core.types import BAR_FIELDS, F64, I64


def whole_seconds(name: str, given: object, least: int, most: int | None = None) -> int:
    """Return a whole number of seconds from ``least`` to ``most``."""
    if isinstance(given, Integral):
        seconds = int(given)
        if least <= seconds and (most is None or seconds <= most):
            return seconds
    bounds = f"{least} or more" if most is None else f"{least} to {most}"
    raise BadArgument(f"{name} is a whole number of seconds, {bounds}, not {given!r}")


def events_given(event_ns: ArrayLike) -> I64:
    """Return starts of bars, int64 (n,) nanoseconds. Whole numbers are nanoseconds, dates and times any unit."""
    given = np.asarray(event_ns)
    if given.size == 0 and given.ndim == 1:
        return np.zeros(0, np.int64)
    if given.dtype.kind == "M":
        events = given.astype("datetime64[ns]").astype(np.int64)
        if np.isnat(given).any() or (events.astype("datetime64[ns]").astype(given.dtype) != given).any():
            raise BadArgument("event_ns holds a time that is none, or one before 1678 or after 2262")
    elif given.dtype.kind in "iu":
        events = np.ascontiguousarray(given, np.int64)
    else:
        raise BadArgument(
            f"event_ns is {given.dtype}: give whole UTC nanoseconds, or UTC times as datetime64 (of any unit)"
        )
    if events.ndim != 1 or (np.diff(events) <= 0).any():
        raise BadArgument("event_ns must be one rising row of bar starts")
    return events


def columns_given(given: Mapping[str, ArrayLike | None], out: F64) -> None:
    """Write the fields that are given into ``out``, float64 (7, n_bars, n_symbols), in the order of ``BAR_FIELDS``."""
    for index, name in enumerate(BAR_FIELDS):
        column = given[name]
        if column is None:
            continue
        try:
            values = np.asarray(column, np.float64)
        except (TypeError, ValueError) as error:
            raise BadArgument(f"{name} is no table of numbers: {error}") from None
        if values.shape != out.shape[1:]:
            raise BadArgument(f"{name} has shape {values.shape}, expected {out.shape[1:]}: bars x symbols")
        out[index] = values
