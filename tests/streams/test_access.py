"""Passwords and TLS: who may come in works as without them, who may not is told why, and no secret is seen."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from anyio.from_thread import start_blocking_portal
from redis import ConnectionPool, Redis
from redis.exceptions import ConnectionError as NotConnected
from redis.exceptions import NoPermissionError
from tests.cli.shell import Shell
from tests.streams.test_pool import until
from tests.streams.tls import CERTIFICATE, PASSWORD, guarded_valkey

from tapeline.core.errors import ConfigError
from tapeline.streams import keys
from tapeline.streams.access import pool_for, refusal
from tapeline.streams.pool import start_stream_processor

CSV = "symbol,price,volume,time\nA,10,5,1767623400\nA,11,5,1767623401\n"


class Doors(NamedTuple):
    """Ports of a guarded server, and its address."""

    tls: int
    plain: int

    def address(self, password: str = PASSWORD, *, scheme: str = "rediss", options: str | None = None) -> str:
        """Return an address; with all options it needs by default."""
        known = f"ssl_ca_certs={CERTIFICATE}" if scheme == "rediss" else ""
        port = self.tls if scheme == "rediss" else self.plain
        return f"{scheme}://:{password}@localhost:{port}/0?{known if options is None else options}"


@pytest.fixture(scope="module")
def doors() -> Iterator[Doors]:
    with (
        tempfile.TemporaryDirectory(prefix="tl-") as short,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(guarded_valkey(Path(short))) as ports,
    ):
        yield Doors(*ports)


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Shell:
    monkeypatch.setenv("TAPELINE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TAPELINE_STREAMS__LANES", "1")
    (tmp_path / "ticks.csv").write_text(CSV)
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path / "home", monkeypatch, capsys)


@pytest.mark.process
def test_ticks_go_through_a_password_and_tls_and_no_secret_is_seen(
    shell: Shell, doors: Doors, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TAPELINE_STREAMS__REDIS_URL", doors.address())
    monkeypatch.setenv("TAPELINE_STREAMS__STATS_S", "0.2")
    said: list[str] = []
    with start_stream_processor(doors.address(), 1) as pool, Redis.from_url(doors.address()) as client:
        loaded = shell("ticks", "load", "ticks.csv", "--json")
        assert json.loads(loaded.out)["ticks"] == 2
        until(lambda: b'"last":11.0' in (client.get(keys.hot(0, "A")) or b""))
        seen = shell("lanes", "--json")
        (lane,) = json.loads(seen.out)["lanes"]
        assert (lane["lag"], lane["dead"], lane["owner"].startswith("worker-0-")) == (0, 0, True)
        said += pool.news()
        commands = [Path(f"/proc/{child.pid}/cmdline") for child in pool.workers]
        said += [path.read_text() for path in commands if path.exists()]
    told = (loaded.out, loaded.err, seen.out, seen.err, *said, pool.log_path(0).read_text())
    assert not [text for text in told if PASSWORD in text]


WRONG = {
    "another password": ("refuses the password, or the user, of its address", {"password": "no-7f3a"}),
    "no password": ("wants a password: give it one in its address", {"password": ""}),
    "a certificate nobody knows": ("has a certificate that is not trusted here (self-signed", {"options": ""}),
    "no such database": ("has no database of that number", {"options": f"ssl_ca_certs={CERTIFICATE}&db=77"}),
    "no such option": ("has an option 'ssl_ca_cert' that there is not", {"options": "ssl_ca_cert=x"}),
    "no such file": ("names a file for ssl_ca_certs that is not there", {"options": "ssl_ca_certs=nowhere"}),
}


@pytest.mark.process
@pytest.mark.parametrize("what", WRONG)
def test_who_is_not_let_in_is_told_why(shell: Shell, doors: Doors, what: str) -> None:
    sentence, how = WRONG[what]
    verbs = [("process", "--workers", "1"), ("lanes",)] if "password" in how else [("lanes",)]
    for verb in [*verbs, ("ticks", "load", "ticks.csv")]:
        told = shell.refuses(*verb, "--address", doors.address(**how))
        assert sentence in told
        assert "7f3a" not in told


@pytest.mark.process
@pytest.mark.parametrize("verb", [("lanes",), ("ticks", "load", "ticks.csv")], ids=str)
def test_tls_where_there_is_none_and_none_where_there_is_are_told(
    shell: Shell, doors: Doors, verb: tuple[str, ...]
) -> None:
    turned = Doors(doors.plain, doors.tls)
    tls_to_plain = turned.address(options=f"ssl_ca_certs={CERTIFICATE}&socket_connect_timeout=0.1&socket_timeout=0.1")
    assert "does not speak TLS: its address begins with redis://" in shell.refuses(*verb, "--address", tls_to_plain)
    told = shell.refuses(*verb, "--address", turned.address(scheme="redis"))
    assert "speaks TLS: its address begins with rediss://" in told
    assert PASSWORD not in told


@pytest.mark.process
def test_a_certificate_for_another_name_is_told(shell: Shell, doors: Doors) -> None:
    address = doors.address().replace("localhost:", "127.1:")
    assert "has a certificate for another name" in shell.refuses("lanes", "--address", address)


@pytest.mark.parametrize(
    "address",
    [
        "redis://:hush@host:port",
        "redis://:hu/sh@host:1",
        "redis://:hu#sh@host:1",
        "redis://:hu?sh@host:1",
        "redis://:hush@",
        "redis://[hush@host:1",
        "http://:hush@host",
        "hush",
        "unix://",
        "redis://:hush@host:1/hush",
        "redis://:hush@host?socket_timeout=hush",
        "redis://:hush@host?hush_timeout=1",
        "rediss://:hush@host?ssl_cert_reqs=some",
    ],
)
def test_an_address_that_is_none_is_told_without_its_secrets(address: str) -> None:
    with pytest.raises(
        ConfigError, match=r"^the address of the stream server \(streams.redis_url, or --address\)"
    ) as told:
        pool_for(ConnectionPool, address)
    assert "hu/sh" not in str(told.value)
    assert "hush" not in str(told.value).replace("'hush_timeout'", "")


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("redis://:hush@localhost:1", "localhost:1 (connection refused)"),
        ("unix:///no/where.sock", "/no/where.sock (no such file or directory)"),
    ],
)
def test_a_server_that_is_just_not_there_is_no_matter_of_the_address(shell: Shell, address: str, why: str) -> None:
    pool = pool_for(ConnectionPool, address)
    with Redis.from_pool(pool) as client, pytest.raises(NotConnected) as gone:
        client.ping()
    assert refusal(gone.value, pool) is None
    for verb in (("lanes",), ("ticks", "load", "ticks.csv")):
        answer = shell(*verb, "--address", address)
        assert answer.code == 1
        assert answer.err == f"tapeline: no stream server answers at {why}: is it started, and is that its address?\n"


def test_a_user_who_may_not_do_what_is_needed_is_told() -> None:
    pool = pool_for(ConnectionPool, "redis://me:hush@localhost:1")
    told = str(refusal(NoPermissionError("User me has no permissions to run the 'xadd' command"), pool))
    assert "localhost:1 does not allow its user what is needed: User me has no permissions" in told
