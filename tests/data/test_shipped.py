"""The shipped files are the ones that PROVENANCE.md describes, byte for byte and number for number."""

from __future__ import annotations

import datetime as dt
import hashlib
import re

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tapeline import data

FILES = (
    *(data.DAILY, data.UNIVERSE, data.SESSIONS, data.INDEX_DAILY, data.CORPORATE_ACTIONS),
    *(data.TRADES, data.MINUTES, data.OPTION_QUOTES),
)
CRASH = dt.date(2010, 5, 6)


@pytest.fixture(scope="module")
def daily() -> pa.Table:
    return pq.read_table(data.shipped(data.DAILY))


def test_each_file_has_the_bytes_that_provenance_names() -> None:
    text = data.shipped("PROVENANCE.md").read_text()
    named = dict(re.findall(r"^\| `(\w+\.parquet)` \| [\d,]+ \| \d+ \| `(\w{64})` \|$", text.replace(",", ""), re.M))
    shipped = {name: hashlib.sha256(data.shipped(name).read_bytes()).hexdigest() for name in FILES}
    assert named == shipped


def test_all_files_together_stay_below_five_megabytes() -> None:
    assert sum(data.shipped(name).stat().st_size for name in FILES) < 5_000_000


def test_notice_carries_all_licences() -> None:
    notice = data.shipped("NOTICE").read_text()
    for holder in (
        "Copyright (c) 2023 Robert Blom",
        "Copyright (c) 2024, Robert Bach",
        "Copyright (c) 2024 Artur Sepp",
    ):
        assert holder in notice
    assert "Apache License" in notice


def test_counts_of_the_daily_bars_are_as_described(daily: pa.Table) -> None:
    sessions = sorted(daily["session"].unique().to_pylist())
    assert daily.num_rows == 122_574
    assert len(daily["symbol"].unique()) == 524
    assert len(sessions) == 245
    assert sessions.index(CRASH) == 171
    assert pc.sum(pc.equal(daily["session"], pa.scalar(CRASH))).as_py() == 501


def test_every_open_and_close_lies_within_low_and_high(daily: pa.Table) -> None:
    for name in ("open", "close"):
        price = daily[name].to_numpy()
        assert np.all((daily["low"].to_numpy() <= price) & (price <= daily["high"].to_numpy()))


def test_the_78_rows_that_were_not_so_are_labelled_repaired(daily: pa.Table) -> None:
    repaired = daily.filter(pc.equal(daily["label"], "repaired"))
    on_crash = repaired.filter(pc.equal(repaired["session"], pa.scalar(CRASH)))
    assert repaired.num_rows == 78
    assert on_crash["symbol"].to_pylist() == ["BIIB", "SHLD", "SRCL"]


def test_volume_is_in_shares(daily: pa.Table) -> None:
    is_apple = pc.and_(pc.equal(daily["symbol"], "AAPL"), pc.equal(daily["session"], pa.scalar(CRASH)))
    assert daily.filter(is_apple)["volume"].to_pylist() == [45_923_500]


def test_sessions_are_full_days_but_two() -> None:
    table = pq.read_table(data.shipped(data.SESSIONS))
    minutes = pc.divide(pc.subtract(table["close_ns"], table["open_ns"]), 60_000_000_000).to_pylist()
    short = {day: length for day, length in zip(table["session"].to_pylist(), minutes, strict=True) if length != 390}
    assert short == {dt.date(2009, 11, 27): 210, dt.date(2009, 12, 24): 210}


def test_index_has_every_absent_session_and_the_known_range_of_the_flash_crash() -> None:
    table = pq.read_table(data.shipped(data.INDEX_DAILY))
    row = table.filter(pc.equal(table["session"], pa.scalar(CRASH))).to_pylist()[0]
    assert table.num_rows == 8_111
    assert dt.date(2009, 11, 2) in table["session"].to_pylist()
    assert (row["open"], row["high"], row["low"], row["close"]) == (1164.38, 1167.58, 1065.79, 1128.15)


def test_corporate_actions_take_the_steps_out_of_the_bars(daily: pa.Table) -> None:
    for action in pq.read_table(data.shipped(data.CORPORATE_ACTIONS)).to_pylist():
        mine = daily.filter(pc.equal(daily["symbol"], action["symbol"])).to_pylist()
        before = [row["close"] for row in mine if row["session"] < action["ex_date"]][-1]
        after = next(row["open"] for row in mine if row["session"] >= action["ex_date"])
        # ETFC's next bar is four weeks later, as it traded under another name meanwhile.
        tolerance = 0.2 if action["symbol"] == "ETFC" else 0.06
        assert after / before == pytest.approx(action["ratio"], rel=tolerance), action["symbol"]
