"""What a session's scans go by: the features of an earlier life of the node are taken where they still fit."""

from __future__ import annotations

import numpy as np
import pytest
from tests.scan.test_cache import Memory

from tapeline.core.calendar import SessionCalendar
from tapeline.core.config import Config
from tapeline.grid import BarGrid
from tapeline.grid.history import load_history
from tapeline.loop.sight import Sight, open_sight
from tapeline.scan.cache import FeatureCache
from tapeline.scan.own import NOTHING

HISTORY = load_history()
BEFORE = SessionCalendar().session(HISTORY.days[-1].item())


async def sight_of(days: BarGrid, features: FeatureCache | None = None) -> Sight:
    return await open_sight(Config(), {}, NOTHING, days, BEFORE, features)


@pytest.mark.anyio
async def test_a_second_life_takes_the_features_of_the_first_and_thinks_the_same() -> None:
    days, shelf = HISTORY.grid, Memory()
    plain = (await sight_of(days)).forecast
    assert plain is not None
    for life in range(2):
        features = FeatureCache(shelf, 60.0)
        found = (await sight_of(BarGrid.restore(days.snapshot()), features)).forecast
        assert found is not None
        assert features.computed == (0 if life else len(days.symbols))
        assert found.features.tobytes() == plain.features.tobytes()
        assert all(np.array_equal(found.values[name], plain.values[name], equal_nan=True) for name in plain.values)
