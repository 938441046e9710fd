"""The whole-market scan: transparent factors and learned models over every symbol at once.

The room can be called: ``tapeline.scan(grid, top=50)`` is ``tapeline.scan.market.scan_market``. The types of its result
stand in ``tapeline.scan.result``.
"""

from __future__ import annotations

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapeline.scan.result import ScanResult


class _Room(ModuleType):
    """A package that is also the function it is named after; a module cannot have both under one name otherwise."""

    def __call__(self, *args: Any, **options: Any) -> ScanResult:
        """Scan a grid: see ``tapeline.scan.market.scan_market``."""
        from tapeline.scan.market import scan_market

        return scan_market(*args, **options)


sys.modules[__name__].__class__ = _Room
