"""What recursive kernels remember of the bars a grid has dropped: one anchor per kernel and symbol.

In: the grid's ring, as it drops, appends and revises rows.  Out: values of indicators, equal to the endless stream's.
Refuses to guess: a kernel that was first asked for after bars had been dropped has no past; its values are NaN until
the missing past weighs less than 1e-9, or, for what begins anew with each session, until the next one. A split
changes the unit of what is remembered, not what is known: memory is scaled as the bars are.

Two sets of states: the anchors stand just before the oldest row, the heads just before the newest one, which may
still be revised. Asking again after one more bar folds two rows, not all of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from tapeline.core.types import F64
from tapeline.kernels.catalogue import PRICE, SHARES, Instance, check_names, find
from tapeline.kernels.engine import CLOSE, TILE
from tapeline.kernels.plan import Bars, Program, evaluate, no_states, states_by_symbol, states_by_tile

NO_HEAD = -1


class Anchors:
    """States of the kernels that a grid has been asked for.

    Parameters
    ----------
    n_symbols
        Columns of the grid.
    """

    def __init__(self, n_symbols: int) -> None:
        self.program = Program()
        self.names: list[str] = []
        self.n_symbols = n_symbols
        self._anchor: F64 = no_states(n_symbols)
        self.cold: NDArray[np.bool_] = np.zeros((0, n_symbols), np.bool_)
        self._head: F64 = no_states(n_symbols)
        self._head_row: dict[Instance, int] = {}

    @property
    def anchor(self) -> F64:
        """States just before the oldest row, float64 (n_state, n_symbols). A copy; set it as a whole."""
        return states_by_symbol(self._anchor, self.n_symbols)

    @anchor.setter
    def anchor(self, states: F64) -> None:
        self._anchor = states_by_tile(states.reshape(self.cold.shape))
        self._head_row.clear()

    def track(self, names: Sequence[str], *, has_past: bool) -> None:
        """Keep anchors for these indicators from now on; ``has_past`` says that bars were dropped before."""
        check_names(names)
        new_names = [name for name in dict.fromkeys(names) if name not in self.names]
        if not new_names:
            return
        new = self.program.add(new_names)
        self.names += new_names
        if new:
            rows = (0, self.program.n_state - len(self.cold))
            self._anchor = np.pad(self._anchor, ((0, 0), rows, (0, 0)))
            self._head = np.pad(self._head, ((0, 0), rows, (0, 0)))
            self.cold = np.pad(self.cold, (rows, (0, 0)), constant_values=has_past)

    def take(self, columns: NDArray[np.intp]) -> Anchors:
        """Return the anchors of other columns, each with the past of the one of ours that it names; -1 has none."""
        anchors = Anchors(len(columns))
        anchors.track(self.names, has_past=False)  # a new symbol has no past that could be missing
        new = np.flatnonzero(columns >= 0)
        old = columns[new]
        anchors._anchor[new // TILE, :, new % TILE] = self._anchor[old // TILE, :, old % TILE]
        anchors.cold[:, new] = self.cold[:, old]
        return anchors

    def changed(self, row: int) -> None:
        """Forget the heads that have folded ``row``, counted over the life of the grid."""
        self._head_row = {instance: head for instance, head in self._head_row.items() if head <= row}

    def forget_heads(self) -> None:
        """Forget every head: the next values are folded anew from the anchors."""
        self._head_row.clear()

    def forget_symbol(self, column: int, *, has_past: bool) -> None:
        """Start a symbol's kernels anew: its past no longer fits its bars."""
        self._anchor[column // TILE, :, column % TILE] = 0.0
        self.cold[:, column] = has_past
        self._head_row.clear()

    def scale_symbol(self, column: int, ratio: float) -> None:
        """Bring a symbol's memory to new shares: prices times ``ratio``, shares divided by it."""
        for instance, (at, _) in self.program.places.items():
            for row, unit in enumerate(instance.kernel.memory(instance.params), at):
                scale = ratio if unit == PRICE else 1.0 / ratio if unit == SHARES else 1.0
                self._anchor[column // TILE, row, column % TILE] *= scale
        self._head_row.clear()

    def drop(self, bars: Bars, n_drop: int) -> None:
        """Move the anchors over the ``n_drop`` oldest rows of ``bars``; the row after them must exist."""
        remembering = [instance for instance in self.program.places if self._remembers(instance)]
        seen = replace(bars, n_rows=n_drop + 1)
        evaluate(self.program, remembering, seen, 0, self._anchor, self._anchor, 0)

    def values(self, names: Sequence[str], bars: Bars, first_row: int, *, all_rows: bool) -> dict[str, F64]:
        """Return the indicators of the newest row or of all rows.

        ``first_row`` is the number of the oldest row, counted over the life of the grid.
        """
        wanted = {name: find(name) for name in names}
        instances = list(dict.fromkeys(instance for instance, _ in wanted.values()))
        if all_rows:
            found = evaluate(self.program, instances, bars, 0, self._anchor, self._head, bars.n_rows)
        else:
            found = {}
            begin = {i: max(self._head_row.get(i, NO_HEAD) - first_row, 0) for i in instances if self._remembers(i)}
            anywhere = max(begin.values(), default=bars.n_rows - 1)  # a kernel that only looks back folds nothing
            order = sorted(instances, key=lambda i: begin.get(i, anywhere))
            for fold_from, group in groupby(order, key=lambda i: begin.get(i, anywhere)):
                found.update(self._newest(list(group), bars, first_row, fold_from))
        if self.cold.any():
            for instance, out in found.items():
                self._mask_unsettled(instance, bars, out)
        return {name: found[i][k] if all_rows else found[i][k, 0] for name, (i, k) in wanted.items()}

    def _row(self, states: F64, at: int) -> F64:
        """Return one row of states, float64 (n_symbols,). A copy."""
        return states[:, at].reshape(-1)[: self.n_symbols]

    def _remembers(self, instance: Instance) -> bool:
        """Return whether a kernel has a state."""
        return self.program.places[instance][1] > 0

    def _newest(self, group: list[Instance], bars: Bars, first_row: int, fold_from: int) -> dict[Instance, F64]:
        newest = bars.n_rows - 1
        has_head = all(self._head_row.get(i, NO_HEAD) >= first_row for i in group if self._remembers(i))
        start = self._head if has_head else self._anchor
        found = evaluate(self.program, group, bars, min(fold_from, newest), start, self._head, 1)
        self._head_row |= {instance: first_row + newest for instance in group if self._remembers(instance)}
        return found

    def _mask_unsettled(self, instance: Instance, bars: Bars, out: F64) -> None:
        """Write NaN over values whose missing past still weighs."""
        at, depth = self.program.places[instance]
        if not depth or not self.cold[at].any():
            return
        slots = (bars.oldest + np.arange(bars.n_rows)) % bars.ring.shape[1]
        traded = ~np.isnan(bars.ring[CLOSE, slots])
        count = self._row(self._anchor, at)
        if instance.kernel.by_session:  # the session in which the past went missing
            begun = bars.sessions[slots][traded.argmax(axis=0)]
            cut = np.where(count > 0.0, self._row(self._anchor, at + 1), begun)
            unsettled = (count < 2.0) & (bars.sessions[slots][:, None] == cut)
        else:
            unsettled = count + np.cumsum(traded, axis=0) <= instance.kernel.settle(instance.params)
        young = self.cold[at] & unsettled
        out[:, young[-out.shape[1] :]] = np.nan
