"""The nouns of HTTP: no secret in any text, odd headers and bodies are refused by name."""

from __future__ import annotations

import pytest
from msgspec import Struct

from tapeline.core.clock import LogicalClock
from tapeline.core.errors import BadMessage, ConfigError
from tapeline.core.types import Label
from tapeline.feed.http import Host, Response, decode
from tapeline.feed.limiter import SlidingWindowLimiter

LIMITER = SlidingWindowLimiter(1, clock=LogicalClock(0))


class _Shape(Struct):
    value: int


def _response(body: bytes = b"", **headers: str) -> Response:
    return Response(200, {name.replace("_", "-"): value for name, value in headers.items()}, body, 0)


def test_a_host_shows_its_keys_nowhere() -> None:
    host = Host("vendor", "https://example.org", LIMITER, {"KEY": "top-secret", "EMPTY": ""})
    assert "top-secret" not in repr(host)
    assert host.redact("sent top-secret twice: top-secret") == "sent *** twice: ***"


@pytest.mark.parametrize("url", ["", "example.org", "ftp://example.org", "https://", "file:///etc/passwd"])
def test_an_address_that_is_not_http_is_refused_by_name(url: str) -> None:
    with pytest.raises(ConfigError, match="the address of vendor"):
        Host("vendor", url, LIMITER)


@pytest.mark.parametrize(("url", "is_local"), [("http://127.0.0.1:8000", True), ("https://example.org", False)])
def test_only_this_machine_is_local(url: str, is_local: bool) -> None:
    assert Host("vendor", url, LIMITER).is_local is is_local


def test_a_label_is_real_unless_the_answer_says_otherwise() -> None:
    assert _response().label is Label.REAL
    assert _response(x_tapeline_label="bridged").label is Label.BRIDGED
    with pytest.raises(BadMessage, match="no label"):
        _ = _response(x_tapeline_label="genuine").label


@pytest.mark.parametrize(
    ("text", "number"), [("3.5", 3.5), ("-1", None), ("nan", None), ("inf", None), ("soon", None), ("1e300", None)]
)
def test_a_header_is_a_number_only_when_it_can_be_one(text: str, number: float | None) -> None:
    assert _response(retry_after=text).number("retry-after") == number
    assert _response().number("retry-after") is None


@pytest.mark.parametrize("body", [b"", b'{"value":', b'{"value":"x"}', b'{"other":1}', b"\xff\xfe", b'{"v":"\xff"}'])
def test_a_body_of_another_shape_is_a_bad_message(body: bytes) -> None:
    with pytest.raises(BadMessage):
        decode(_response(body), _Shape)


def test_json_nested_without_end_is_a_bad_message() -> None:
    with pytest.raises(BadMessage, match="nested"):
        decode(_response(b'{"other":' + b"[" * 100_000), _Shape)
