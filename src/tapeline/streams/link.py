"""A connection without an event loop to the node that has one key, wherever that is now.

In: an address, a key, commands.  Out: the last reply, once a replica has what was written, where there is one.
After a failure the nodes are asked anew, so that whoever took over is found. A command is never sent twice by itself.
Refuses what ``Nodes`` refuses, with the client library's errors or ``Unavailable``.
"""

from __future__ import annotations

import math
import time
from typing import Any

from redis import ConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.crc import key_slot
from redis.exceptions import MovedError, NoPermissionError, RedisError
from redis.retry import Retry

from tapeline.core.errors import ConfigError, Unavailable
from tapeline.streams.access import pool_for, refusal
from tapeline.streams.address import Address
from tapeline.streams.survey import KEEPALIVE, KEPT_WITHIN_MS, online_replicas, survey_of, syncing_replicas

FIND_EVERY_S = 5.0
"""The nodes are asked this often who is who, so that replicas that came or went are known."""
_TIMEOUT_S = 30.0
_CONNECT_S = 5.0


class Link:
    """A link to the node that has a key.

    Parameters
    ----------
    address
        As ``Address.parse`` reads it.
    key
        What all commands are about.
    """

    def __init__(self, address: str, key: bytes) -> None:
        found = Address.parse(address)
        self._key, self._most_replicas = key, found.replicas
        self._named = [Redis.from_pool(_pool(url)) for url in found.urls]
        self._by_place: dict[tuple[str, int], Any] = {}
        self._client: Any = None
        self._found_s = -math.inf
        self._wanted = 0

    def run(self, *commands: tuple[Any, ...]) -> Any:
        """Give commands in one go to the node that has the key, wait for its replica, and return the last reply."""
        try:
            try:
                return self._run(commands)
            except MovedError:  # refused, so nothing was done
                self._client = None
                return self._run(commands)
        except (RedisError, OSError, Unavailable):
            self._client = None
            raise

    def _run(self, commands: tuple[tuple[Any, ...], ...]) -> Any:
        if self._client is None or time.monotonic() - self._found_s > FIND_EVERY_S:
            self._client, self._found_s = self._find(), time.monotonic()
        client = self._client
        pipe = client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command)
        if self._wanted:
            pipe.execute_command("WAIT", self._wanted, KEPT_WITHIN_MS)
        replies = pipe.execute()
        if self._wanted and replies[-1] < self._wanted:
            self._find()
            if replies[-1] < self._wanted - syncing_replicas(client.info("replication")):
                raise Unavailable(f"its replica did not have it within {KEPT_WITHIN_MS / 1000:g} s")
        return replies[len(commands) - 1]

    def _find(self) -> Any:
        """Return the client of the node that has the key, from the first node that knows."""
        failed: Exception | None = None
        for client in (*self._named, *self._by_place.values()):
            try:
                return self._ask(client)
            except (RedisError, OSError, Unavailable) as error:
                failed = failed or error
        assert failed is not None, "an address names at least one node"
        raise failed

    def _ask(self, client: Any) -> Any:
        try:
            said = client.info("replication", "cluster")
        except NoPermissionError:  # who may do nothing but write does so where it was told to
            self._wanted = 0
            return client
        if not said.get("cluster_enabled"):
            if said.get("role", "master") != "master":
                client.connection_pool.disconnect()  # its name may lead to the primary by now
                raise Unavailable("the stream server is a replica now and takes no writes")
            self._wanted = min(self._most_replicas, online_replicas(said))
            return client
        options = client.connection_pool.connection_kwargs
        asked = client.execute_command("CLUSTER", "INFO", NEVER_DECODE=True)
        slots = client.execute_command("CLUSTER", "SLOTS", NEVER_DECODE=True)
        survey = survey_of(asked, slots, str(options.get("host", "localhost")))
        for shard in survey.shards:
            if shard.place not in self._by_place:
                how = {**options, "host": shard.place[0], "port": shard.place[1]}
                pool = ConnectionPool(connection_class=client.connection_pool.connection_class, **how)
                self._by_place[shard.place] = Redis.from_pool(pool)
        home = survey.shards[survey.shard_of_slot[key_slot(self._key)]]
        self._wanted = min(self._most_replicas, home.replicas)
        return self._by_place[home.place]

    def refusal(self, error: Exception) -> ConfigError | None:
        """Return what a person has to mend when the first command failed; None when nobody is there."""
        return refusal(error, self._named[0].connection_pool)

    def close(self) -> None:
        """Close every connection."""
        for client in (*self._named, *self._by_place.values()):
            client.close()


def _pool(url: str) -> ConnectionPool:
    options: dict[str, Any] = {
        "protocol": 2,
        "retry": Retry(NoBackoff(), 0),
        "socket_timeout": _TIMEOUT_S,
        "socket_connect_timeout": _CONNECT_S,
    }
    if url.startswith("redis"):
        options |= {"socket_keepalive": True, "socket_keepalive_options": KEEPALIVE}
    return pool_for(ConnectionPool, url, **options)
