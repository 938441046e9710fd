"""Plans: a list of names in, what the driver needs to compute them all in one pass over the market out.

A ``Program`` is a set of kernel instances with their places in the state matrix; it grows, and places never move.
``evaluate`` runs a part of it over a ring. Holds no bars and no states: the grid does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadArgument
from tapeline.kernels.catalogue import Instance, find
from tapeline.kernels.engine import CLOSE, MAX_PARAMS, TILE, address_of, fold
from tapeline.kernels.threads import share

F64 = NDArray[np.float64]

MAX_TABLES = 64


@dataclass(frozen=True)
class Table:
    """Some instances as the driver reads them.

    Attributes
    ----------
    kernels : int64 (n, 5)
        Address, first state row, state rows, first output, outputs of each.
    params : float64 (n, MAX_PARAMS)
    n_out : int
        Outputs of all.
    lookback : dict
        Field -> bars of it that a value needs.
    folded : frozenset
        The fields that kernels with memory read.
    """

    kernels: NDArray[np.int64]
    params: F64
    n_out: int
    lookback: dict[int, int]
    folded: frozenset[int]


@dataclass
class Program:
    """Kernel instances and where each keeps its state.

    Attributes
    ----------
    places : dict
        Instance -> (first row of its state, rows of its state).
    n_state : int
        Rows of the state matrix.
    """

    places: dict[Instance, tuple[int, int]] = field(default_factory=dict)
    n_state: int = 0
    _tables: dict[tuple[Instance, ...], Table] = field(default_factory=dict)

    def table(self, instances: tuple[Instance, ...]) -> Table:
        """Return the table of instances; the last few are kept, since every bar asks for the same ones."""
        if instances not in self._tables:
            if len(self._tables) >= MAX_TABLES:
                self._tables.clear()
            self._tables[instances] = self._tabulate(instances)
        return self._tables[instances]

    def _tabulate(self, instances: tuple[Instance, ...]) -> Table:
        kernels = np.zeros((len(instances), 5), np.int64)
        params = np.zeros((len(instances), MAX_PARAMS))
        lookback, n_out = {CLOSE: 1}, 0
        folded: set[int] = set()
        for i, instance in enumerate(instances):
            kernel, (at, depth) = instance.kernel, self.places[instance]
            kernels[i] = (address_of(kernel.body), at, depth, n_out, len(kernel.outputs))
            params[i, : len(instance.params)] = instance.params
            n_out += len(kernel.outputs)
            folded.update(kernel.fields if depth else ())
            for each in kernel.fields:
                lookback[each] = max(lookback.get(each, 1), kernel.lookback(instance.params))
        return Table(kernels, params, n_out, lookback, frozenset(folded))

    def add(self, names: Sequence[str]) -> list[Instance]:
        """Make room for the instances that names need; return those that are new and have a state."""
        fresh = []
        for instance in dict.fromkeys(find(name)[0] for name in names):
            if instance not in self.places:
                depth = instance.kernel.state(instance.params)
                self.places[instance] = (self.n_state, depth)
                self.n_state += depth
                if depth:
                    fresh.append(instance)
        return fresh


@dataclass(frozen=True)
class Bars:
    """A ring of bars as the driver sees it.

    ``ring`` is (7, slots, symbols), ``sessions`` (slots,) the number of each bar's session; ``n_rows`` rows count, the
    first in slot ``oldest``.
    """

    ring: F64
    sessions: F64
    oldest: int
    n_rows: int


def no_states(n_symbols: int) -> F64:
    """Return the states of no kernel, float64 (n_tiles, 0, TILE)."""
    return np.zeros((-(-n_symbols // TILE), 0, TILE))


def states_by_symbol(states: F64, n_symbols: int) -> F64:
    """Return states as (n_state, n_symbols). A copy."""
    n_tiles, n_state, _ = states.shape
    return states.transpose(1, 0, 2).reshape(n_state, n_tiles * TILE)[:, :n_symbols].copy()


def states_by_tile(matrix: F64) -> F64:
    """Return states, given as (n_state, n_symbols), as kernels see them. A copy."""
    n_state, n_symbols = matrix.shape
    n_tiles = -(-n_symbols // TILE)
    padded = np.pad(matrix, ((0, 0), (0, n_tiles * TILE - n_symbols)))
    return np.ascontiguousarray(padded.reshape(n_state, n_tiles, TILE).transpose(1, 0, 2))


def _check_room(table: Table, bars: Bars, fold_from: int, *states: F64) -> None:
    """Raise BadArgument unless compiled code stays inside its arrays."""
    n_symbols, slots = bars.ring.shape[2], bars.ring.shape[1]
    tiles, rows = -(-n_symbols // TILE), int(table.kernels[:, 1:3].sum(axis=1).max(initial=0))
    for each in states:
        if each.dtype != np.float64 or not each.flags.c_contiguous or each.ndim != 3:
            raise BadArgument(f"states are C-order float64 (tiles, rows, {TILE}), not {each.dtype} {each.shape}")
        if (each.shape[0], each.shape[2]) != (tiles, TILE) or each.shape[1] < rows:
            raise BadArgument(f"states of shape {each.shape} have no room for {rows} rows of {n_symbols} symbols")
    if not (0 <= bars.oldest < slots and bars.n_rows <= slots and 0 <= fold_from <= bars.n_rows):
        raise BadArgument(f"rows {fold_from} to {bars.n_rows} from slot {bars.oldest} on are not in {slots} slots")
    if len({each.shape for each in states}) > 1:
        raise BadArgument("the states that go in and come out have different shapes")


def evaluate(
    program: Program,
    instances: Sequence[Instance],
    bars: Bars,
    fold_from: int,
    state_in: F64,
    state_out: F64,
    out_rows: int,
) -> dict[Instance, F64]:
    """Fold instances over a ring and return their outputs.

    Parameters
    ----------
    fold_from
        ``state_in`` holds the states just before this row.
    state_in, state_out : float64 (n_tiles, n_state, TILE)
        ``state_out`` receives the states just before the newest row; untouched when all rows are asked for.
    out_rows
        0, 1 (the newest bar) or ``bars.n_rows``.

    Returns
    -------
    dict
        Instance -> float64 (outputs, out_rows, n_symbols).

    Raises
    ------
    BadArgument
        When the states have no room for these instances: compiled code would write beyond them.
    """
    n_symbols = bars.ring.shape[2]
    table = program.table(tuple(instances))
    _check_room(table, bars, fold_from, state_in, state_out)
    out = np.empty((table.n_out, out_rows, n_symbols))
    n_fold = bars.n_rows - fold_from
    needs = {
        each: max(n_fold if each in table.folded else 1, past if out_rows else 1)
        for each, past in table.lookback.items()
    }
    rows = bars.n_rows if out_rows > 1 else min(max(needs.values()), bars.n_rows)
    needs[CLOSE] = rows  # it tells which bars traded
    fields = np.array([(each, 0 if out_rows > 1 else max(rows - need, 0)) for each, need in needs.items()], np.int64)
    head = (bars.ring, bars.sessions, bars.oldest, bars.n_rows, fold_from)

    def work(low: int, high: int) -> None:
        fold(*head, (low, high), fields, rows, table.kernels, table.params, state_in, state_out, out)

    if instances and bars.n_rows:
        share(work, -(-n_symbols // TILE), len(instances) * rows * TILE)
    else:
        out[:] = np.nan
    places = table.kernels[:, 3:].tolist()
    return {instance: out[at : at + n] for instance, (at, n) in zip(instances, places, strict=True)}
