"""The tables do not contradict each other."""

from __future__ import annotations

import re

from tapeline.core.instruments import InstrumentKind, parse_symbol
from tapeline.core.instruments.tables import (
    CLASS_ROOTS,
    CRYPTO,
    FIAT,
    FUTURES,
    INDIA_INDICES,
    MCX_NAMES,
    NSE_SPECIAL,
    US_INDICES,
    WEEKLY_NAMES,
)


def test_a_currency_is_money_or_a_coin() -> None:
    assert not CRYPTO & FIAT


def test_every_name_reads_as_what_its_table_says() -> None:
    assert {parse_symbol(name).kind for name in US_INDICES | set(INDIA_INDICES)} == {InstrumentKind.INDEX}
    assert {parse_symbol(name).exchange for name in NSE_SPECIAL} == {"NSE"}
    assert all(re.fullmatch(r"[A-Z]+[&-][A-Z]+", name) for name in NSE_SPECIAL)
    assert {parse_symbol(f"{name}25NOVFUT").exchange for name in MCX_NAMES} == {"MCX"}
    assert {parse_symbol(name).symbol for name in CLASS_ROOTS} == set(CLASS_ROOTS.values())


def test_every_weekly_name_has_a_weekly() -> None:
    assert {parse_symbol(f"{name}25N11500CE").underlying for name in WEEKLY_NAMES} == set(WEEKLY_NAMES)


def test_every_product_has_an_exchange() -> None:
    assert {product.exchange for product in FUTURES.values()} == {"CME", "CBOT", "NYMEX", "COMEX", "CFE"}
