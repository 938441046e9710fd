"""Probabilities that mean what they say: margins in, probabilities out, by Platt's two numbers.

Refuses to sharpen what it cannot judge: without both outcomes among the labels every probability is their mean.
"""

from __future__ import annotations

import numpy as np

from tapeline.core.types import F64

STEPS = 50


def fit_platt(margin: F64, happened: F64) -> tuple[float, float]:
    """Return (slope, offset) with which 1 / (1 + exp(-(slope * margin + offset))) is most likely.

    The slope is not negative: a margin that points the wrong way says nothing, and the mean of ``happened`` is left.
    Labels are smoothed as Platt did, so no probability is 0 or 1.

    References
    ----------
    J. Platt, Probabilistic Outputs for Support Vector Machines (1999).
    """
    hits = float(happened.sum())
    high, low = (hits + 1.0) / (hits + 2.0), 1.0 / (happened.size - hits + 2.0)
    target = np.where(happened > 0.5, high, low)
    slope, offset = 0.0, float(np.log(target.mean() / (1.0 - target.mean())))
    if not 0.0 < hits < happened.size:
        return slope, offset
    design = np.stack([margin, np.ones_like(margin)])
    for _ in range(STEPS):
        p = probability(margin, slope, offset)
        gradient = design @ (target - p)
        weight = p * (1.0 - p)
        hessian = (design * weight) @ design.T + 1e-9 * np.eye(2)
        move = np.linalg.solve(hessian, gradient)
        slope, offset = slope + float(move[0]), offset + float(move[1])
        if np.abs(move).max() < 1e-10:
            break
    if slope < 0.0:
        return 0.0, float(np.log(target.mean() / (1.0 - target.mean())))
    return slope, offset


def probability(margin: F64, slope: float, offset: float) -> F64:
    """Return the probability of each margin; NaN stays NaN."""
    calibrated: F64 = 1.0 / (1.0 + np.exp(-(slope * margin + offset)))
    return calibrated
