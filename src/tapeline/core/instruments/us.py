"""American symbols: shares with their classes, OCC options, indices, futures.

In: text.  Out: an ``Instrument`` without looking at a calendar, or None when the text has another shape.
Refuses with ``BadSymbol`` what has the shape and cannot be: 31 February, a strike of zero, a futures root nobody lists.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal

from tapeline.core.errors import BadInput
from tapeline.core.instruments.model import (
    BadSymbol,
    ExpiryBasis,
    Form,
    Instrument,
    InstrumentKind,
    Right,
    exact,
    to_day,
)
from tapeline.core.instruments.tables import (
    CLASS_ROOT_OF,
    CLASS_ROOTS,
    FUTURES,
    INDEX_ROOTS,
    INDIA_INDICES,
    MINI_ROOTS,
    MONTH_CODES,
    US_INDICES,
    YAHOO_INDIA,
    YAHOO_INDICES,
)

DECADE = 2020
"""Without a date to count from, a year of one digit lies in 2020 to 2029."""

_EQUITY = re.compile(r"([A-Z]{1,5})(?:([./-])([A-Z]|U|UN|WS|WT|RT|RI|WI|P[A-Z]|PR[A-Z]?))?")
_MASSIVE_PREFERRED = re.compile(r"([A-Z]{1,5})p([A-Z]?)")
_OCC = re.compile(r"([A-Z]{1,5}[0-9]?|[A-Z]{6})( *)([0-9]{6})([CP])([0-9]{8})")
_FUTURE = re.compile(r"([A-Z0-9]{1,3})([FGHJKMNQUVXZ])([0-9]{1,2})")
_SEPARATOR = {".": Form.DOT, "-": Form.DASH, "/": Form.SLASH}
_FROM_YAHOO = {"UN": "U", "WT": "WS", "RI": "RT"}
_TO_YAHOO = {suffix: yahoo for yahoo, suffix in _FROM_YAHOO.items()}


def read_equity(text: str) -> Instrument | None:
    """Read a share: AAPL, BRK.B, BRK-B, BRK/B, BRKB, BAC.PRL, BAC-PL, BACpL."""
    if text in CLASS_ROOTS:
        return _equity(CLASS_ROOTS[text], Form.JOINED)
    preferred = _MASSIVE_PREFERRED.fullmatch(text)
    if preferred:
        return _equity(f"{preferred[1]}.PR{preferred[2]}", Form.MASSIVE)
    match = _EQUITY.fullmatch(text)
    if match is None:
        return None
    base, separator, suffix = match.groups()
    if separator is None:
        return _equity(base, Form.PLAIN)
    if len(suffix) == 2 and suffix != "PR" and (suffix[0] == "P" or suffix in _FROM_YAHOO):
        if separator != "-":
            return None  # BAC-PL is Yahoo's; BAC.PL and BAC/PL are nobody's
        suffix = _FROM_YAHOO.get(suffix, f"PR{suffix[1]}")
    return _equity(f"{base}.{suffix}", _SEPARATOR[separator])


def _equity(symbol: str, form: Form) -> Instrument:
    return Instrument(InstrumentKind.EQUITY, symbol, symbol, "US", multiplier=1, form=form)


def format_equity(symbol: str, form: Form) -> str | None:
    """Return the share's spelling in ``form``, or None when it has none."""
    base, _, suffix = symbol.partition(".")
    if form is Form.JOINED:
        return CLASS_ROOT_OF.get(symbol)
    if form in (Form.PLAIN, Form.DOT, Form.SLASH):
        return symbol.replace(".", "/") if form is Form.SLASH else symbol
    if form in (Form.DASH, Form.YAHOO):
        yahoo = f"P{suffix[2]}" if len(suffix) == 3 else _TO_YAHOO.get(suffix, suffix)
        return f"{base}-{yahoo}" if suffix else base
    if form is Form.MASSIVE:
        return f"{base}p{suffix[2:]}" if suffix.startswith("PR") else symbol
    return None


def read_occ(text: str, form: Form | None = None) -> Instrument | None:
    """Read a listed option: padded to 21 characters, or compact. The year is 2000 to 2099."""
    match = _OCC.fullmatch(text)
    if match is None:
        return None
    root, spaces, day, right, thousandths = match.groups()
    if spaces and len(text) != 21:
        raise BadSymbol(text, f"a padded option symbol has its root in 6 characters; this one has {len(root + spaces)}")
    expiry = to_day(text, 2000 + int(day[:2]), int(day[2:4]), int(day[4:]))
    strike = exact(thousandths) / 1000
    if not strike:
        raise BadSymbol(text, "an option has a strike above zero")
    strike = exact(str(strike))
    name = root[:-1] if root[-1].isdigit() else root
    underlying = CLASS_ROOTS.get(name) or INDEX_ROOTS.get(name) or name
    standard = 100 if name == root else (10 if root in MINI_ROOTS else None)
    return Instrument(
        kind=InstrumentKind.OPTION,
        symbol=occ_symbol(root, expiry, Right(right), strike),
        underlying=underlying,
        exchange="US",
        root=root,
        expiry=expiry,
        strike=strike,
        right=Right(right),
        lot_size=1,
        multiplier=standard,
        expiry_basis=ExpiryBasis.WRITTEN,
        form=form or (Form.OCC_PADDED if spaces else Form.OCC_COMPACT),
    )


def occ_symbol(root: str, expiry: dt.date, right: Right, strike: Decimal, *, padded: bool = False) -> str:
    """Return the clearing house's symbol of an option.

    Raises BadInput when the strike is not in thousandths below 100,000: the format has no room for it.
    """
    thousandths = strike * 1000
    if thousandths != int(thousandths) or not 0 < thousandths < 10**8:
        raise BadInput(f"an OCC symbol has no room for the strike {strike}: it holds thousandths below 100000")
    head = root.ljust(6) if padded else root
    return f"{head}{expiry:%y%m%d}{right}{int(thousandths):08d}"


def format_occ(instrument: Instrument, form: Form) -> str | None:
    """Return the listed option's spelling in ``form``, or None when it has none."""
    prefix = {Form.OCC_COMPACT: "", Form.OCC_PADDED: "", Form.MASSIVE: "O:"}.get(form)
    expiry, right, strike = instrument.expiry, instrument.right, instrument.strike
    if prefix is None or expiry is None or right is None or strike is None:
        return None
    return prefix + occ_symbol(instrument.root, expiry, right, strike, padded=form is Form.OCC_PADDED)


def read_index(text: str) -> Instrument | None:
    """Read an index that is known by its bare name, or by Yahoo's: SPX, ^GSPC."""
    if text in US_INDICES:
        return us_index(text, Form.PLAIN)
    if not text.startswith("^"):
        return None
    name = text[1:]
    if name in YAHOO_INDICES:
        return us_index(YAHOO_INDICES[name], Form.YAHOO)
    if name in YAHOO_INDIA:
        return india_index(YAHOO_INDIA[name], Form.YAHOO)
    raise BadSymbol(text, "this index of Yahoo's is not known; write I:NAME for an American index")


def us_index(name: str, form: Form) -> Instrument:
    """Return the American index of that name."""
    return Instrument(InstrumentKind.INDEX, f"I:{name}", name, "US", form=form)


def format_index(instrument: Instrument, form: Form) -> str | None:
    """Return the American index's spelling in ``form``, or None when it has none."""
    name = instrument.underlying
    if form is Form.PLAIN:
        return name if name in US_INDICES else None
    if form is Form.YAHOO:
        return next((f"^{yahoo}" for yahoo, ours in YAHOO_INDICES.items() if ours == name), None)
    return instrument.symbol if form is Form.MASSIVE else None


def india_index(name: str, form: Form) -> Instrument:
    """Return the Indian index whose derivatives carry ``name``."""
    exchange, spot = INDIA_INDICES[name]
    return Instrument(InstrumentKind.INDEX, f"{exchange}:{spot}", name, exchange, form=form)


def read_future(text: str, today: dt.date | None) -> Instrument | None:
    """Read a future: ESZ25, or ESZ5 with the year as ``today`` would have it (without one: 2020 to 2029)."""
    match = _FUTURE.fullmatch(text)
    if match is None:
        return None
    root, code, digits = match.groups()
    if root not in FUTURES:
        raise BadSymbol(text, f"no futures root {root} is known; an instruments file can name it")
    product = FUTURES[root]
    delivery = dt.date(_year(digits, today), MONTH_CODES.index(code) + 1, 1)
    return Instrument(
        kind=InstrumentKind.FUTURE,
        symbol=future_symbol(root, delivery),
        underlying=root,
        exchange=product.exchange,
        root=root,
        delivery=delivery,
        lot_size=1,
        multiplier=product.multiplier,
        expiry_basis=ExpiryBasis.UNKNOWN,
        form=Form.YEAR_1 if len(digits) == 1 else Form.YEAR_2,
    )


def _year(digits: str, today: dt.date | None) -> int:
    if len(digits) == 2:
        return 2000 + int(digits)
    # The exchange uses a digit again once its contract has gone, so it means the next such year.
    first = DECADE if today is None else today.year
    return first + (int(digits) - first) % 10


def future_symbol(root: str, delivery: dt.date, *, year_digits: int = 2) -> str:
    """Return the symbol of a future with a year of one or two digits."""
    return f"{root}{MONTH_CODES[delivery.month - 1]}{delivery.year % 10**year_digits:0{year_digits}d}"


def format_future(instrument: Instrument, form: Form) -> str | None:
    """Return the American future's spelling in ``form``, or None when it has none."""
    digits = {Form.YEAR_1: 1, Form.YEAR_2: 2}.get(form)
    if digits is None or instrument.delivery is None:
        return None
    return future_symbol(instrument.root, instrument.delivery, year_digits=digits)
