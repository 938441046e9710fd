"""An instruments file: the exchange's own list, which decides before any grammar does.

In: a CSV or Parquet dump with the columns tradingsymbol, name, expiry, strike, lot_size, instrument_type, segment,
exchange (others are ignored), as Kite publishes it every morning.  Out: an ``InstrumentBook`` to look symbols up in.
Refuses a file without these columns, a row that cannot be read, and two rows for one symbol that disagree.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from tapeline.core.errors import DataError
from tapeline.core.instruments.model import (
    AmbiguousSymbol,
    ExpiryBasis,
    Form,
    Instrument,
    InstrumentKind,
    Right,
    exact,
)
from tapeline.core.instruments.tables import INDEX_BY_SPOT_NAME

COLUMNS = ("tradingsymbol", "name", "expiry", "strike", "lot_size", "instrument_type", "segment", "exchange")

_KINDS = {
    "EQ": InstrumentKind.EQUITY,
    "FUT": InstrumentKind.FUTURE,
    "CE": InstrumentKind.OPTION,
    "PE": InstrumentKind.OPTION,
}


class InstrumentBook:
    """The instruments of a file, by ``EXCHANGE:SYMBOL`` and by the symbol alone.

    Parameters
    ----------
    instruments
        What the book holds; two of one symbol have to agree.
    """

    def __init__(self, instruments: list[Instrument]) -> None:
        self._by_symbol: dict[str, Instrument] = {}
        self._by_name: dict[str, list[Instrument]] = {}
        for instrument in instruments:
            known = self._by_symbol.get(instrument.symbol)
            if known is None:
                self._by_symbol[instrument.symbol] = instrument
                self._by_name.setdefault(instrument.symbol.partition(":")[2], []).append(instrument)
            elif (known, known.expiry) != (instrument, instrument.expiry):
                raise DataError(f"the instruments file has two rows for {instrument.symbol}, and they disagree")

    def __len__(self) -> int:
        return len(self._by_symbol)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(self._by_symbol.values())

    @classmethod
    def load(cls, path: Path) -> InstrumentBook:
        """Read a ``.csv`` or ``.parquet`` file. Raises DataError with the row that cannot be read."""
        columns = _load_columns(path)
        return cls([_instrument(path, line, row) for line, row in enumerate(zip(*columns, strict=True), start=1)])

    def find(self, text: str) -> Instrument | None:
        """Return the instrument that the file lists under this text, or None.

        Raises AmbiguousSymbol for a bare symbol that several exchanges list.
        """
        found = self._by_symbol.get(text)
        if found is not None:
            return found
        listed = self._by_name.get(text, [])
        if len(listed) > 1:
            raise AmbiguousSymbol(text, "the instruments file lists " + " and ".join(i.symbol for i in listed))
        return listed[0] if listed else None


def _load_columns(path: Path) -> list[list[Any]]:
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    try:
        if path.suffix == ".parquet":
            table = pa.parquet.read_table(path)
        elif path.suffix == ".csv":
            # As text: a strike of 88.25 has to arrive exact, and a stock may be called NAN.
            texts = pa.csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
            table = pa.csv.read_csv(path, convert_options=texts)
        else:
            raise DataError(f"{path} is neither .csv nor .parquet")
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"the instruments file {path} cannot be read: {error}") from None
    missing = [name for name in COLUMNS if name not in table.column_names]
    if missing:
        raise DataError(f"the instruments file {path} has no column {', '.join(missing)}")
    return [table.column(name).to_pylist() for name in COLUMNS]


def _instrument(path: Path, line: int, row: tuple[Any, ...]) -> Instrument:
    try:
        return _from_row(*row)
    except (ValueError, TypeError, KeyError, InvalidOperation) as error:
        cause = f"unknown instrument_type {error}" if isinstance(error, KeyError) else str(error)
        raise DataError(f"row {line} of the instruments file {path} cannot be read: {cause}") from None


def _from_row(
    symbol: str, name: str | None, expiry: Any, strike: Any, lot_size: Any, code: str, segment: str, exchange: str
) -> Instrument:
    if not symbol or not exchange:
        raise ValueError("it has no tradingsymbol or no exchange")
    kind = InstrumentKind.INDEX if segment == "INDICES" else _KINDS[code]
    is_derivative = kind in (InstrumentKind.OPTION, InstrumentKind.FUTURE)
    if is_derivative and not name:
        raise ValueError(f"{symbol} does not say what it is a contract on")
    return Instrument(
        kind=kind,
        symbol=f"{exchange}:{symbol}",
        underlying=str(name) if is_derivative else INDEX_BY_SPOT_NAME.get(symbol, ("", symbol))[1],
        exchange=exchange,
        expiry=_day(expiry) if is_derivative else None,
        strike=_strike(strike) if kind is InstrumentKind.OPTION else None,
        right=Right(code[0]) if kind is InstrumentKind.OPTION else None,
        lot_size=_count(lot_size),
        multiplier=1 if exchange in ("NSE", "BSE", "NFO", "BFO") and kind is not InstrumentKind.INDEX else None,
        expiry_basis=ExpiryBasis.FILE if is_derivative else ExpiryBasis.NONE,
        form=Form.KITE,
    )


def _day(value: Any) -> dt.date:
    if isinstance(value, dt.datetime):
        return value.date()
    if isinstance(value, dt.date):
        return value
    return dt.date.fromisoformat(str(value)[:10])


def _strike(value: Any) -> Decimal:
    strike = exact(str(value))
    if not strike.is_finite() or strike <= 0:
        raise ValueError(f"{value} is no strike")
    return strike


def _count(value: Any) -> int | None:
    if value is None or value == "":
        return None
    number = float(value)
    if number != int(number) or number < 0:
        raise ValueError(f"{value} is no lot size")
    return int(number) or None
