"""What a symbol names: ``Instrument``, the words it is made of, and the errors of reading one.

In: the fields that a grammar or an instruments file found.  Out: one frozen value per tradable thing.
Refuses to be half of a contract: an option without strike, right or month cannot be made.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from tapeline.core.errors import BadArgument


class BadSymbol(BadArgument):
    """Text that names no instrument we can be sure of. ``reason`` says why, and what would help."""

    def __init__(self, text: object, reason: str) -> None:
        super().__init__(f"{text!r} is not a symbol we can read: {reason}")
        self.text = text
        self.reason = reason

    def __reduce__(self) -> tuple[type[BadSymbol], tuple[object, str]]:
        return type(self), (self.text, self.reason)


class AmbiguousSymbol(BadSymbol):
    """Text that names more than one instrument; ``reason`` lists them."""


class InstrumentKind(StrEnum):
    """What sort of thing trades."""

    EQUITY = "equity"
    OPTION = "option"
    FUTURE = "future"
    CRYPTO = "crypto"
    FX = "fx"
    INDEX = "index"


class Right(StrEnum):
    """What the holder of an option may do. The letters are those that ``greeks`` takes."""

    CALL = "C"
    PUT = "P"


class ExpiryBasis(StrEnum):
    """How the day of expiry is known; shown wherever the day is."""

    NONE = "none"
    """The instrument does not expire."""
    WRITTEN = "written"
    """The symbol itself names the day."""
    FILE = "file"
    """An instruments file names it."""
    RULE = "rule"
    """The exchange's rule, with the holidays of the exchange's own calendar."""
    STAND_IN = "stand_in"
    """The exchange's rule, with the holidays of BSE's calendar (XBOM), as there is none for NSE."""
    UNCHECKED = "unchecked"
    """The rule's weekday alone: the calendar does not reach that far, so a holiday would be missed."""
    UNKNOWN = "unknown"
    """Only the contract month is known; ``expiry`` is None."""


class Form(StrEnum):
    """How vendors spell a symbol."""

    PLAIN = "plain"
    """The bare name: AAPL, SPX, NIFTY."""
    DOT = "dot"
    """BRK.B"""
    DASH = "dash"
    """BRK-B, BTC-USD"""
    SLASH = "slash"
    """BRK/B, BTC/USD"""
    UNDERSCORE = "underscore"
    """EUR_USD"""
    JOINED = "joined"
    """BRKB, BTCUSD"""
    MASSIVE = "massive"
    """O:AAPL251219C00150000, X:BTCUSD, C:EURUSD, I:SPX, BACpL"""
    YAHOO = "yahoo"
    """^GSPC, EURUSD=X"""
    OCC_COMPACT = "occ_compact"
    """AAPL251219C00150000"""
    OCC_PADDED = "occ_padded"
    """The root padded to six characters, as the clearing house writes it."""
    YEAR_1 = "year_1"
    """ESZ5"""
    YEAR_2 = "year_2"
    """ESZ25"""
    KITE = "kite"
    """NFO:NIFTY25NOV24000CE"""
    KITE_BARE = "kite_bare"
    """NIFTY25NOV24000CE, NIFTY 50"""
    KITE_JOINED = "kite_joined"
    """NFONIFTY25NOV24000CE"""


@dataclass(frozen=True, slots=True)
class Instrument:
    """One tradable thing. Its identity is kind, symbol, underlying, exchange, strike and right: two spellings of it, or
    the file's word and the grammar's, compare equal.

    Attributes
    ----------
    kind
        What sort of thing it is.
    symbol
        The canonical spelling: one per instrument, and ``parse_symbol`` reads it back. BRK.B, AAPL251219C00150000,
        ESZ25, BTC/USD, I:SPX; Indian symbols carry their exchange, as TCS alone is a New York ticker too.
    underlying
        The name that derivatives on it carry: AAPL, SPX for SPXW, NIFTY for ``NSE:NIFTY 50``, ES for ESZ25, USDINR for
        USD/INR. An instrument and its options have the same one, so they share a lane.
    exchange
        ``US`` (consolidated tape, listed options), CME, CBOT, NYMEX, COMEX, CFE, NSE, BSE, NFO, BFO, MCX, CDS,
        ``CRYPTO``, ``FX``, or what an instruments file says.
    root
        The contract's own root where it is not the underlying's name: SPXW, AAPL1, BRKB.
    expiry
        Day of expiry; None where it does not expire, or ``expiry_basis`` is ``UNKNOWN``.
    delivery
        First day of the contract month, for futures and monthly contracts that are named by their month.
    strike
        Exact, never rounded. In the currency of the underlying.
    right
        Call or put.
    lot_size
        Smallest quantity that trades, where known.
    multiplier
        Units of the underlying that one unit of quantity stands for, where known; None for adjusted options, whose
        deliverable no symbol tells.
    expiry_basis
        How ``expiry`` is known.
    form
        The spelling it came in.
    """

    kind: InstrumentKind
    symbol: str
    underlying: str
    exchange: str
    root: str = field(default="", compare=False)
    expiry: dt.date | None = field(default=None, compare=False)
    delivery: dt.date | None = field(default=None, compare=False)
    strike: Decimal | None = None
    right: Right | None = None
    lot_size: int | None = field(default=None, compare=False)
    multiplier: int | None = field(default=None, compare=False)
    expiry_basis: ExpiryBasis = field(default=ExpiryBasis.NONE, compare=False)
    form: Form = field(default=Form.PLAIN, compare=False)

    def __post_init__(self) -> None:
        is_option = self.kind is InstrumentKind.OPTION
        if is_option != (self.strike is not None) or is_option != (self.right is not None):
            raise ValueError(f"{self.symbol}: an option, and nothing else, has a strike and a right")
        if self.is_derivative != (self.expiry is not None or self.delivery is not None):
            raise ValueError(f"{self.symbol}: a derivative, and nothing else, has an expiry or a contract month")

    @property
    def is_derivative(self) -> bool:
        """True for what expires: options and futures."""
        return self.kind in (InstrumentKind.OPTION, InstrumentKind.FUTURE)

    @property
    def is_adjusted(self) -> bool:
        """True for an option whose deliverable a corporate action has changed (root AAPL1)."""
        return self.kind is InstrumentKind.OPTION and self.root[-1:].isdigit() and self.multiplier is None


def exact(text: str) -> Decimal:
    """Return the number without trailing zeros or exponent, so that equal strikes are written alike."""
    number = Decimal(text)
    if not number.is_finite():
        return number
    whole = Decimal(int(number))
    return whole if number == whole else number.normalize()


def to_day(text: str, year: int, month: int, day: int) -> dt.date:
    """Return the date, or raise BadSymbol when the calendar has no such day."""
    try:
        return dt.date(year, month, day)
    except ValueError:
        raise BadSymbol(text, f"there is no day {year:04d}-{month:02d}-{day:02d}") from None
