"""What a model is asked to foretell: forward returns that could have been earned, and their ranks among symbols.

In: opens and closes of sessions.  Out: labels, NaN wherever the future is not known whole.
Refuses the close that the features have seen as an entry: one buys at the next open.
"""

from __future__ import annotations

import numpy as np

from tapeline.core.types import F64
from tapeline.ml.cross import rank


def forward_return(opens: F64, closes: F64, horizon: int) -> F64:
    """Return the gain of buying at the next session's open and selling at the close ``horizon`` sessions on.

    Parameters
    ----------
    opens, closes : float64 (n_bars, n_symbols)
        Oldest first; NaN did not trade.
    horizon
        Sessions, >= 1; 1 sells at the close of the day of the entry.

    Returns
    -------
    float64 (n_bars, n_symbols), a fraction. The last ``horizon`` rows are NaN, as is every cell without entry or exit.
    """
    out = np.full(closes.shape, np.nan)
    n = len(closes) - horizon
    if n > 0:
        with np.errstate(all="ignore"):
            gain = closes[horizon:] / opens[1 : n + 1] - 1.0
        out[:n] = np.where(np.isfinite(gain), gain, np.nan)
    return out


def cross_sectional(returns: F64) -> F64:
    """Return each row's ranks, -0.5 for the worst of the day to 0.5 for the best: the market's move is taken out."""
    return rank(returns) - 0.5
