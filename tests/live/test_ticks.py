"""Ticks through a lane: the same bars however they are cut, late, kept or killed; options and patterns on top."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.live.rows_of import MINUTE_NS, PLAIN, START_NS, NaiveBars, frame_of, last_words, trade

from tapeline.core.config import LiveConfig
from tapeline.core.types import NS_PER_S, Label
from tapeline.kernels.greeks import greeks, greeks_76, years_to
from tapeline.live.state import LaneState
from tapeline.streams import frames
from tapeline.streams.processor import Alert
from tapeline.streams.ticks import TickRows

OPEN_NS = 1_767_623_400 * NS_PER_S
"""2026-01-05 14:30 UTC."""

Print = tuple[str, int, float, float]
"""symbol, event_ns, price, volume"""


def rows_of(prints: list[Print]) -> TickRows:
    names = sorted({each[0] for each in prints})
    numbers = np.full((len(prints), 5), np.nan)
    numbers[:, :2] = np.array([each[2:] for each in prints]).reshape(-1, 2)
    symbol = np.array([names.index(each[0]) for each in prints], np.int64)
    times = np.array([each[1] for each in prints], np.int64)
    return TickRows(tuple(names), (("sip", Label.BRIDGED),), symbol, np.zeros(len(prints), np.int64), times, numbers)


def run(prints: list[Print], cuts: list[int], config: LiveConfig = PLAIN) -> tuple[list[Any], list[Alert], LaneState]:
    """Apply ticks in parts; return (row, closed frame) of all, the alerts, and the state."""
    state = LaneState(config)
    closed: list[Any] = []
    alerts: list[Alert] = []
    for low, high in zip([0, *cuts], [*cuts, len(prints)], strict=True):
        output = state.apply_ticks(rows_of(prints[low:high]))
        for row, step in output.steps:
            closed += [(low + row, frames.encode(bars)) for bars in step.closed]
            alerts += step.alerts
        closed += [(low + int(i), reason) for reason, refused in output.refused for i in refused]
    return closed, alerts, state


@st.composite
def tapes(draw: st.DrawFn) -> list[Print]:
    """Draw ticks over two hours, some far out of order, some without volume."""
    n = draw(st.integers(1, 40))
    moment = 0
    prints: list[Print] = []
    for _ in range(n):
        moment += draw(st.integers(0, 400))
        late = draw(st.sampled_from([0, 0, 0, 5, 70, 4000]))
        at = START_NS + max(moment - late, 0) * NS_PER_S
        prints.append((draw(st.sampled_from("ABCD")), at, draw(st.floats(1.0, 1000.0)), draw(st.integers(0, 99))))
    return prints


@settings(max_examples=60)
@given(tapes(), st.data(), st.sampled_from([0.0, 30.0]))
def test_how_ticks_are_cut_changes_nothing(prints: list[Print], data: st.DataObject, grace_s: float) -> None:
    config = LiveConfig(timeframes_s=(60, 300), indicators=("sma_20",), window_bars=30, grace_s=grace_s)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(prints)), max_size=5)))
    whole, pieces = run(prints, [], config), run(prints, cuts, config)
    assert sorted(pieces[0]) == sorted(whole[0])
    assert pieces[1] == whole[1]
    assert pieces[2].take_hot() == whole[2].take_hot()


@settings(max_examples=60)
@given(tapes())
def test_ticks_make_the_bars_that_adding_row_by_row_makes(prints: list[Print]) -> None:
    closed, _, state = run(prints, [])
    late = {row for row, what in closed if isinstance(what, str)}
    naive = NaiveBars()
    kept = [trade(*each) for row, each in enumerate(prints) if row not in late]
    naive.apply(frame_of(kept, START_NS, 0))
    end = state.apply(frame_of([], START_NS + 10**15))
    bars = [frames.decode(what) for _, what in closed if isinstance(what, bytes)] + list(end.closed)
    words = {key[1:]: word[1] for key, word in last_words(bars).items() if key[0] == 60}
    np.testing.assert_equal(words, {(s, t): values for (s, t), values in naive.bars().items()})


@settings(max_examples=30)
@given(tapes(), st.integers(0, 40))
def test_a_state_restored_between_ticks_goes_on_to_the_bit(prints: list[Print], cut: int) -> None:
    cut = min(cut, len(prints))
    whole, _, straight = run(prints, [])
    first, _, before = run(prints[:cut], [])
    after = LaneState(PLAIN)
    after.restore({name: part for name, part in before.take_snapshot().items() if part})
    output = after.apply_ticks(rows_of(prints[cut:]))
    rest: list[Any] = [(cut + row, frames.encode(bars)) for row, step in output.steps for bars in step.closed]
    rest += [(cut + int(i), reason) for reason, refused in output.refused for i in refused]
    assert sorted(first + rest) == sorted(whole)
    hot = after.take_hot()
    assert hot == {symbol: row for symbol, row in straight.take_hot().items() if symbol in hot}


@pytest.mark.parametrize(
    ("price", "volume", "reason"),
    [(-1.0, 1.0, "a price"), (0.0, 1.0, "a price"), (1e300, 1.0, "a price"), (1.0, -1.0, "a volume"),
     (1.0, 1e300, "a volume"), (np.nan, 1.0, "a price")],
)  # fmt: skip
def test_an_impossible_tick_is_refused_and_its_neighbours_are_applied(price: float, volume: float, reason: str) -> None:
    state = LaneState(PLAIN)
    output = state.apply_ticks(rows_of([("A", START_NS, 5.0, 1.0), ("B", START_NS, price, volume)]))
    ((told, rows),) = output.refused
    assert (told.startswith(reason), rows.tolist()) == (True, [1])
    assert set(state.take_hot()) == {"A"}


def test_an_option_is_valued_with_what_its_underlying_stood_at() -> None:
    state, option = LaneState(PLAIN), "AAPL260619C00270000"
    prints = [("AAPL", OPEN_NS, 270.0, 10.0), (option, OPEN_NS + 1, 15.0, 1.0), ("AAPL", OPEN_NS + 2, 300.0, 1.0)]
    state.apply_ticks(rows_of(prints))
    hot = state.take_hot()[option]
    close_ns = 1_781_812_800 * NS_PER_S  # the 19th is a holiday: 2026-06-18 16:00 in New York
    years = float(years_to(close_ns, OPEN_NS + 1))
    vol = float(hot["implied_vol"])
    values = greeks("C", 270.0, 270.0, years, PLAIN.rate, vol)
    assert hot["option_status"] == "ok"
    assert float(values["price"]) == pytest.approx(15.0, rel=1e-9)
    assert hot["delta"] == pytest.approx(float(values["delta"]), rel=1e-9)


NIFTY, WEEKLY, MONTHLY, FUTURE = "NSE:NIFTY 50", "NIFTY2612024000CE", "NIFTY26JAN24000CE", "NIFTY26JANFUT"
MONTHLY_CLOSE_NS = 1_769_508_000 * NS_PER_S  # 2026-01-27 15:30 in Bombay


def test_an_option_follows_the_future_of_its_expiry_and_else_the_spot() -> None:
    state = LaneState(PLAIN)
    prints = [(NIFTY, OPEN_NS, 24_000.0, 1.0), (FUTURE, OPEN_NS + 1, 24_150.0, 1.0)]
    prints += [
        (MONTHLY, OPEN_NS + 2, 400.0, 1.0),
        (WEEKLY, OPEN_NS + 2, 250.0, 1.0),
        (FUTURE, OPEN_NS + 3, 25_000.0, 1.0),
    ]
    state.apply_ticks(rows_of(prints))
    hot = state.take_hot()
    monthly, weekly = hot[MONTHLY], hot[WEEKLY]
    assert (monthly["option_on"], monthly["option_status"]) == ("future", "ok")
    assert (weekly["option_on"], weekly["option_status"]) == ("spot", "ok")
    years = float(years_to(MONTHLY_CLOSE_NS, OPEN_NS + 2))
    values = greeks_76("C", 24_150.0, 24_000.0, years, PLAIN.rate, float(monthly["implied_vol"]))
    assert float(values["price"]) == pytest.approx(400.0, rel=1e-9)
    assert monthly["delta"] == pytest.approx(float(values["delta"]), rel=1e-9)
    assert monthly["rho"] == pytest.approx(float(values["rho"]), rel=1e-9)


def test_a_future_that_appears_later_is_used_from_the_options_next_trade_on() -> None:
    state = LaneState(PLAIN)
    state.apply_ticks(rows_of([(NIFTY, OPEN_NS, 24_000.0, 1.0), (MONTHLY, OPEN_NS + 1, 400.0, 1.0)]))
    assert state.take_hot()[MONTHLY]["option_on"] == "spot"
    state.apply_ticks(rows_of([(FUTURE, OPEN_NS + 2, 24_150.0, 1.0), (MONTHLY, OPEN_NS + 3, 400.0, 1.0)]))
    assert state.take_hot()[MONTHLY]["option_status"] == "ok"
    after = LaneState(PLAIN)
    after.restore({name: part for name, part in state.take_snapshot().items() if part})
    tick = rows_of([(MONTHLY, OPEN_NS + 4, 410.0, 1.0)])
    for each in (state, after):
        each.apply_ticks(tick)
    assert after.take_hot()[MONTHLY] == state.take_hot()[MONTHLY]


@pytest.mark.parametrize("order", list(itertools.permutations((0, 1, 2))))
def test_whatever_appears_first_an_option_ends_on_its_future(order: tuple[int, ...]) -> None:
    first = [(NIFTY, 24_000.0), (MONTHLY, 400.0), (FUTURE, 24_150.0)]
    prints = [(first[i][0], OPEN_NS + k, first[i][1], 1.0) for k, i in enumerate(order)]
    prints += [
        (NIFTY, OPEN_NS + 5, 24_010.0, 1.0),
        (FUTURE, OPEN_NS + 6, 24_160.0, 1.0),
        (MONTHLY, OPEN_NS + 7, 401.0, 1.0),
    ]
    for cuts in ([], [1], [2], [1, 2, 3], [5]):
        _, _, state = run(prints, cuts)
        hot = state.take_hot()[MONTHLY]
        assert hot["option_on"] == "future"
        years = float(years_to(MONTHLY_CLOSE_NS, OPEN_NS + 7))
        price = greeks_76("C", 24_160.0, 24_000.0, years, PLAIN.rate, float(hot["implied_vol"]))["price"]
        assert float(price) == pytest.approx(401.0, rel=1e-9)


@pytest.mark.parametrize(
    ("prints", "status"),
    [
        ([("AAPL260619C00270000", OPEN_NS, 15.0, 1.0)], "no_underlying"),
        ([("AAPL", OPEN_NS, 300.0, 1.0), ("AAPL260619C00270000", OPEN_NS, 1.0, 1.0)], "below_intrinsic"),
        ([("AAPL", OPEN_NS, 300.0, 1.0), ("AAPL251219C00270000", OPEN_NS, 31.0, 1.0)], "expired"),
    ],
)
def test_an_option_that_cannot_be_valued_says_why(prints: list[Print], status: str) -> None:
    state = LaneState(PLAIN)
    state.apply_ticks(rows_of(prints))
    hot = state.take_hot()[prints[-1][0]]
    assert hot["option_status"] == status
    assert "implied_vol" not in hot


def minutes(closes: list[float], volumes: list[float]) -> list[Print]:
    return [("A", START_NS + k * MINUTE_NS, c, v) for k, (c, v) in enumerate(zip(closes, volumes, strict=True))]


QUIET = [100.0 + 0.01 * (k % 3) for k in range(25)]


@pytest.mark.parametrize(
    ("closes", "volume", "pattern", "side"),
    [
        ([*QUIET, 100.01], 1000.0, "volume_spike", "up"),
        ([*QUIET, 99.5], 1000.0, "volume_spike", "down"),
        ([*QUIET, 103.0], 1000.0, "breakout", "up"),
        ([*QUIET, 103.0], 1000.0, "volume_breakout", "up"),
        ([*QUIET, 97.0], 1000.0, "breakout", "down"),
        ([*QUIET, 103.0], 1000.0, "upside_momentum", "up"),
        ([*QUIET, 97.0], 1000.0, "downside_momentum", "down"),
        ([*QUIET[:20], 99, 98, 96, 94, 92, 90, 93, 97, 100.0], 1000.0, "reversal", "up"),
    ],
)
def test_a_pattern_is_told_once_with_an_id_that_follows_from_its_bar(
    closes: list[float], volume: float, pattern: str, side: str
) -> None:
    volumes = [100.0] * (len(closes) - 1) + [volume]
    prints = [*minutes(closes, volumes), ("Z", START_NS + len(closes) * MINUTE_NS, 1.0, 1.0)]
    _, alerts, _ = run(prints, [3, 9])
    bar_ns = START_NS + (len(closes) - 1) * MINUTE_NS
    found = [alert for alert in alerts if alert.values["pattern"] == pattern and alert.values["bar_ns"] == bar_ns]
    assert [(alert.id, alert.values["side"]) for alert in found] == [(f"A:{pattern}:{bar_ns}", side)]


def fires(closes: list[float], volumes: list[float], pattern: str, n_ticks: int) -> list[Any]:
    """Return the sides of a pattern in the last bar, when that bar has ``n_ticks`` ticks of volume 1 at its close."""
    last_ns = START_NS + (len(closes) - 1) * MINUTE_NS
    burst = [("A", last_ns + k * NS_PER_S // 10, closes[-1], 1.0) for k in range(n_ticks)]
    prints = [*minutes(closes[:-1], volumes), *burst, ("Z", last_ns + MINUTE_NS, 1.0, 1.0)]
    _, alerts, _ = run(prints, [])
    return [
        alert.values["side"]
        for alert in alerts
        if alert.values["pattern"] == pattern and alert.values["bar_ns"] == last_ns
    ]


FALLING, RISING = [97.0, 96.0, 96.1, 96.2, 96.3], [103.0, 104.0, 103.9, 103.8, 103.7]
THIN = [*[100.0] * 16, 40.0, 40.0, 160.0, 160.0]
"""Volumes of the twenty bars before the last, 100 on average; those of the leg lean against its price."""


@pytest.mark.parametrize(
    ("closes", "volumes", "pattern", "n_ticks", "side"),
    [
        # panic makes 1.5 of the usual 100 to 2.7
        ([*QUIET[:20], *FALLING], [100.0] * 4 + THIN, "volume_price_divergence", 270, "up"),
        ([*QUIET[:20], *RISING], [100.0] * 4 + THIN, "volume_price_divergence", 270, "down"),
        # a low volatility makes 1.6 to a hair above 1.28
        ([*QUIET, 100.01], [100.0] * 25, "hidden_accumulation", 129, "up"),
    ],
)
def test_a_pattern_of_volume_fires_at_its_threshold_and_not_one_tick_short(
    closes: list[float], volumes: list[float], pattern: str, n_ticks: int, side: str
) -> None:
    assert fires(closes, volumes, pattern, n_ticks) == [side]
    assert fires(closes, volumes, pattern, n_ticks - 1) == []


def test_accumulation_that_is_not_hidden_any_more_is_none() -> None:
    quiet = [*QUIET, 100.01]
    assert fires(quiet, [100.0] * 25, "hidden_accumulation", 160) == ["up"]
    assert fires(quiet, [100.0] * 25, "hidden_accumulation", 161) == []
    assert fires([*QUIET, 100.2], [100.0] * 25, "hidden_accumulation", 160) == []  # the price has moved


def test_a_leg_whose_volume_goes_with_its_price_diverges_from_nothing() -> None:
    with_it = [*THIN[:16], 160.0, 160.0, 40.0, 40.0]
    assert fires([*QUIET[:20], *FALLING[:4], 95.9], [100.0] * 4 + with_it, "volume_price_divergence", 400) == []


def test_a_quiet_tape_raises_no_alert() -> None:
    closes = [*QUIET, *QUIET]
    _, alerts, _ = run(minutes(closes, [100.0] * len(closes)), [])
    assert alerts == []


def test_the_open_bar_gives_a_provisional_value_that_becomes_the_closed_one() -> None:
    closes = [100.0 + k for k in range(30)]
    prints = minutes(closes, [100.0] * 30)
    _, _, state = run(prints, [])
    open_hot = state.take_hot()["A"]
    state.apply(frame_of([], START_NS + 31 * MINUTE_NS))
    closed_hot = state.take_hot()["A"]
    assert open_hot["sma_20"] == pytest.approx(np.mean(closes[9:29]))
    assert open_hot["sma_20_open"] == closed_hot["sma_20"]
