"""A scanner's JSON: its names are put where ours are, and what it does not say keeps our default."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tapeline.core.config.load import load
from tapeline.core.config.streams import StreamsConfig
from tapeline.core.errors import BadInput


def streams_of(tmp_path: Path, text: str) -> StreamsConfig:
    (tmp_path / "scanner.json").write_text(text)
    return load(tmp_path / "scanner.json", {}).config.streams


def test_the_names_of_a_scanner_are_ours(tmp_path: Path) -> None:
    said = {
        "use_optimized_stream_processor": True,
        "optimized_processor_workers": 6,
        "optimized_processor_batch_size": 75,
        "redis_url": "redis://here:6379/1",
    }
    found = streams_of(tmp_path, msgspec.json.encode(said).decode())
    assert (found.workers, found.batch_size, found.redis_url) == (6, 75, "redis://here:6379/1")


def test_null_keeps_the_default_and_our_own_names_go_on_working(tmp_path: Path) -> None:
    found = streams_of(tmp_path, '{"optimized_processor_workers": null, "streams": {"lanes": 8}}')
    assert (found.workers, found.lanes) == (StreamsConfig().workers, 8)


def test_a_value_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        streams_of(tmp_path, '{"optimized_processor_workers": 999}')


def test_a_processor_that_is_switched_off_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="use_optimized_stream_processor is False: there is no other processor"):
        streams_of(tmp_path, '{"use_optimized_stream_processor": false}')
    assert streams_of(tmp_path, '{"use_optimized_stream_processor": null}') == StreamsConfig()
