"""Plots: the same numbers are the same bytes, and no page needs anything else."""

from __future__ import annotations

import numpy as np
import pytest

from tapeline.ml import plots

DRAWN: list[plots.Draw] = [
    plots.lines({"a": np.array([1.0, np.nan, 3.0]), "b": np.zeros(3)}),
    plots.bars([1.0, -2.0, float("nan")]),
    plots.bars([0.5, 0.2], ["one", "two"], lying=True),
    plots.calibration([(0.4, 0.5, 10), (0.6, 0.55, 30)]),
    plots.calibration([]),
]


@pytest.mark.parametrize("draw", DRAWN)
def test_a_plot_is_one_svg_and_the_same_twice(draw: plots.Draw) -> None:
    one, other = (plots.svg("title", draw, x="x, bps", y="y") for _ in range(2))
    assert one == other
    assert one.startswith("<svg")
    assert one.rstrip().endswith("</svg>")
    assert "title" in one
