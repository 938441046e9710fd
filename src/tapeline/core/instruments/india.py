"""Indian symbols as Kite spells them, on NSE, BSE, NFO, BFO, MCX and CDS.

In: text, with or without its exchange.  Out: an ``Instrument`` without looking at a calendar, or None when the text has
another shape. The two digits after the name are the YEAR: BANKNIFTY24JAN45200CE expires in January 2024.
Refuses contracts on the wrong exchange, weeklies of names that have none, and strikes that only another spelling has.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from decimal import Decimal

from tapeline.core.instruments.model import (
    AmbiguousSymbol,
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
    BSE_NAMES,
    FIAT,
    INDEX_BY_SPOT_NAME,
    INDIA_INDICES,
    MCX_NAMES,
    NSE_SPECIAL,
    WEEKLY_NAMES,
)
from tapeline.core.instruments.us import india_index

CASH = ("NSE", "BSE")
DERIVATIVES = ("NFO", "BFO", "MCX", "CDS")
EXCHANGES = (*CASH, *DERIVATIVES)

_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_WEEKLY_MONTHS = "123456789OND"
_LAST_YEAR = 2049
"""A later year is a sign of text cut in the wrong place."""
_STRIKE_LIMIT = 1_000_000
"""No Indian strike has seven digits; NIFTY25NOV2524000CE is another vendor's day-month-year spelling."""

_TERMS = r"(?:([0-9]{1,9}(?:\.[0-9]{1,4})?)(CE|PE)|FUT)"
_MONTHLY = re.compile(rf"([A-Z0-9&-]+)([0-9]{{2}})({'|'.join(_MONTHS)}){_TERMS}")
_WEEKLY_REST = re.compile(rf"([0-9]{{2}})([1-9OND])([0-9]{{2}}){_TERMS}")
_CONTRACT_LIKE = re.compile(r".*[0-9](?:CE|PE)|.*[0-9]{2}[A-Z]{3}FUT")
_NAME = re.compile(r"[A-Z0-9&-]{1,24}")


@dataclass(frozen=True, slots=True)
class _Contract:
    """What the text of a derivative says, before its exchange is known. Weeklies have a day, monthlies a month."""

    name: str
    expiry: dt.date | None
    delivery: dt.date | None
    strike: Decimal | None
    right: Right | None


def kite_symbol(
    name: str,
    *,
    expiry: dt.date | None = None,
    delivery: dt.date | None = None,
    strike: Decimal | None = None,
    right: Right | None = None,
) -> str:
    """Return the trading symbol: named by its month when ``delivery`` is given, else by its day of expiry."""
    if delivery is not None:
        head = f"{name}{delivery:%y}{_MONTHS[delivery.month - 1]}"
    elif expiry is not None:
        head = f"{name}{expiry:%y}{_WEEKLY_MONTHS[expiry.month - 1]}{expiry:%d}"
    else:
        raise ValueError(f"{name}: a contract has a month or a day")
    return f"{head}FUT" if strike is None else f"{head}{strike:f}{right}E"


def read_prefixed(text: str, exchange: str, name: str, form: Form = Form.KITE) -> Instrument:
    """Read ``NSE:NAME`` and the like; ``text`` is the whole of it."""
    if exchange in CASH:
        return _cash(text, exchange, name)
    contract = _contract(text, name)
    if contract is None:
        raise BadSymbol(text, f"{name} is no contract: {exchange} lists NAME25NOVFUT, NAME25NOV100CE and weeklies")
    home = _home(contract.name)
    stranger = exchange == "NFO" and home != "NFO"
    if stranger or (exchange == "CDS") != (home == "CDS") or (exchange != "BFO" and home == "BFO"):
        raise BadSymbol(text, f"contracts on {contract.name} trade on {home}, not on {exchange}")
    return _derivative(contract, exchange, form)


def read_bare(text: str) -> Instrument | None:
    """Read an index, a contract, or a stock with & or - in its name, without its exchange.

    The exchange is where the name is at home: MCX for its commodities, CDS for currencies, BFO for BSE's indices, else
    NFO. ``BFO:`` has to be written for stock contracts on BSE.
    """
    if text in INDIA_INDICES:
        return india_index(text, Form.PLAIN)
    if text in INDEX_BY_SPOT_NAME:
        return india_index(INDEX_BY_SPOT_NAME[text][1], Form.KITE_BARE)
    if text in NSE_SPECIAL:
        return _stock("NSE", text, Form.KITE_BARE)
    if not text.endswith(("CE", "PE", "FUT")):
        return None
    joined = _joined(text)
    if joined is not None:
        return joined
    contract = _contract(text, text)
    if contract is not None:
        return _derivative(contract, _home(contract.name), Form.KITE_BARE)
    if _CONTRACT_LIKE.fullmatch(text):
        raise BadSymbol(
            text, "it ends like a contract, but no name, year and month come before; only indices have weeklies"
        )
    return None


def _joined(text: str) -> Instrument | None:
    """Read NFONIFTY25NOV24000CE. CDSL and MCX are companies, so CDS and MCX need a name that they alone list."""
    exchange, rest = text[:3], text[3:]
    if exchange not in DERIVATIVES:
        return None
    contract = _contract(text, rest)
    if contract is None or (exchange in ("CDS", "MCX") and _home(contract.name) != exchange):
        return None
    return read_prefixed(text, exchange, rest, Form.KITE_JOINED)


def _cash(text: str, exchange: str, name: str) -> Instrument:
    index = INDEX_BY_SPOT_NAME.get(name)
    if index is None and name in INDIA_INDICES:
        index = (INDIA_INDICES[name][0], name)
    if index is not None:
        if index[0] != exchange:
            raise BadSymbol(text, f"the index {name} belongs to {index[0]}, not to {exchange}")
        return india_index(index[1], Form.KITE)
    if exchange == "NSE" and re.fullmatch(r"NIFTY [A-Z0-9 &./-]{1,30}", name):
        return Instrument(InstrumentKind.INDEX, f"NSE:{name}", name, "NSE", form=Form.KITE)
    if _CONTRACT_LIKE.fullmatch(name):
        raise BadSymbol(text, f"contracts trade on NFO, BFO, MCX and CDS, not on {exchange}")
    if not _NAME.fullmatch(name):
        raise BadSymbol(text, f"{name!r} is no name that {exchange} could list")
    return _stock(exchange, name, Form.KITE)


def _stock(exchange: str, name: str, form: Form) -> Instrument:
    return Instrument(InstrumentKind.EQUITY, f"{exchange}:{name}", name, exchange, multiplier=1, form=form)


def _contract(text: str, symbol: str) -> _Contract | None:
    monthly = _MONTHLY.fullmatch(symbol)
    if monthly:
        name, year, month, strike, right = monthly.groups()
        delivery = dt.date(_year(text, year), _MONTHS.index(month) + 1, 1)
        return _Contract(name, None, delivery, *_terms(text, strike, right))
    return _weekly(text, symbol)


def _weekly(text: str, symbol: str) -> _Contract | None:
    """Read year, month letter and day at fixed width behind a known name: NIFTY 25 N 11 24000 CE.

    The digits run into those of the strike, so without a known name the cut could fall anywhere.
    """
    found: list[_Contract] = []
    problem: BadSymbol | None = None
    for name in WEEKLY_NAMES:
        match = _WEEKLY_REST.fullmatch(symbol[len(name) :]) if symbol.startswith(name) else None
        if match is None:
            continue
        year, month, day, strike, right = match.groups()
        try:
            expiry = to_day(text, _year(text, year), _WEEKLY_MONTHS.index(month) + 1, int(day))
            if expiry.weekday() > 4:
                raise BadSymbol(text, f"nothing expires on {expiry:%A}, {expiry}")
            found.append(_Contract(name, expiry, None, *_terms(text, strike, right)))
        except BadSymbol as error:
            problem = error
    if len(found) > 1:
        raise AmbiguousSymbol(text, " or ".join(f"{c.name} expiring {c.expiry}" for c in found))
    if not found and problem is not None:
        raise problem
    return found[0] if found else None


def _year(text: str, digits: str) -> int:
    year = 2000 + int(digits)
    if year > _LAST_YEAR:
        raise BadSymbol(text, f"the two digits {digits} before the month are the year, and {year} is too far away")
    return year


def _terms(text: str, strike: str | None, right: str | None) -> tuple[Decimal | None, Right | None]:
    if strike is None or right is None:
        return None, None
    number = exact(strike)
    if (strike.startswith("0") and not strike.startswith("0.")) or not number:
        raise BadSymbol(text, f"{strike} is no strike")
    if number >= _STRIKE_LIMIT:
        raise BadSymbol(
            text, f"the strike {strike} is too large; the digits before the month are the year, not the day"
        )
    return number, Right(right[0])


def _home(name: str) -> str:
    if name in MCX_NAMES:
        return "MCX"
    if len(name) == 6 and name[:3] in FIAT and name[3:] in FIAT:
        return "CDS"
    return "BFO" if name in BSE_NAMES else "NFO"


def _derivative(contract: _Contract, exchange: str, form: Form) -> Instrument:
    symbol = kite_symbol(
        contract.name,
        expiry=contract.expiry,
        delivery=contract.delivery,
        strike=contract.strike,
        right=contract.right,
    )
    return Instrument(
        kind=InstrumentKind.FUTURE if contract.strike is None else InstrumentKind.OPTION,
        symbol=f"{exchange}:{symbol}",
        underlying=contract.name,
        exchange=exchange,
        expiry=contract.expiry,
        delivery=contract.delivery,
        strike=contract.strike,
        right=contract.right,
        # Quantity is counted in shares on NFO and BFO; elsewhere only an instruments file knows the unit.
        multiplier=1 if exchange in ("NFO", "BFO") else None,
        expiry_basis=ExpiryBasis.UNKNOWN if contract.expiry is None else ExpiryBasis.WRITTEN,
        form=form,
    )


def format_kite(instrument: Instrument, form: Form) -> str | None:
    """Return the spelling of an Indian instrument in ``form``, or None when it has none."""
    exchange, _, name = instrument.symbol.partition(":")
    if form is Form.KITE:
        return instrument.symbol
    if form is Form.KITE_BARE:
        return name
    if form is Form.KITE_JOINED:
        return exchange + name if exchange in DERIVATIVES else None
    if form is Form.PLAIN and instrument.kind is InstrumentKind.INDEX:
        return instrument.underlying
    return None
