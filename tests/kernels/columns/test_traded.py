"""Each symbol's newest traded bars, and what all of them say about it, against a slow twin."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tapeline.kernels.columns import Traded, newest_traded
from tapeline.kernels.columns.traded import CLOSE, F64, TILE, VOLUME


def naive(fields: list[F64], n_rows: int) -> tuple[F64, list[int], list[bool]]:
    """Return the same, a symbol and a bar at a time."""
    n_bars, n_symbols = fields[CLOSE].shape
    out, counts, sound = np.full((5, n_rows, n_symbols), np.nan), [], []
    for col in range(n_symbols):
        rows = [row for row in range(n_bars) if not np.isnan(fields[CLOSE][row, col])]
        for at, row in enumerate(reversed(rows[-n_rows:] if n_rows else [])):
            for index in range(5):
                out[index, n_rows - 1 - at, col] = fields[index][row, col]
        counts.append(len(rows))
        prices = [fields[index][row, col] for index in range(4) for row in range(n_bars)]
        volumes = [fields[VOLUME][row, col] for row in rows]
        sound.append(not any(p <= 0.0 for p in prices) and all(0.0 <= v < np.inf for v in volumes))
    return out, counts, sound


def panel(seed: int, n_bars: int, n_symbols: int, gaps: float) -> list[F64]:
    """Return five fields with gaps, some bad prices and some bad volumes."""
    rng = np.random.default_rng(seed)
    fields = [rng.uniform(1.0, 2.0, (n_bars, n_symbols)) for _ in range(5)]
    untraded = rng.random((n_bars, n_symbols)) < gaps
    for field in fields:
        field[untraded] = np.nan
    if n_bars:
        fields[rng.integers(0, 4)][rng.integers(0, n_bars), rng.integers(0, n_symbols)] = -1.0
        for odd in (np.nan, np.inf, -np.inf, -1.0):
            fields[VOLUME][rng.integers(0, n_bars), rng.integers(0, n_symbols)] = odd
    return fields


def agree(found: Traded, expected: tuple[F64, list[int], list[bool]]) -> bool:
    fields, counts, sound = expected
    return (
        np.array_equal(found.fields, fields, equal_nan=True)
        and found.n_traded.tolist() == counts
        and found.is_sound.tolist() == sound
    )


@given(
    st.integers(0, 99), st.integers(0, 12), st.integers(1, 9), st.sampled_from([0.0, 0.2, 0.9, 1.0]), st.integers(1, 14)
)
def test_newest_traded_bars_are_those_of_a_slow_twin(
    seed: int, n_bars: int, n_symbols: int, gaps: float, n_rows: int
) -> None:
    fields = panel(seed, n_bars, n_symbols, gaps)
    kept = [field.copy() for field in fields]
    assert agree(newest_traded(fields, n_rows), naive(fields, n_rows))
    assert all(np.array_equal(old, new, equal_nan=True) for old, new in zip(kept, fields, strict=True))


def test_a_universe_of_several_tiles_and_a_ragged_end_agree_too() -> None:
    fields = panel(3, 4, 2 * TILE + 5, 0.1)
    assert agree(newest_traded(fields, 3), naive(fields, 3))
