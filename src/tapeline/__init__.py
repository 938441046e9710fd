"""Tapeline takes a market from tick to trade.

The library's face. Each name is loaded at its first use, so ``import tapeline`` costs nothing.

>>> from tapeline import BarGrid, indicators  # doctest: +SKIP
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tapeline.core.instruments import parse_symbol
    from tapeline.grid import BarGrid, indicator_help, indicator_names, indicators
    from tapeline.kernels.greeks import greeks, implied_vol
    from tapeline.scan.market import scan_market as scan
    from tapeline.signals.consensus import consensus
    from tapeline.streams.pool import start_stream_processor
    from tapeline.streams.writer import TickWriter

__version__ = "0.1.0"

_ROOMS = {
    "BarGrid": "tapeline.grid",
    "indicators": "tapeline.grid",
    "indicator_names": "tapeline.grid",
    "indicator_help": "tapeline.grid",
    "greeks": "tapeline.kernels.greeks",
    "implied_vol": "tapeline.kernels.greeks",
    "parse_symbol": "tapeline.core.instruments",
    "consensus": "tapeline.signals.consensus",
    "scan": "tapeline.scan",
    "TickWriter": "tapeline.streams.writer",
    "start_stream_processor": "tapeline.streams.pool",
}

__all__ = [
    "BarGrid",
    "TickWriter",
    "consensus",
    "greeks",
    "implied_vol",
    "indicator_help",
    "indicator_names",
    "indicators",
    "parse_symbol",
    "scan",
    "start_stream_processor",
]


def __dir__() -> list[str]:
    """Return the names of the face, for tab completion."""
    return sorted([*__all__, *(name for name in globals() if name.startswith("__"))])


def __getattr__(name: str) -> Any:
    """Load a name of the face from its room."""
    if name not in _ROOMS:
        raise AttributeError(f"module 'tapeline' has no attribute {name!r}; it has {', '.join(__all__)}")
    room = importlib.import_module(_ROOMS[name])
    return room if room.__name__ == f"{__name__}.{name}" else getattr(room, name)  # a room may be what it is named for
