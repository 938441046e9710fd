"""The volume profile of ticks adds up, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.kernels.profile import volume_profile

TICKS = st.lists(st.tuples(st.integers(900, 1100), st.integers(1, 1000)), min_size=1, max_size=50)


@given(TICKS, st.floats(0.1, 1.0))
def test_every_share_is_in_one_bucket_and_the_value_area_holds_its_part(
    ticks: list[tuple[int, int]], share: float
) -> None:
    price, volume = np.array([p / 100 for p, _ in ticks]), np.array([float(v) for _, v in ticks])
    found = volume_profile(price, volume, 0.01, share=share)
    assert found.volume.sum() == volume.sum()
    inside = (price >= found.low - 1e-9) & (price < found.high - 1e-9)
    assert volume[inside].sum() >= share * volume.sum() * (1.0 - 1e-9)
    assert found.low < found.control < found.high
    assert volume_profile(price[::-1], volume[::-1], 0.01, share=share).control == found.control


def test_known_ticks_give_the_known_profile() -> None:
    found = volume_profile(np.array([10.0, 10.01, 10.01, np.nan]), np.array([5.0, 3.0, 4.0, 9.0]), 0.01, share=0.5)
    assert found.volume.tolist() == [5.0, 7.0]
    np.testing.assert_allclose([found.control, found.low, found.high], [10.015, 10.01, 10.02])


def test_no_ticks_have_no_point_of_control() -> None:
    assert np.isnan(volume_profile(np.array([np.nan]), np.array([1.0]), 0.01).control)
    with pytest.raises(ValueError, match="tick_size"):
        volume_profile(np.ones(1), np.ones(1), 0.0)
