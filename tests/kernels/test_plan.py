"""Compiled code is given no arrays that it would write beyond."""

from __future__ import annotations

import numpy as np
import pytest

from tapeline.core.errors import BadArgument
from tapeline.kernels.plan import Bars, Program, evaluate, no_states


@pytest.mark.parametrize("shape", [(1, 3, 128), (2, 4, 128), (1, 4, 64), (4, 128)])
def test_states_without_room_are_refused(shape: tuple[int, ...]) -> None:
    program, bars = Program(), Bars(np.ones((7, 5, 3)), np.zeros(5), 0, 5)
    program.add(["rsi_14"])
    with pytest.raises(BadArgument, match="states"):
        evaluate(program, list(program.places), bars, 0, np.zeros(shape), np.zeros(shape), 1)


def test_rows_that_the_ring_has_not_are_refused() -> None:
    program, states = Program(), no_states(3)
    program.add(["sma_2"])
    with pytest.raises(BadArgument, match="slots"):
        evaluate(program, list(program.places), Bars(np.ones((7, 5, 3)), np.zeros(5), 0, 6), 0, states, states, 1)
