"""The volume profile of ticks adds up, whatever their order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadArgument
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


def test_a_stray_price_is_refused_and_a_wide_profile_is_quick() -> None:
    with pytest.raises(BadArgument, match="stray"):
        volume_profile([0.01, 1e5], [1.0, 1.0], 0.01)
    with pytest.raises(BadArgument, match="each tick"):
        volume_profile([1.0, 2.0], [1.0], 0.01)
    wide = volume_profile([1.0, 9_000.0, 9_000.01], [1.0, 5.0, 4.0], 0.01, share=1.0)
    assert (wide.low, len(wide.volume)) == (1.0, 899_902)
    np.testing.assert_allclose(wide.high, 9_000.02)


@given(TICKS, st.floats(0.1, 1.0))
def test_value_area_equals_the_one_grown_bucket_by_bucket(ticks: list[tuple[int, int]], share: float) -> None:
    found = volume_profile([p / 100 for p, _ in ticks], [float(v) for _, v in ticks], 0.01, share=share)
    held = found.volume
    low = int(held.argmax())
    high = low + 1
    while held[low:high].sum() < share * held.sum() * (1.0 - 1e-12):
        under, over = (held[low - 1] if low else -1.0), (held[high] if high < len(held) else -1.0)
        low, high = (low, high + 1) if over >= under else (low - 1, high)
    assert (found.low, found.high) == (found.edges[low], found.edges[high])
