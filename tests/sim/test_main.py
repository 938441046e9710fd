"""The simulator as a process: what it prints, how it ends, and the vendor's own SDK against it."""

from __future__ import annotations

import datetime as dt
import http.client
import json
import signal
import socket
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.sim.worlds import at

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the SDK imports the old half of websockets
    from alpaca.common.exceptions import APIError
    from alpaca.data.enums import DataFeed
    from alpaca.data.historical import StockHistoricalDataClient
    from alpaca.data.historical.corporate_actions import CorporateActionsClient
    from alpaca.data.requests import (
        CorporateActionsRequest,
        StockBarsRequest,
        StockLatestBarRequest,
        StockLatestQuoteRequest,
        StockLatestTradeRequest,
        StockSnapshotRequest,
    )
    from alpaca.data.timeframe import TimeFrame
    from alpaca.trading.client import TradingClient
    from alpaca.trading.requests import GetAssetsRequest, GetCalendarRequest

pytestmark = pytest.mark.process

SYMBOLS = ["AAPL", "IBM", "MSFT", "PG", "XOM"]


class Process:
    """A simulator in its own process, and a plain connection to it."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, "-m", "tapeline.sim", "--symbols", "40", *arguments]
        self.child = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.child.stdout is not None
        line = self.child.stdout.readline()
        assert line, self.child.communicate()[1]
        self.ready: dict[str, Any] = json.loads(line)
        self.url = str(self.ready["url"])

    def move(self, moment: str) -> int:
        """Move the clock; return the time granted."""
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=30)
        try:
            connection.request("POST", "/sim/clock", json.dumps({"until_ns": at(moment)}))
            return int(json.loads(connection.getresponse().read())["now_ns"])
        finally:
            connection.close()

    def end(self, number: int = signal.SIGTERM) -> tuple[int, str, str]:
        """Send a signal; return the exit code and what was written."""
        self.child.send_signal(number)
        out, err = self.child.communicate(timeout=5)
        return self.child.returncode, out, err


@pytest.fixture(scope="module")
def sim() -> Iterator[Process]:
    process = Process("--data-limit", "1000")
    process.move("14:46:02")
    yield process
    assert process.end()[0] == 0


@pytest.fixture(scope="module")
def data(sim: Process) -> Iterator[Any]:
    client = StockHistoricalDataClient("key", "secret", url_override=sim.url)
    yield client
    client._session.close()


@pytest.fixture(scope="module")
def trading(sim: Process) -> Iterator[Any]:
    client = TradingClient("key", "secret", paper=True, url_override=sim.url)
    yield client
    client._session.close()


def utc(hour: int, minute: int, day: int = 6) -> dt.datetime:
    return dt.datetime(2010, 5, day, hour, minute, tzinfo=dt.UTC)


def test_the_vendors_sdk_reads_minutes_of_many_symbols_over_several_pages(data: Any) -> None:
    request = StockBarsRequest(
        symbol_or_symbols=SYMBOLS, timeframe=TimeFrame.Minute, start=utc(13, 30), end=utc(18, 45), feed=DataFeed.IEX
    )
    bars = data.get_stock_bars(request).data
    assert sorted(bars) == SYMBOLS
    assert all(len(series) > 250 for series in bars.values())
    last = bars["AAPL"][-1]
    assert last.timestamp == utc(18, 45)
    assert last.low <= last.open <= last.high
    assert last.low <= last.vwap <= last.high


def test_the_vendors_sdk_reads_real_days(data: Any) -> None:
    request = StockBarsRequest(
        symbol_or_symbols="AAPL", timeframe=TimeFrame.Day, start=utc(0, 0, 3), end=utc(12, 0, 5), feed=DataFeed.IEX
    )
    days = data.get_stock_bars(request).data["AAPL"]
    assert [bar.timestamp.date().isoformat() for bar in days] == ["2010-05-03", "2010-05-04", "2010-05-05"]
    assert all(200 < bar.close < 300 for bar in days)


def test_the_vendors_sdk_reads_newest_bars_trades_quotes_and_snapshots(data: Any) -> None:
    bars = data.get_stock_latest_bar(StockLatestBarRequest(symbol_or_symbols=SYMBOLS))
    trades = data.get_stock_latest_trade(StockLatestTradeRequest(symbol_or_symbols=SYMBOLS))
    quotes = data.get_stock_latest_quote(StockLatestQuoteRequest(symbol_or_symbols=SYMBOLS))
    snapshots = data.get_stock_snapshot(StockSnapshotRequest(symbol_or_symbols=SYMBOLS))
    assert sorted(bars) == sorted(trades) == sorted(quotes) == sorted(snapshots) == SYMBOLS
    for symbol in SYMBOLS:
        assert trades[symbol].price == bars[symbol].close == snapshots[symbol].minute_bar.close
        assert quotes[symbol].bid_price < trades[symbol].price < quotes[symbol].ask_price
        assert snapshots[symbol].daily_bar.low <= trades[symbol].price <= snapshots[symbol].daily_bar.high
        assert snapshots[symbol].previous_daily_bar.timestamp.date() == dt.date(2010, 5, 5)


def test_the_vendors_sdk_raises_the_vendors_error_for_recent_consolidated_prices(
    data: Any,
) -> None:
    request = StockBarsRequest(
        symbol_or_symbols="AAPL", timeframe=TimeFrame.Minute, start=utc(18, 40), end=utc(18, 45), feed=DataFeed.SIP
    )
    with pytest.raises(APIError, match="subscription does not permit"):
        data.get_stock_bars(request)


def test_the_vendors_sdk_reads_assets_clock_and_calendar(trading: Any) -> None:
    assets = trading.get_all_assets(GetAssetsRequest())
    assert len(assets) == 40
    assert trading.get_asset("AAPL").tradable is True
    clock = trading.get_clock()
    assert clock.is_open is True
    assert clock.next_close.isoformat() == "2010-05-06T16:00:00-04:00"
    days = trading.get_calendar(GetCalendarRequest(start=dt.date(2010, 5, 6), end=dt.date(2010, 5, 10)))
    assert [day.date.isoformat() for day in days] == ["2010-05-06", "2010-05-07", "2010-05-10"]
    assert days[0].close == dt.datetime(2010, 5, 6, 16, 0)


def test_the_vendors_sdk_reads_corporate_actions(sim: Process) -> None:
    client = CorporateActionsClient("key", "secret", url_override=sim.url)
    with client._session:
        request = CorporateActionsRequest(start=dt.date(2010, 1, 1), end=dt.date(2010, 12, 31))
        actions: Any = client.get_corporate_actions(request)
    assert actions.data == {}


def test_it_says_in_one_line_where_it_listens_and_ends_cleanly_on_a_signal() -> None:
    process = Process()
    assert process.ready["now_ns"] == at("09:00")
    assert process.ready["pid"] == process.child.pid
    assert process.url.startswith("http://127.0.0.1:")
    assert process.end() == (0, "", "")


def test_a_signal_ends_it_also_while_a_request_waits_for_another_participant() -> None:
    process = Process()
    host = process.url.removeprefix("http://")
    connection = http.client.HTTPConnection(host, timeout=30)
    connection.request("POST", "/sim/participants", json.dumps({"name": "worker"}))
    connection.getresponse().read()
    connection.request("POST", "/sim/clock", json.dumps({"until_ns": at("10:00")}))
    assert process.end(signal.SIGINT)[0] == 0
    connection.close()


def refusal(*arguments: str) -> str:
    """Return the one sentence with which the process ends with exit code 2."""
    command = [sys.executable, "-m", "tapeline.sim", "--symbols", "5", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


def test_a_taken_port_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"port {port} on 127.0.0.1 is taken" in refusal("--port", str(port))


def test_a_wrong_fault_plan_is_one_sentence(tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("speed = 3")
    assert "unknown field `speed`" in refusal("--faults", str(plan))


@pytest.mark.parametrize(
    "arguments", [("--day", "2010-05-08"), ("--universe", "none.parquet"), ("--data-limit", "0"), ("--port", "70000")]
)
def test_a_day_a_universe_or_a_number_that_cannot_be_is_one_sentence(arguments: tuple[str, str]) -> None:
    assert refusal(*arguments).startswith("tapeline.sim: ")
