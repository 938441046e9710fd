"""Steps that several kernels share, each without branches so that it becomes vector instructions."""

# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from numba import njit

from tapeline.kernels.engine import NAN_SAFE, TILE


@njit(fastmath=NAN_SAFE, error_model="numpy")
def ema_next(average, count, x, span):
    """One step: the average after ``x``, its seed being the mean of the first ``span`` values.

    While seeding, ``average`` is a sum. Written without branches so that it becomes vector instructions.
    """
    seeding = count < span
    average += x if seeding else (2.0 / (span + 1.0)) * (x - average)
    average *= 1.0 / span if count + 1.0 == span else 1.0
    return average


@njit(fastmath=NAN_SAFE, error_model="numpy")
def wilder_next(average, count, x, window):
    """One step of Wilder's average: the mean of the first ``window`` values, then += (x - average) / window.

    ``count`` values came before; negative means that ``x`` does not count yet. While seeding, ``average`` is a sum.
    """
    scale = 1.0 / window
    grown = average + (x if count < window else (x - average) * scale)
    grown *= scale if count + 1.0 == window else 1.0
    return grown if count >= 0.0 else average


@njit(fastmath=NAN_SAFE, error_model="numpy")
def true_range(high, low, before):
    """Return the range of a bar, stretched to the close before it."""
    return max(high, before) - min(low, before)


@njit(fastmath=NAN_SAFE, error_model="numpy")
def recall(state, at, fresh, ring):
    """Fill a ring with what the state remembers, from its row ``at``, oldest first.

    The ring keeps row r of the tile at r modulo its length, so a symbol's memory ends just before its first fresh row.
    """
    size, usual = len(ring), min(fresh)
    for k in range(size):
        ring[(usual + k) % size] = state[at + k]
    for j in range(TILE):
        if fresh[j] == usual:
            continue
        slot = fresh[j] % size
        for k in range(size):
            ring[slot, j] = state[at + k, j]
            slot = slot + 1 if slot + 1 < size else 0
