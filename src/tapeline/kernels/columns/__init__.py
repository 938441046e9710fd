"""Columns: loops over whole panels that are no indicators. numpy and numba only.

In: fields of bars ``(n_bars, n_symbols)``.  Out: arrays a column each. Work is shared over the compute threads.
"""

from __future__ import annotations

from tapeline.kernels.columns.digest import code_digest, column_digests
from tapeline.kernels.columns.traded import Traded, newest_traded

__all__ = ["Traded", "code_digest", "column_digests", "newest_traded"]
