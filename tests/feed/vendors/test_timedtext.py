"""Transcripts as XML: words, and nothing else."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tapeline.core.errors import BadMessage
from tapeline.feed.vendors.timedtext import MAX_TRANSCRIPT, parse_timedtext


def _transcript(*lines: str) -> bytes:
    said = "".join(f'<text start="{n}.0" dur="1.0">{line}</text>' for n, line in enumerate(lines))
    return f'<?xml version="1.0" encoding="utf-8" ?><transcript>{said}</transcript>'.encode()


def test_lines_become_one_line_and_case_is_kept() -> None:
    body = _transcript("so AAPL is", "down &amp;amp;\n5%", "don&amp;#39;t <i>panic</i>")
    assert parse_timedtext(body) == "so AAPL is down & 5% don't panic"


def test_words_elsewhere_are_not_read() -> None:
    assert parse_timedtext(b"<transcript>a<other>b</other><text>c</text></transcript>") == "c"


def test_a_long_speech_is_cut() -> None:
    assert len(parse_timedtext(_transcript(*["word " * 1_000] * 40))) <= MAX_TRANSCRIPT


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no XML"),
        (b"<html>consent", "no XML"),
        (b"<timedtext><body/></timedtext>", "no transcript"),
        (b'<!DOCTYPE t [<!ENTITY a "ha">]><transcript><text>&a;</text></transcript>', "declares"),
        (b"<transcript>" + b"<a>" * 20 + b"</a>" * 20 + b"</transcript>", "nested deeper"),
    ],
)
def test_what_is_no_transcript_is_refused(body: bytes, reason: str) -> None:
    with pytest.raises(BadMessage, match=reason):
        parse_timedtext(body)


@given(body=st.binary(max_size=200))
def test_no_bytes_do_more_than_be_refused(body: bytes) -> None:
    for candidate in (body, b"<transcript><text>" + body + b"</text></transcript>"):
        with contextlib.suppress(BadMessage):
            assert "\n" not in parse_timedtext(candidate)
