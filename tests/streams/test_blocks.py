"""Blocks: a reply in columns says what its entries say one by one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.streams.toys import frame_of

from tapeline.core.errors import BadMessage
from tapeline.core.types import BarFrame, Label
from tapeline.kernels.ticks import group_spans, scan_reply
from tapeline.streams import frames
from tapeline.streams.blocks import Block, reply_of
from tapeline.streams.ticks import MAX_ENTRY_BYTES, TickRows, parse_tick

NOW_MS = 1_790_000_000_000
TICK = {b"symbol": b"A", b"last_price": b"12.5", b"volume": b"7", b"exchange_timestamp": b"1789999999000"}

Fields = dict[bytes, bytes]


def block_of(entries: list[Fields]) -> Block:
    return Block(reply_of(b"key", ((f"{NOW_MS}-{i}", fields) for i, fields in enumerate(entries))))


numbers = st.one_of(
    st.floats(allow_nan=True).map(lambda value: repr(value).encode()),
    st.decimals(places=4, allow_nan=False, allow_infinity=False).map(lambda value: f"{value:f}".encode()),
    st.sampled_from([b"np.float64(1.5)", b" 2 ", b"", b"x", b"+3", b"-4.25", b".5", b"1.", b"1e3", b"0" * 40]),
)
moments = st.sampled_from(
    [b"1789999999", b"1789999999123", b"1789999999123456", b"1789999999123456789", b"1789999999.25", b"0", b"-5",
     b"2026-09-01T00:00:00+00:00", b"9" * 19, b"9" * 25, b"", b"x", b"1273152600", b"99999999999"]
)  # fmt: skip
names = st.sampled_from([b"A", b"BRK.B", b" C", b"", b"\xff", b"N" * 64, b"N" * 65])
entries = st.fixed_dictionaries(
    {},
    optional={
        b"symbol": names, b"tradingsymbol": names, b"last_price": numbers, b"price": numbers, b"volume": numbers,
        b"bucket_incremental_volume": numbers, b"exchange_timestamp": moments, b"bid": numbers, b"ask": numbers,
        b"oi": numbers, b"feed": st.sampled_from([b"sip", b"", b"\xff"]), b"label": st.sampled_from([b"real", b"x"]),
        b"other": st.binary(max_size=5),
    },
)  # fmt: skip


@given(st.lists(entries, max_size=6))
@example([TICK | {b"exchange_timestamp": b"1890000000"}])
def test_a_block_says_what_each_entry_says_alone(said: list[Fields]) -> None:
    block = block_of(said)
    assert [block.fields(i) for i in range(len(block))] == said
    runs, bad = block.decode()
    found = {int(i): run.rows.take(np.array([k])) for run in runs for k, i in enumerate(run.entries)}
    for i, fields in enumerate(said):
        try:
            alone = parse_tick(fields)
        except BadMessage:
            assert i in bad
            continue
        if int(alone.event_ns[0]) > NOW_MS * 10**6 + 3600 * 10**9:
            assert "future" in bad[i]
            continue
        rows = found[i]
        assert isinstance(rows, TickRows)
        assert rows.symbols[rows.symbol[0]] == alone.symbols[0]
        assert rows.origins[rows.origin[0]] == alone.origins[0]
        assert rows.event_ns[0] == alone.event_ns[0]
        assert rows.numbers.tobytes() == alone.numbers.tobytes() or np.isnan(rows.numbers).any()
        np.testing.assert_array_equal(rows.numbers, alone.numbers)


POISON: list[tuple[Fields, str]] = [
    ({b"symbol": b"\xff\xfe"}, "UTF-8"),
    ({b"last_price": b"NaN"}, "not a finite number"),
    ({b"last_price": b"twelve"}, "not a number"),
    ({b"last_price": b""}, "without last_price or price"),
    ({b"symbol": b""}, "without symbol"),
    ({b"exchange_timestamp": b"0"}, "outside 1990"),
    ({b"exchange_timestamp": b"31536000"}, "outside 1990"),
    ({b"exchange_timestamp": b"1890000000"}, "future"),
    ({b"exchange_timestamp": b"9" * 30}, "neither an epoch"),
    ({b"frame": b"\xc1"}, "not a frame"),
    ({b"frame": b"\x92\x09\xa5ticks"}, "schema version 9"),
    ({b"noise": bytes(10 << 20)}, "too large"),
    ({b"frame": bytes(10 << 20)}, "larger than"),
]


@pytest.mark.parametrize(("change", "reason"), POISON)
def test_poison_has_its_reason_and_harms_no_neighbour(change: Fields, reason: str) -> None:
    runs, bad = block_of([TICK, {**TICK, **change}, TICK]).decode()
    assert list(bad) == [1]
    assert reason in bad[1]
    assert [run.entries.tolist() for run in runs] == [[0, 2]]


def test_ticks_and_frames_keep_their_order_around_bars() -> None:
    ticks = frames.ticks_to_fields(parse_tick(TICK))
    runs, bad = block_of([TICK, ticks, frames.to_fields(frame_of(0)), ticks, {**TICK, b"price": b"x"}]).decode()
    assert not bad
    assert [(run.first, run.last, isinstance(run.rows, BarFrame)) for run in runs] == [
        (0, 1, False),
        (2, 2, True),
        (3, 4, False),
    ]


def test_a_frame_of_ticks_comes_back_to_the_bit() -> None:
    rows = TickRows.concat(
        [parse_tick(TICK), parse_tick({**TICK, b"symbol": b"B", b"bid": b"1.25", b"label": b"simulated"})]
    )
    back = frames.decode_any(frames.encode_ticks(rows))
    assert isinstance(back, TickRows)
    assert (back.symbols, back.origins) == (rows.symbols, (("ticks", Label.REAL), ("ticks", Label.SIMULATED)))
    for name in ("symbol", "origin", "event_ns", "numbers"):
        assert getattr(back, name).tobytes() == getattr(rows, name).tobytes()


@given(st.lists(entries, max_size=4), st.lists(st.integers(0, 2000), max_size=6))
def test_a_reply_is_whole_when_its_last_byte_is_there(said: list[Fields], cuts: list[int]) -> None:
    raw = reply_of(b"key", ((f"{NOW_MS}-{i}", fields) for i, fields in enumerate(said))) or b"*-1\r\n"
    at, pending = 0, 1
    for cut in sorted({min(cut, len(raw) - 1) for cut in cuts}):
        at, pending = scan_reply(np.frombuffer(raw[:cut], np.uint8), at, pending)
        assert pending > 0
    assert scan_reply(np.frombuffer(raw, np.uint8), at, pending) == (len(raw), 0)
    assert len(raw) < MAX_ENTRY_BYTES


@given(st.lists(st.binary(max_size=12), max_size=60))
def test_spans_with_the_same_bytes_get_the_same_number_in_order_of_appearance(words: list[bytes]) -> None:
    ends = np.cumsum([0, *map(len, words)])
    spans = np.stack([ends[:-1], ends[1:]], axis=1)
    number, first = group_spans(np.frombuffer(b"".join(words), np.uint8), spans)
    unique = list(dict.fromkeys(words))
    assert number.tolist() == [unique.index(word) for word in words]
    assert first.tolist() == [words.index(word) for word in unique]
