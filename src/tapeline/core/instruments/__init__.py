"""The symbol grammar: one reading of every vendor's spelling, and the calendars of expiry.

In: symbols as text, an instruments file.  Out: ``Instrument``, its spellings, its underlying, the moment it expires.
Refuses what it does not know with ``BadSymbol`` and a reason.
"""

from __future__ import annotations

from tapeline.core.instruments.book import InstrumentBook
from tapeline.core.instruments.close import expiry_close_ns
from tapeline.core.instruments.expiry import Cycle, Expiry, expiries, monthly_expiry, with_expiry
from tapeline.core.instruments.grammar import format_symbol, parse_symbol, spot_symbol, underlying_of
from tapeline.core.instruments.india import kite_symbol
from tapeline.core.instruments.model import (
    AmbiguousSymbol,
    BadSymbol,
    ExpiryBasis,
    Form,
    Instrument,
    InstrumentKind,
    Right,
)
from tapeline.core.instruments.us import future_symbol, occ_symbol

__all__ = [
    "AmbiguousSymbol",
    "BadSymbol",
    "Cycle",
    "Expiry",
    "ExpiryBasis",
    "Form",
    "Instrument",
    "InstrumentBook",
    "InstrumentKind",
    "Right",
    "expiries",
    "expiry_close_ns",
    "format_symbol",
    "future_symbol",
    "kite_symbol",
    "monthly_expiry",
    "occ_symbol",
    "parse_symbol",
    "spot_symbol",
    "underlying_of",
    "with_expiry",
]
