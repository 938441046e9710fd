"""The universe: which symbol stands in which column.

In: symbols in the order of the columns.  Out: columns of symbols, for one and for many.
Refuses a symbol twice, and symbols that are no text.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from tapeline.core.errors import BadArgument, BadInput


class Universe:
    """An immutable order of symbols.

    Parameters
    ----------
    symbols
        Each once; the position is the column.
    """

    def __init__(self, symbols: Iterable[str]) -> None:
        if isinstance(symbols, str):
            raise BadArgument(f"the symbols of a grid come as a list of names, not as the text {symbols!r}")
        self.symbols = tuple(symbols)
        if odd := [symbol for symbol in self.symbols if not isinstance(symbol, str)]:
            raise BadArgument(f"a symbol is text, not {odd[0]!r}")
        self._columns = {symbol: column for column, symbol in enumerate(self.symbols)}
        if len(self._columns) != len(self.symbols):
            twice = next(s for s in self.symbols if self.symbols.count(s) > 1)
            raise BadArgument(f"symbol {twice} stands in the universe twice")
        self._own = np.arange(len(self.symbols))
        self._own.flags.writeable = False
        self._last: tuple[tuple[str, ...], NDArray[np.intp]] | None = None

    def __len__(self) -> int:
        return len(self.symbols)

    def __contains__(self, symbol: object) -> bool:
        return symbol in self._columns

    def column(self, symbol: str) -> int:
        """Return the column of a symbol; raise ``BadInput`` when it has none."""
        try:
            return self._columns[symbol]
        except KeyError:
            raise BadInput(f"symbol {symbol} is not in this grid's universe of {len(self)}") from None

    def columns(self, symbols: tuple[str, ...]) -> NDArray[np.intp]:
        """Return the column of each symbol, -1 for those that have none. int (n,), not to be written to."""
        if symbols is self.symbols:
            return self._own
        if self._last is not None and (self._last[0] is symbols or self._last[0] == symbols):
            return self._last[1]  # a poll asks for the same symbols again and again
        get = self._columns.get
        columns = np.fromiter((get(symbol, -1) for symbol in symbols), np.intp, len(symbols))
        columns.flags.writeable = False
        self._last = (symbols, columns)
        return columns


def first_words(columns: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return a mask of each column's first appearance."""
    if (columns[1:] > columns[:-1]).all():  # symbols in the universe's order: the usual poll
        return np.ones(len(columns), np.bool_)
    once = np.zeros(len(columns), np.bool_)
    once[np.unique(columns, return_index=True)[1]] = True
    return once
