"""Forests: boosted trees asked about whole universes. numpy and numba only.

In: trees as arrays, rows of features.  Out: the sum of the leaves that each row falls into.
"""

from __future__ import annotations

from tapeline.kernels.forest.predict import Forest, build_forest, predict_forest

__all__ = ["Forest", "build_forest", "predict_forest"]
