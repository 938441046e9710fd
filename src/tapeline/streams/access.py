"""How a stream server lets us in: a pool of connections to an address, and what a person has to mend when it does not.

In: ``redis://``, ``rediss://`` (over TLS), ``unix://`` or the path of a unix socket; what failed.  Out: a pool; a
sentence. Refuses an address that cannot be used before anything is sent, and to repeat any part of one that may be a
secret.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Protocol, TypeVar
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError, ResponseError

from tapeline.core.errors import ConfigError

WHERE = "the address of the stream server (streams.redis_url, or --address)"
_SCHEMES = ("redis", "rediss", "unix")
_FILES = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile")
_OVER_TLS = (redis.SSLConnection, redis.asyncio.SSLConnection)
_NOT_THERE = re.compile(r"Error -?\d+ connecting to (\S+)\. (.+?)\.?", re.DOTALL)
"""What the client library says when a connection cannot be made."""
_PROBE_S = 2.0
"""What a server is given to say whether it speaks TLS, once something went wrong."""


class Pool(Protocol):
    """A pool of connections of the client library, of either kind."""

    connection_class: Any
    connection_kwargs: Any

    @classmethod
    def from_url(cls, url: str, **kwargs: Any) -> Any:
        """Return a pool for a URL."""
        ...


P = TypeVar("P", bound=Pool)


def pool_for(kind: type[P], address: str, **options: Any) -> P:
    """Return a pool of connections to an address; nothing is opened yet.

    Parameters
    ----------
    kind
        The class of the pool.
    address
        As above; what follows its ``?`` are options of the client library, as in ``?ssl_ca_certs=FILE``.
    options
        What the address does not say otherwise.

    Raises
    ------
    ConfigError
        When the address is none, has an option that there is not, or names a file that is not there.
    """
    url = f"unix://{address}" if address.startswith("/") else address
    _check(url)
    try:
        pool: P = kind.from_url(url, **options)
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, RedisError) as error:
        # The texts name the option, never its value.
        _, _, option = str(error).partition("unexpected keyword argument ")
        what = f"has an option {option} that there is not for {_scheme(url)}://" if option else f"is none: {error}"
        raise ConfigError(f"{WHERE} {what}") from None
    for name in _FILES:
        if (path := pool.connection_kwargs.get(name)) and not Path(path).exists():
            raise ConfigError(f"{WHERE} names a file for {name} that is not there: {path}")
    return pool


def _scheme(url: str) -> str:
    return url.partition("://")[0].lower()


def _check(url: str) -> None:
    """Refuse what the client library would take for another address, or quote in its error."""
    if _scheme(url) not in _SCHEMES or "://" not in url:
        raise ConfigError(f"{WHERE} begins with redis://, rediss://, unix:// or /, as redis://localhost:6379/0 does")
    try:
        parts = urlsplit(url)
        is_whole = bool(parts.path if _scheme(url) == "unix" else parts.hostname) and parts.port != 0
    except ValueError:
        is_whole = False
    if not is_whole:
        raise ConfigError(
            f"{WHERE} has no host, or a port that is no number: a password with / ? # or @ in it is written in percent "
            "form there, as %2F %3F %23 %40"
        )
    if _scheme(url) != "unix" and parts.path.strip("/") and not parts.path.strip("/").isdigit():
        raise ConfigError(f"{WHERE} ends with the number of a database or with none, as redis://localhost:6379/0 does")


def absence(error: BaseException) -> str | None:
    """Return in our words that nobody answers at an address, and why; None when something else is the matter."""
    for cause in _causes(error):
        if isinstance(cause, RedisError) and (found := _NOT_THERE.fullmatch(str(cause))):
            why = "connection refused" if "refused" in found[2] or "call failed" in found[2] else found[2].lower()
            return f"no stream server answers at {found[1]} ({why}): is it started, and is that its address?"
    return None


def refusal(error: BaseException, pool: Pool) -> ConfigError | None:
    """Return what the person has to mend when a first connection failed; None when the server is just not there.

    Asks the server once more when it has to, for two seconds at most.

    Parameters
    ----------
    error
        What failed, with its causes.
    pool
        Whose connection it was.
    """
    options, causes = pool.connection_kwargs, list(_causes(error))
    if "path" in options:
        server = f"the stream server at {options['path']}"
    else:
        server = f"the stream server at {options.get('host', 'localhost')}:{options.get('port', 6379)}"
    for cause in causes:
        if isinstance(cause, RedisError) and (what := _flaw_of_login(cause, options)):
            return ConfigError(f"{server} {what}")
        if isinstance(cause, ssl.SSLError) and (what := _flaw_of_tls(cause)):
            return ConfigError(f"{server} {what}")
    if "path" in options or any(isinstance(cause, ConnectionRefusedError | socket.gaierror) for cause in causes):
        return None
    return _other_way(server, options, with_tls=issubclass(pool.connection_class, _OVER_TLS))


def _causes(error: BaseException) -> Iterator[BaseException]:
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _flaw_of_login(error: RedisError, options: Mapping[str, Any]) -> str:
    """Return what a server has against the name or the password, the user's rights or the database; else nothing."""
    if isinstance(error, AuthenticationError) and options.get("password"):
        return "refuses the password, or the user, of its address (streams.redis_url, or --address)"
    if isinstance(error, AuthenticationError):
        return (
            "wants a password: give it one in its address, as redis://:PASSWORD@HOST, from the environment "
            "(TAPELINE_STREAMS__REDIS_URL)"
        )
    if isinstance(error, NoPermissionError):
        return f"does not allow its user what is needed: {error}"
    if isinstance(error, ResponseError) and "DB index" in str(error):
        return "has no database of that number: leave out what follows the port in its address"
    return ""


def _flaw_of_tls(error: ssl.SSLError) -> str:
    """Return what is wrong with a server that answered, but not as we want it; empty when we do not know."""
    if isinstance(error, ssl.SSLCertVerificationError):
        why = error.verify_message.rstrip(".")
        if "mismatch" in why:
            return f"has a certificate for another name ({why}): name it in its address as its certificate does"
        return (
            f"has a certificate that is not trusted here ({why}): name the file of who signed it in the address, as "
            "?ssl_ca_certs=FILE"
        )
    if "CERTIFICATE_REQUIRED" in str(error):
        return "wants a certificate from us: name its files in the address, as ?ssl_certfile=FILE&ssl_keyfile=FILE"
    if error.reason in ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG"):
        return "does not speak TLS: its address begins with redis://"
    return ""


def _other_way(server: str, options: Mapping[str, Any], *, with_tls: bool) -> ConfigError | None:
    """Try without TLS where it was tried with, and the other way round: each shows as silence to the other."""
    try:
        with socket.create_connection((options.get("host", "localhost"), options.get("port", 6379)), _PROBE_S) as plain:
            if with_tls:
                plain.sendall(b"PING\r\n")
                is_plain = plain.recv(16)[:1] in (b"+", b"-")
                return (
                    ConfigError(f"{server} does not speak TLS: its address begins with redis://") if is_plain else None
                )
            anybody = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
            with anybody.wrap_socket(plain):
                return ConfigError(f"{server} speaks TLS: its address begins with rediss://")
    except OSError:
        return None
