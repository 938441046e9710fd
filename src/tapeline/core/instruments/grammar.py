"""The one grammar: text to ``Instrument`` and back, and the name that decides a symbol's lane.

In: a symbol as any vendor spells it.  Out: an ``Instrument``, or its spelling in another form.
Refuses with a reason (``BadSymbol``, ``AmbiguousSymbol``) what it does not know; nothing is ever guessed, nor is text
repaired: lower case and stray spaces are refused too.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache

from tapeline.core.errors import BadInput
from tapeline.core.instruments import india, pairs, us
from tapeline.core.instruments.book import InstrumentBook
from tapeline.core.instruments.expiry import with_expiry
from tapeline.core.instruments.model import BadSymbol, Form, Instrument, InstrumentKind
from tapeline.core.instruments.tables import INDIA_INDICES

_LONGEST = 40
_INDEX_NAME = re.compile(r"[A-Z0-9]{1,12}")
_LANE_CACHE = 1 << 17
"""Symbols whose underlying is remembered: a few option chains of a whole market, some 20 MB."""


def parse_symbol(text: str, *, today: dt.date | None = None, book: InstrumentBook | None = None) -> Instrument:
    """Return the instrument that a symbol names.

    Parameters
    ----------
    text
        The symbol as a vendor spells it, in capitals.
    today
        Where a one-digit year counts from (ESZ5): the next year with that digit. Without it 2020 to 2029 is meant.
    book
        An instruments file, which decides before the grammar does.

    Raises
    ------
    BadSymbol
        When the text names nothing that is known, with the reason; ``AmbiguousSymbol`` when it names several things.

    Examples
    --------
    >>> parse_symbol("NFO:NIFTY25NOV24000CE").expiry
    datetime.date(2025, 11, 25)
    >>> parse_symbol("BRK-B").symbol
    'BRK.B'
    """
    return with_expiry(_read(text, today, book))


def format_symbol(instrument: Instrument, form: Form | None = None) -> str:
    """Return the symbol in a vendor's spelling, or the canonical one.

    What comes back always reads back as the same instrument. Raises BadInput when the instrument has no such spelling.
    """
    if form is None:
        return instrument.symbol
    text = _format(instrument, form)
    if text is None:
        raise BadInput(f"{instrument.symbol} has no spelling of the form {form}")
    if text != instrument.symbol and _misread(text, instrument):
        raise BadInput(f"{instrument.symbol} cannot be written as {text}: that names something else")
    return text


@lru_cache(maxsize=_LANE_CACHE)
def underlying_of(text: str, book: InstrumentBook | None = None) -> str:
    """Return the underlying of a symbol; text that does not read is its own. Never raises, and needs no calendar."""
    try:
        return _read(text, None, book).underlying
    except BadSymbol:
        return text


def spot_symbol(instrument: Instrument) -> str | None:
    """Return the symbol whose price moves this derivative, or itself; None where no one spot is quoted (MCX, CL)."""
    if not instrument.is_derivative:
        return instrument.symbol
    name = instrument.underlying
    if instrument.exchange == "US":
        index = us.read_index(name)
        return index.symbol if index else name
    if instrument.exchange in ("NFO", "BFO"):
        cash = "NSE" if instrument.exchange == "NFO" else "BSE"
        return ":".join(INDIA_INDICES.get(name, (cash, name)))
    if instrument.exchange == "CDS":
        return f"{name[:3]}/{name[3:]}"
    return None


def _read(text: str, today: dt.date | None, book: InstrumentBook | None) -> Instrument:
    """Return the instrument as far as text and file tell it; a day of expiry that follows from a rule is left out."""
    if not isinstance(text, str):
        raise BadSymbol(text, "a symbol is text")
    if book is not None:
        listed = book.find(text)
        if listed is not None:
            return listed
    if not text or len(text) > _LONGEST or not text.isascii() or not text.isprintable():
        raise BadSymbol(text[:_LONGEST], f"a symbol has 1 to {_LONGEST} printable ASCII characters")
    if text != text.strip():
        raise BadSymbol(text, "it has spaces around it")
    if ":" in text:
        return _read_prefixed(text)
    found = (
        us.read_occ(text)
        or india.read_bare(text)
        or us.read_index(text)
        or us.read_equity(text)
        or pairs.read_pair(text)
        or us.read_future(text, today)
    )
    if found is None:
        raise BadSymbol(text, _why_not(text))
    return found


def _read_prefixed(text: str) -> Instrument:
    prefix, _, rest = text.partition(":")
    if prefix in india.EXCHANGES:
        return india.read_prefixed(text, prefix, rest)
    if prefix == "O":
        option = us.read_occ(rest, Form.MASSIVE)
        if option is None or " " in rest:
            raise BadSymbol(text, f"{rest} is no option as the clearing house writes it, without spaces")
        return option
    if prefix in ("X", "C"):
        return pairs.read_prefixed_pair(text)
    if prefix == "I":
        if not _INDEX_NAME.fullmatch(rest):
            raise BadSymbol(text, f"{rest!r} is no name of an index")
        return us.us_index(rest, Form.MASSIVE)
    raise BadSymbol(text, f"the prefix {prefix} is not known; known are {', '.join(india.EXCHANGES)}, O, X, C and I")


def _why_not(text: str) -> str:
    if text != text.upper():
        return "symbols are in capitals"
    if text.endswith("=F"):
        return "it is a series spliced from several futures, and no contract"
    if text.isalpha():
        return (
            "it is longer than an American ticker and no pair of known currencies; write NSE:NAME for an Indian stock"
        )
    return "it has the shape of no share, option, future, pair or index that we know"


def _format(instrument: Instrument, form: Form) -> str | None:
    kind = instrument.kind
    if instrument.exchange in india.EXCHANGES:
        return india.format_kite(instrument, form)
    if kind is InstrumentKind.EQUITY:
        return us.format_equity(instrument.symbol, form)
    if kind in (InstrumentKind.CRYPTO, InstrumentKind.FX):
        return pairs.format_pair(instrument, form)
    if kind is InstrumentKind.INDEX:
        return us.format_index(instrument, form)
    if kind is InstrumentKind.OPTION:
        return us.format_occ(instrument, form)
    return us.format_future(instrument, form)


def _misread(text: str, instrument: Instrument) -> bool:
    # A year of one digit is read as it was on the first day of the contract's month.
    try:
        found = _read(text, instrument.delivery, None)
    except BadSymbol:
        return True
    return found.symbol != instrument.symbol
