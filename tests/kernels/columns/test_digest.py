"""A digest tells every changed bit of a column, and nothing of where the column stands."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tapeline.kernels.columns import code_digest, column_digests
from tapeline.kernels.columns.digest import TILE

RNG = np.random.default_rng(1)
PANELS = [RNG.standard_normal((9, 6)), RNG.standard_normal((4, 6))]


@given(st.integers(0, 1), st.integers(0, 8), st.integers(0, 5), st.integers(0, 63))
def test_one_flipped_bit_changes_both_halves_of_its_column_and_no_other(
    which: int, row: int, col: int, bit: int
) -> None:
    changed = [panel.copy() for panel in PANELS]
    words = changed[which].view(np.uint64)
    words[row % len(words), col] ^= np.uint64(1 << bit)
    differs = column_digests(changed, 7) != column_digests(PANELS, 7)
    assert differs.all(axis=1).tolist() == [each == col for each in range(6)]


def test_digest_does_not_depend_on_the_place_of_a_column_nor_on_the_threads() -> None:
    wide = np.tile(PANELS[0], (1, 2 * TILE // 6 + 3))
    assert np.array_equal(column_digests([wide], 7)[:6], column_digests([PANELS[0]], 7))
    assert np.array_equal(column_digests([wide], 7)[-6:], column_digests([PANELS[0]], 7))
    order = [3, 1, 0]
    assert np.array_equal(column_digests([p[:, order] for p in PANELS], 7), column_digests(PANELS, 7)[order])


def test_seed_rows_and_order_of_panels_are_part_of_the_digest() -> None:
    base = column_digests(PANELS, 7)
    zeros = [np.zeros((3, 6)), np.zeros((5, 6))]
    assert (base != column_digests(PANELS, 8)).all()
    assert (base != column_digests(PANELS[::-1], 7)).all()
    assert (column_digests(zeros[:1], 0) != column_digests(zeros[1:], 0)).all()


def test_thousands_of_similar_columns_have_digests_of_their_own() -> None:
    panel = np.round(RNG.uniform(1.0, 1.2, (2, 40_000)), 2)
    same = {tuple(column) for column in panel.T.tolist()}
    assert len({tuple(each) for each in column_digests([panel], 0).tolist()}) == len(same)


def test_code_digest_stays_the_same_in_one_process() -> None:
    assert code_digest() == code_digest()
    assert len(code_digest()) == 16
