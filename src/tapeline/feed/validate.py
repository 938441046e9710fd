"""Which symbols the vendor knows, before anyone polls them.

In: the vendor's list of assets, and what a person wants.  Out: the symbols to poll; the others by name with the reason.
Refuses to guess what was meant.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol


class Listed(Protocol):
    """One entry of a vendor's list."""

    @property
    def symbol(self) -> str:
        """Its name."""
        ...

    @property
    def status(self) -> str:
        """``active`` while it is listed."""
        ...


def sort_out_symbols(
    wanted: Iterable[str], assets: Sequence[Listed], *, what: str = "stock"
) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the symbols that can be polled, sorted, and (symbol, reason) of the others.

    A symbol that is listed and may not be bought today is still polled: it has prices.
    """
    status = {asset.symbol: asset.status for asset in assets}
    good: list[str] = []
    refused: list[tuple[str, str]] = []
    for symbol in sorted(set(wanted)):
        if symbol not in status:
            refused.append((symbol, f"the vendor lists no such {what}"))
        elif status[symbol] != "active":
            refused.append((symbol, f"the vendor lists it as {status[symbol]}"))
        else:
            good.append(symbol)
    return tuple(good), tuple(refused)
