"""Single ticks: every spelling is read, everything else has its reason."""

from __future__ import annotations

import numpy as np
import pytest
from tests.streams.toys import START_NS

from tapeline.core.errors import BadMessage
from tapeline.core.types import Label
from tapeline.streams.ticks import MAX_ENTRY_BYTES, TickRows, parse_tick

TICK = {b"symbol": b"AAPL", b"last_price": b"12.5", b"volume": b"100", b"exchange_timestamp": b"1273152600"}


@pytest.mark.parametrize(
    "change",
    [
        {},
        {b"exchange_timestamp": b"1273152600000"},
        {b"exchange_timestamp": b"1273152600000000"},
        {b"exchange_timestamp": b"1273152600000000000"},
        {b"exchange_timestamp": b"1273152600.0"},
        {b"exchange_timestamp": b"2010-05-06T13:30:00+00:00"},
        {b"exchange_timestamp": b"2010-05-06T19:00:00+05:30"},
        {b"last_price": b"np.float64(12.5)"},
        {b"last_price": b"", b"price": b"12.5"},
        {b"symbol": b" ", b"tradingsymbol": b"AAPL"},
        {b"volume": b"7", b"bucket_incremental_volume": b"100"},
    ],
)
def test_a_tick_in_every_spelling_is_the_same_row(change: dict[bytes, bytes]) -> None:
    rows = parse_tick({**TICK, **change})
    assert (rows.symbols, rows.origins, rows.event_ns[0]) == (("AAPL",), (("ticks", Label.REAL),), START_NS)
    np.testing.assert_equal(rows.numbers, [[12.5, 100.0, np.nan, np.nan, np.nan]])


def test_microseconds_of_a_fractional_timestamp_are_kept() -> None:
    rows = parse_tick({**TICK, b"exchange_timestamp": b"1273152600.123456"})
    assert rows.event_ns[0] == START_NS + 123_456_000


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({b"symbol": b"\xff"}, "symbol is not UTF-8"),
        ({b"symbol": b""}, "without symbol or tradingsymbol"),
        ({b"last_price": b"NaN"}, "not a finite number"),
        ({b"last_price": b"twelve"}, "not a number"),
        ({b"volume": b"inf"}, "not a finite number"),
        ({b"exchange_timestamp": b"yesterday"}, "neither an epoch nor ISO"),
        ({b"exchange_timestamp": b"2010-05-06 13:30:00"}, "no time zone"),
        ({b"exchange_timestamp": b"0"}, "outside 1990"),
        ({b"exchange_timestamp": b"9" * 40}, "neither an epoch"),
        ({b"exchange_timestamp": b"nan"}, "neither an epoch"),
        ({b"bid": b"x"}, "bid is 'x', not a number"),
        ({b"symbol": b"A" * 65}, "longer than 64"),
        ({b"symbol": b"A\0B"}, "holds a control character"),
        ({b"symbol": b"A\nB{x}"}, "holds a control character"),
        ({b"symbol": "A\u2028B".encode()}, "holds a control character"),
        ({b"label": b"invented"}, "is none of"),
        ({b"label": b"\xff"}, "is none of"),
        ({b"noise": bytes(MAX_ENTRY_BYTES)}, "too large"),
    ],
)
def test_a_bad_tick_is_refused_with_its_reason(change: dict[bytes, bytes], reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        parse_tick({**TICK, **change})


def rows_of(*ticks: tuple[str, float]) -> TickRows:
    fields = ({**TICK, b"symbol": name.encode(), b"last_price": b"%r" % price} for name, price in ticks)
    return TickRows.concat([parse_tick(each) for each in fields])


def test_rows_that_are_joined_and_taken_keep_their_names_and_order() -> None:
    rows = rows_of(("A", 1.0), ("B", 2.0), ("A", 3.0), ("C", 4.0))
    assert [rows.symbols[i] for i in rows.symbol] == ["A", "B", "A", "C"]
    some = rows.take(np.array([3, 0]))
    assert [some.symbols[i] for i in some.symbol] == ["C", "A"]
    assert some.numbers[:, 0].tolist() == [4.0, 1.0]
