"""A condition that a person writes, over everything the scan knows by name.

In: ``"rsi_14 < 30 and dollar_volume_20 > 5e6"``.  Out: which symbols it is known to hold for.
Factors come first, then bars, then every indicator by its name. Refuses names that nobody has, naming the nearest.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadInput
from tapeline.core.types import BAR_FIELDS, F64
from tapeline.grid import BarGrid, UnknownIndicator, indicator_names
from tapeline.kernels.catalogue import find
from tapeline.ml.expression import Expression, parse
from tapeline.ml.features import read_columns


def matches(
    text: str, factors: Mapping[str, F64], days: BarGrid, n_rows: int, sectors: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Return for which symbols the condition is known to be true, bool (n,), on the newest of ``n_rows`` sessions."""
    expression = parse(text)
    return expression.holds(columns_of(expression, factors, days, n_rows), sectors)


def columns_of(expression: Expression, factors: Mapping[str, F64], days: BarGrid, n_rows: int) -> dict[str, F64]:
    """Return the columns that an expression names.

    Raises
    ------
    BadInput
        For a name that is no factor, no field of a bar and no indicator.
    """
    check_names(expression, tuple(factors))
    read = read_columns(days, [name for name in expression.names if name not in factors], n_rows)
    return {name: factors[name] if name in factors else read[name] for name in expression.names}


def check_names(expression: Expression, factors: tuple[str, ...] = ()) -> None:
    """Raise BadInput for a name that is no factor, no field of a bar and no indicator, with the nearest that is."""
    for name in expression.names:
        if name in factors or name in BAR_FIELDS:
            continue
        try:
            find(name)
        except UnknownIndicator as error:
            near = difflib.get_close_matches(name, [*factors, *BAR_FIELDS, *indicator_names()], n=1, cutoff=0.0)[0]
            raise BadInput(f"{expression.text!r} names {name!r}: {error}; the nearest is {near!r}") from None
