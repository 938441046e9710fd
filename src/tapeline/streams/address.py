"""Where a stream server is: one address, or that of several nodes.

In: ``redis://``, ``rediss://`` or ``unix://``, or the path of a unix socket; of a cluster, or of a primary and its
replica, several as ``redis://one:6379,two:6379``, so that it is found while one of them is down.
Out: one address per node, and how many replicas a write waits for. Refuses a number that is none with ``ConfigError``;
what else may be wrong with an address ``access`` says.
"""

from __future__ import annotations

from dataclasses import dataclass

from tapeline.core.errors import ConfigError

MOST_REPLICAS = 1
"""Replicas that a write waits for where there are any, unless the address says ``?replicas=``; see docs/streams.md."""
_OPTION = "replicas="


@dataclass(frozen=True, slots=True)
class Address:
    """The nodes that were named.

    Attributes
    ----------
    urls
        One per node, at least one.
    replicas
        Replicas that a write waits for at most; fewer where there are fewer.
    """

    urls: tuple[str, ...]
    replicas: int = MOST_REPLICAS

    @staticmethod
    def parse(text: str) -> Address:
        """Return what an address names; raise ``ConfigError`` when its number of replicas is none."""
        url, _, query = text.partition("?")
        options = query.split("&") if query else []
        said = [option.removeprefix(_OPTION) for option in options if option.startswith(_OPTION)]
        if said and not (said[-1].isascii() and said[-1].isdigit() and len(said[-1]) == 1):
            raise ConfigError(
                "replicas in the address of the stream server (streams.redis_url, or --address) is 0 to 9"
            )
        rest = "&".join(option for option in options if not option.startswith(_OPTION))
        urls = tuple(f"{each}?{rest}" if rest else each for each in _each(url))
        return Address(urls, int(said[-1]) if said else MOST_REPLICAS)


def _each(url: str) -> list[str]:
    """Return the address of each node; name, password and database are those of all."""
    scheme, mark, rest = url.partition("://")
    if scheme not in ("redis", "rediss") or not mark:
        return [url]
    where, slash, database = rest.partition("/")
    who, at, hosts = where.rpartition("@")
    return [f"{scheme}://{who}{at}{host}{slash}{database}" for host in hosts.split(",")]
