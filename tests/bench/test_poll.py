"""``bench poll``: a small market through the whole of it, and the promised keys."""

from __future__ import annotations

import pytest

from tapeline.bench import poll


@pytest.mark.process
def test_a_small_market_is_measured_at_the_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(poll, "TABLE", ((5, 1), (40, 10)))
    monkeypatch.setattr(poll, "LONG_SYMBOLS", 40)
    monkeypatch.setattr(poll, "LONG_CYCLES_QUICK", 3)
    monkeypatch.setattr(poll, "PEER_SYMBOLS", 30)
    told = poll.run(quick=True)
    assert set(told["results"]) == {
        "cycle_s_6000",
        "requests_6000",
        "http_429",
        "missing",
        "peak_requests_60s",
        "rss_growth_mb",
        "cycle_s_12000",
        "requests_12000",
        "cycles",
    }
    assert [(row["symbols"], row["requests"], row["pages"]) for row in told["table"]] == [(5, 5, 5), (40, 4, 4)]
    assert told["table"][0]["cycle_s"] == pytest.approx(5 * 0.2, abs=0.001)
    assert told["table"][1]["cycle_s"] == pytest.approx(0.2, abs=0.001)
    assert (told["results"]["http_429"], told["results"]["missing"]) == (0, 0)
    assert told["peers"]["batches_of_25_with_limit_2"] == {"symbols": 30, "symbols_with_the_newest_bar": 0}
