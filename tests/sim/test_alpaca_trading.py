"""Alpaca's reference data: assets, clock, calendar."""

from __future__ import annotations

import numpy as np
import pytest
from tests.sim.worlds import SYMBOLS, make_client, make_market, move


def test_assets_are_the_whole_universe_and_keep_their_ids() -> None:
    client, other = make_client(), make_client(seed=8)
    assets = client.get("/v2/assets").json()
    assert [asset["symbol"] for asset in assets] == list(SYMBOLS)
    assert [asset["id"] for asset in assets] == [asset["id"] for asset in other.get("/v2/assets").json()]
    assert assets[1]["name"] == "Apple <Inc>"
    assert assets[2]["name"] == "BRK.B"


def test_a_company_that_has_not_traded_yet_is_listed_and_not_tradable() -> None:
    market = make_market()
    for panel in market.daily.values():
        panel[:-1, 3] = np.nan
    for day, minutes in market.made.items():
        minutes[:, : 60 if day == market.sessions[-1] else None, 3] = np.nan
    client = make_client(market, moment="10:30")
    assert client.get("/v2/assets/IBM").json()["tradable"] is False
    move(client, "10:45")
    assert client.get("/v2/assets/IBM").json()["tradable"] is True


def test_a_company_that_traded_neither_today_nor_yesterday_is_not_tradable() -> None:
    market = make_market()
    market.made[market.sessions[-2]][:, :, 5] = np.nan
    client = make_client(market, moment="10:30")
    assert client.get("/v2/assets/ZZZ").json()["tradable"] is False
    assert client.get("/v2/assets?status=inactive").json() == []
    assert client.get("/v2/assets?asset_class=us_option").json() == []


def test_an_asset_is_found_by_symbol_and_by_id() -> None:
    client = make_client()
    asset = client.get("/v2/assets/IBM").json()
    assert client.get(f"/v2/assets/{asset['id']}").json() == asset
    missing = client.get("/v2/assets/NONE")
    assert (missing.status_code, missing.json()["message"]) == (404, "asset not found for NONE")


@pytest.mark.parametrize(
    ("moment", "is_open", "next_open", "next_close"),
    [
        ("09:00", False, "2010-05-06T09:30:00-04:00", "2010-05-06T16:00:00-04:00"),
        ("09:30", True, "2010-05-07T09:30:00-04:00", "2010-05-06T16:00:00-04:00"),
        ("16:00", False, "2010-05-07T09:30:00-04:00", "2010-05-07T16:00:00-04:00"),
    ],
)
def test_the_market_clock_is_open_from_bell_to_bell(
    moment: str, is_open: bool, next_open: str, next_close: str
) -> None:
    clock = make_client(moment=moment).get("/v2/clock").json()
    assert clock == {
        "timestamp": f"2010-05-06T{moment}:00-04:00",
        "is_open": is_open,
        "next_open": next_open,
        "next_close": next_close,
    }


def test_the_calendar_knows_holidays_and_half_days() -> None:
    days = make_client().get("/v2/calendar?start=2009-11-25&end=2009-11-30").json()
    assert [(day["date"], day["open"], day["close"]) for day in days] == [
        ("2009-11-25", "09:30", "16:00"),
        ("2009-11-27", "09:30", "13:00"),
        ("2009-11-30", "09:30", "16:00"),
    ]


def test_a_calendar_from_the_end_to_the_start_is_empty_and_a_wrong_date_is_refused() -> None:
    client = make_client()
    assert client.get("/v2/calendar?start=2010-05-06&end=2010-05-01").json() == []
    assert client.get("/v2/calendar?start=tomorrow").status_code == 422


def test_a_calendar_beyond_what_is_known_is_refused_not_a_crash() -> None:
    assert make_client().get("/v2/calendar?start=1700-01-01&end=2010-05-01").status_code == 422
