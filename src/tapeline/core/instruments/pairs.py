"""Pairs of currencies, coins among them: BTC/USD, BTC-USD, BTCUSD, X:BTCUSD, EUR/USD, EUR_USD, EURUSD=X.

In: text.  Out: an ``Instrument``, or None when the text has another shape.
Refuses currencies that are not in the tables, and joined text that splits in two ways.
"""

from __future__ import annotations

import re

from tapeline.core.instruments.model import AmbiguousSymbol, BadSymbol, Form, Instrument, InstrumentKind
from tapeline.core.instruments.tables import CRYPTO, FIAT

_KNOWN = CRYPTO | FIAT
_SEPARATED = re.compile(r"([A-Z0-9]{2,10})([/_-])([A-Z0-9]{3,6})")
_FORMS = {"/": Form.SLASH, "-": Form.DASH, "_": Form.UNDERSCORE}
_SEPARATORS = {form: separator for separator, form in _FORMS.items()}
_SHORTEST_JOINED = 6
"""Five letters and fewer are shares."""


def read_pair(text: str) -> Instrument | None:
    """Read a pair in any spelling but the prefixed one."""
    match = _SEPARATED.fullmatch(text)
    if match:
        base, separator, quote = match.groups()
        if base in _KNOWN and quote in _KNOWN:
            return _pair(text, base, quote, _FORMS[separator])
        if quote in _KNOWN:
            raise BadSymbol(text, f"{base} is no currency that we know")
        return None
    if text.endswith("=X") and text[:-2].isalnum():
        return _of_kind(text, text[:-2], InstrumentKind.FX, Form.YAHOO)
    if len(text) < _SHORTEST_JOINED:
        return None
    split = _split(text, text)
    return _pair(text, *split, Form.JOINED) if split else None


def read_prefixed_pair(text: str) -> Instrument:
    """Read ``X:BTCUSD`` (coins) or ``C:EURUSD`` (currencies)."""
    kind = InstrumentKind.CRYPTO if text[0] == "X" else InstrumentKind.FX
    return _of_kind(text, text[2:], kind, Form.MASSIVE)


def _of_kind(text: str, joined: str, kind: InstrumentKind, form: Form) -> Instrument:
    split = _split(text, joined)
    if split is None:
        raise BadSymbol(text, f"{joined} is not two currencies that we know")
    pair = _pair(text, *split, form)
    if pair.kind is not kind:
        raise BadSymbol(text, f"{pair.symbol} is {pair.kind}, and this spelling is for {kind}")
    return pair


def _split(text: str, joined: str) -> tuple[str, str] | None:
    found = [
        (joined[:i], joined[i:]) for i in range(2, len(joined) - 1) if joined[:i] in _KNOWN and joined[i:] in _KNOWN
    ]
    if len(found) > 1:
        raise AmbiguousSymbol(text, " or ".join("/".join(pair) for pair in found))
    return found[0] if found else None


def _pair(text: str, base: str, quote: str, form: Form) -> Instrument:
    if base == quote:
        raise BadSymbol(text, f"{base} has no price in itself")
    if base in FIAT and quote in FIAT:
        # Derivatives on it (USDINR on CDS) carry the joined name, and share its lane.
        return Instrument(InstrumentKind.FX, f"{base}/{quote}", f"{base}{quote}", "FX", form=form)
    symbol = f"{base}/{quote}"
    return Instrument(InstrumentKind.CRYPTO, symbol, symbol, "CRYPTO", form=form)


def format_pair(instrument: Instrument, form: Form) -> str | None:
    """Return the pair's spelling in ``form``, or None when it has none."""
    base, _, quote = instrument.symbol.partition("/")
    if form in _SEPARATORS:
        return f"{base}{_SEPARATORS[form]}{quote}"
    is_fx = instrument.kind is InstrumentKind.FX
    if form is Form.JOINED:
        return base + quote
    if form is Form.MASSIVE:
        return f"{'C' if is_fx else 'X'}:{base}{quote}"
    if form is Form.YAHOO:
        return f"{base}{quote}=X" if is_fx else f"{base}-{quote}"
    return None
