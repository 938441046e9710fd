"""Plots as text: numbers in, one SVG each out, for pages that stand alone.

The one module that knows matplotlib. Same numbers, same bytes: no date, no random id. Refuses nothing; a plot without
known numbers says so.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from tapeline.core.types import F64

SIZE_IN = (5.6, 3.0)
INK, SECOND, FAINT = "#1f5f8b", "#c2682f", "#9aa5ad"
Draw = Callable[[Any], None]
"""Draws on one matplotlib ``Axes``."""


def svg(title: str, draw: Draw, *, x: str, y: str) -> str:
    """Return a plot as an ``<svg>`` element; ``x`` and ``y`` name the axes with their units."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context({"svg.hashsalt": "tapeline", "svg.fonttype": "none", "font.size": 9}):
        figure = Figure(figsize=SIZE_IN, layout="constrained")
        FigureCanvasSVG(figure)
        axes = figure.add_subplot()
        draw(axes)
        axes.set_title(title, loc="left", fontsize=10)
        axes.set_xlabel(x)
        axes.set_ylabel(y)
        axes.spines[["top", "right"]].set_visible(False)
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def lines(series: Mapping[str, F64], at: Sequence[Any] | F64 | None = None) -> Draw:
    """Draw series as lines, the first one in ink."""

    def draw(axes: Any) -> None:
        axes.axhline(0.0, color=FAINT, linewidth=0.8)
        for (name, values), colour in zip(series.items(), (INK, SECOND, FAINT) * len(series), strict=False):
            where = np.arange(len(values)) if at is None else np.asarray(at)
            axes.plot(where, values, color=colour, label=name, linewidth=1.3)
        if len(series) > 1:
            axes.legend(frameon=False)

    return draw


def bars(values: Sequence[float], names: Sequence[str] | None = None, *, lying: bool = False) -> Draw:
    """Draw one bar a value; ``lying`` ones read from the top."""

    def draw(axes: Any) -> None:
        at = np.arange(len(values))
        known = np.nan_to_num(np.asarray(values, np.float64))
        if lying:
            axes.barh(at, known, color=INK)
            axes.set_yticks(at, names or [str(i + 1) for i in at])
            axes.invert_yaxis()
        else:
            axes.axhline(0.0, color=FAINT, linewidth=0.8)
            axes.bar(at, known, color=[INK if value >= 0.0 else SECOND for value in known])
            axes.set_xticks(at, names or [str(i + 1) for i in at])

    return draw


def calibration(bins: Sequence[tuple[float, float, int]]) -> Draw:
    """Draw what was said against what happened; honest probabilities lie on the line."""

    def draw(axes: Any) -> None:
        axes.plot([0.0, 1.0], [0.0, 1.0], color=FAINT, linewidth=0.8)
        if not bins:
            axes.text(0.5, 0.5, "no cases", ha="center")
            return
        said, happened, cases = (np.array(column) for column in zip(*bins, strict=True))
        axes.scatter(said, happened, s=10.0 + 90.0 * cases / cases.max(), color=INK)

    return draw
