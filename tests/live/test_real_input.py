"""Real markets through the whole path: trades of E-mini futures, minutes of SPY, option quotes; each with its twin."""

from __future__ import annotations

import datetime as dt
import json
import tempfile
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import numpy as np
import polars as pl
import pytest
from msgspec.structs import replace
from tests.streams.toys import seeded_run

from tapeline.core.calendar import SessionCalendar
from tapeline.core.clock import LogicalClock
from tapeline.core.config import LiveConfig, StreamsConfig
from tapeline.core.instruments import underlying_of
from tapeline.core.outcome import Outcome
from tapeline.core.types import DAY_S, NS_PER_S, Candidate
from tapeline.data.samples import SAMPLES, load_minutes, load_option_quotes, load_trades
from tapeline.feed.imports import read_bars
from tapeline.feed.vendors.shipped import ShippedChains
from tapeline.grid.timeframes import Timeframes
from tapeline.kernels.greeks import implied_vol
from tapeline.live.state import LaneState
from tapeline.live.tape import read_ticks
from tapeline.scan.chains import chains_from
from tapeline.scan.iv import IvMemory
from tapeline.scan.options import Pick, Rules, pick_options
from tapeline.streams import frames
from tapeline.streams.closed import unpack_closed
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import Ingress, MemoryIngress, ValkeyIngress
from tapeline.streams.lanes import lane_of
from tapeline.streams.memory import MemoryLaneStore
from tapeline.streams.store import BEGINNING, LaneStore
from tapeline.streams.valkey import connect
from tapeline.streams.worker import run_worker

STREAMS = StreamsConfig(lanes=2, batch_size=200, batch_ms=1)
FIELDS = ("open", "high", "low", "close", "volume", "vwap", "trades")
FRAME_ROWS = 500
CME_OPEN_UTC_S = 22 * 3600
"""Globex opens at 17:00 in Chicago, which is 22:00 UTC in summer."""


LIVE = LiveConfig(timeframes_s=(60, 300), indicators=("sma_20",), session_start_utc_s=CME_OPEN_UTC_S)


async def through(store: LaneStore, ingress: Ingress, config: LiveConfig, entries: list[Any]) -> None:
    """Send entries through ingress, router and lanes; return when nothing waits."""
    for cut in range(0, len(entries), 100):
        await ingress.write(entries[cut : cut + 100])
    async with anyio.create_task_group() as group:
        worker = await group.start(
            partial(run_worker, store, lambda _: LaneState(config), STREAMS, "me", ingress=ingress)
        )
        with anyio.fail_after(60):
            while not await is_done(store, ingress):
                await anyio.sleep(0.01)
        worker.stop()


async def is_done(store: LaneStore, ingress: Ingress) -> bool:
    at = await ingress.progress()
    lanes = [await store.progress(lane) for lane in range(STREAMS.lanes)]
    return at.applied_id == at.last_id and all(lane.snapshot_id == lane.last_id for lane in lanes)


async def bars_of(store: LaneStore, timeframe_s: int) -> pl.DataFrame:
    """Return the closed bars of a timeframe, last word each, by start."""
    words: dict[int, dict[str, Any]] = {}
    for lane in range(STREAMS.lanes):
        for entry in await store.read_closed(lane, BEGINNING, count=1_000_000, block_s=0.0):
            for frame in unpack_closed(entry.fields[b"frame"]):
                if frame.timeframe_s == timeframe_s:
                    words |= {bar.event_ns: {name: getattr(bar, name) for name in FIELDS} for bar in frame.bars()}
    return pl.DataFrame([{"start": start, **words[start]} for start in sorted(words)])


def trades_as_entries(n: int | None = None) -> list[dict[bytes, bytes]]:
    parts = list(read_ticks(SAMPLES["ticks"].path))
    entries = []
    for rows in parts:
        for cut in range(0, len(rows), FRAME_ROWS):
            entries.append(frames.ticks_to_fields(rows.take(np.arange(cut, min(cut + FRAME_ROWS, len(rows))))))
    return entries[: None if n is None else n // FRAME_ROWS]


def twin_of_trades(timeframe_s: int, n: int = 500_000) -> pl.DataFrame:
    """Return the bars of the first trades that have ended, by Polars."""
    trades, length_ns = load_trades(), timeframe_s * NS_PER_S
    table = pl.DataFrame({"ns": trades.event_ns[:n], "price": trades.price[:n], "size": trades.size[:n]})
    price, size = pl.col("price"), pl.col("size")
    return (
        table.group_by((pl.col("ns") // length_ns * length_ns).alias("start"), maintain_order=True)
        .agg(
            *(price.first().alias("open"), price.max().alias("high"), price.min().alias("low")),
            *(price.last().alias("close"), size.sum().cast(pl.Float64).alias("volume")),
            ((price * size).sum() / size.sum()).alias("vwap"),
            price.len().cast(pl.Float64).alias("trades"),
        )
        .filter(pl.col("start") + length_ns <= table["ns"][-1])
    )


def test_half_a_million_trades_make_the_bars_and_the_session_vwap_of_a_twin() -> None:
    async def main() -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
        store = MemoryLaneStore()
        ingress = MemoryIngress(store)
        await through(store, ingress, LIVE, trades_as_entries())
        (hot,) = await store.read_hot(lane_of("ESU13", STREAMS.lanes, underlying_of), ["ESU13"])
        assert hot is not None
        return await bars_of(store, 60), await bars_of(store, 300), json.loads(hot)

    minutes, fives, hot = seeded_run(main)
    assert minutes.equals(twin_of_trades(60))
    assert fives.equals(twin_of_trades(300))
    trades = load_trades()
    day_ns, offset_ns = 86_400 * NS_PER_S, CME_OPEN_UTC_S * NS_PER_S
    session = trades.event_ns >= (int(trades.event_ns[-1]) - offset_ns) // day_ns * day_ns + offset_ns
    price, size = trades.price[session], trades.size[session]
    assert hot["session_vwap"] == (price * size).sum() / size.sum()
    assert (hot["volume"], hot["day_high"], hot["day_low"]) == (size.sum(), price.max(), price.min())
    assert (hot["day_open"], hot["last"], hot["label"]) == (price[0], price[-1], "real")


SLICE = 20_000


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.anyio
async def test_a_slice_of_the_trades_through_a_real_server_makes_the_bars_of_a_twin(anyio_backend: str) -> None:
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        async with embedded_valkey(Path(short)) as server, connect(str(server.socket_path)) as store:
            await through(store, ValkeyIngress(store), LIVE, trades_as_entries(SLICE))
            assert (await bars_of(store, 60)).equals(twin_of_trades(60, SLICE))
            assert (await bars_of(store, 300)).equals(twin_of_trades(300, SLICE))


def twin_of_minutes(timeframe_s: int) -> list[list[float]]:
    """Return start, open, high, low, close, volume of the bars of each session, added up by Polars."""
    given = load_minutes()
    names = ("open", "high", "low", "close", "volume")
    table = pl.DataFrame({"start": given.event_ns, **{name: getattr(given, name) for name in names}})
    opened = pl.col("start").min().over(pl.col("start") // (86_400 * NS_PER_S))
    length_ns = timeframe_s * NS_PER_S
    inside = table.with_columns(open_ns=opened).filter(pl.col("start") - pl.col("open_ns") < 390 * 60 * NS_PER_S)
    start = pl.col("open_ns") + (pl.col("start") - pl.col("open_ns")) // length_ns * length_ns
    bars = inside.group_by(start.alias("at"), maintain_order=True).agg(
        *(pl.col("open").first(), pl.col("high").max(), pl.col("low").min(), pl.col("close").last()),
        pl.col("volume").sum().cast(pl.Float64),
    )
    return [list(row) for row in bars.rows()]


@pytest.mark.parametrize("timeframe_s", [300, 900, DAY_S])
def test_minutes_of_spy_make_the_longer_bars_of_a_twin(timeframe_s: int) -> None:
    frame = read_bars(SAMPLES["minutes"].path, 60)
    calendar = SessionCalendar("XNYS", dt.date(2020, 1, 2))
    grids = Timeframes(["SPY"], {60: 1_600, timeframe_s: 400}, calendar)
    grids.apply(frame)
    grid = grids[timeframe_s]
    fields = [grid.field(name)[:, 0].tolist() for name in ("open", "high", "low", "close", "volume")]
    assert [list(row) for row in zip(grid.event_ns.tolist(), *fields, strict=True)] == twin_of_minutes(timeframe_s)


def chain_in_a_lane(rate: float) -> tuple[LaneState, dict[str, Any]]:
    """Return the lane and its hot state after all quotes; no row is refused."""
    state = LaneState(replace(LIVE, rate=rate))
    for rows in read_ticks(SAMPLES["chains"].path):
        assert not state.apply_ticks(rows).refused
    return state, state.take_hot()


def test_a_tick_processor_values_real_options_as_the_market_did() -> None:
    quotes = load_option_quotes()
    first = (quotes.expiry == np.datetime64("2022-08-05")) & (quotes.underlying != "VIX")
    years = quotes.years_365
    _, hot = chain_in_a_lane(float(-np.log(quotes.discount[first][0]) / years[first][0]))
    assert first.sum() == 61 + 46 + 29
    for i in np.flatnonzero(first).tolist():
        row, mid = hot[str(quotes.symbol[i])], (quotes.bid[i] + quotes.ask[i]) / 2
        prepaid = quotes.forward[i] * quotes.discount[i]
        rate = -np.log(quotes.discount[i]) / years[i]
        vol, _ = implied_vol(quotes.right[i], mid, prepaid, quotes.strike[i], years[i], rate)
        assert (row["bid"], row["ask"], row["option_status"]) == (quotes.bid[i], quotes.ask[i], "ok")
        assert row["implied_vol"] == pytest.approx(float(vol), rel=1e-3)  # its clock counts the seconds
        assert quotes.bid_vol[i] <= row["implied_vol"] * np.sqrt(360 / 365) * (1 + 1e-4)
        assert row["implied_vol"] * np.sqrt(360 / 365) <= quotes.ask_vol[i] * (1 + 1e-4)
        assert 0 < row["delta"] * (1 if quotes.right[i] == "C" else -1) < 0.55


def test_quotes_of_which_the_underlying_is_unknown_say_so() -> None:
    _, hot = chain_in_a_lane(0.02)
    quotes = load_option_quotes()
    said = {
        name: {hot[str(symbol)].get("option_status") for symbol in quotes.of(name).symbol} for name in ("SPY", "VIX")
    }
    assert said == {"SPY": {"ok"}, "VIX": {"no_underlying"}}


def test_a_scan_picks_among_real_contracts_once_it_asks_for_no_open_interest() -> None:
    candidate = Candidate("SPY", 1, 1.0, 382.384, 5.0, 0, 0.0, ())
    clock = LogicalClock(int(load_option_quotes().of("SPY").event_ns[0]))

    async def picked(rules: Rules) -> Outcome[Pick]:
        chain = await chains_from(ShippedChains(), clock, IvMemory(), rules)("SPY", 0)
        return pick_options([candidate], {"SPY": chain}, 1, rules)["SPY"]

    refused, pick = anyio.run(picked, Rules()), anyio.run(picked, Rules(min_open_interest=0.0)).unwrap()
    assert "open interest below 200" in refused.reason
    assert pick.contract.symbol.startswith("SPY220819")
    assert 0.35 <= abs(pick.contract.delta) <= 0.65
    assert "real quotes" in pick.reasons
