"""A worker: a process, or a task, that owns its fair share of the lanes for as long as it lives.

In: the lanes of a store, and the factory of what is done with them.  Out: whatever ``LaneTask`` commits.
Refuses to go on when a lane or the ingress is poisoned, or the processor keeps failing in ways that no dead letter can
hold.

Leases, heartbeats and pauses run on real time (``anyio.current_time``), never on the logical clock: whether a worker
lives is a physical fact, also in a replay.
"""

from __future__ import annotations

import logging
import os
import secrets
import signal
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup, TaskStatus

from tapeline.core.config import StreamsConfig
from tapeline.core.errors import ConfigError, Unavailable
from tapeline.streams.ingress import Ingress, ValkeyIngress
from tapeline.streams.lane_task import EntryFailed, LaneCounts, LaneTask
from tapeline.streams.layout import Layout, lane_count_error
from tapeline.streams.marks import Marks
from tapeline.streams.poison import Poisoned
from tapeline.streams.processor import ProcessorFactory
from tapeline.streams.router import Router
from tapeline.streams.store import LaneStore, LeaseLost
from tapeline.streams.valkey import connect
from tapeline.streams.watch import Watch
from tapeline.streams.witness import LOOK_EVERY_S, Witness

log = logging.getLogger(__name__)

ROUNDS_PER_LEASE = 3
"""A lease is renewed this often in its life: one lost renewal does no harm, a death is noticed within 4/3 lives."""


def worker_count(configured: int, cores: int | None = None, *, least: int = 1) -> int:
    """Return how many workers to start: the configured number, or 70 % of the cores, at least ``least``, at most 8."""
    return configured or max(least, min(8, int(0.7 * (cores or os.cpu_count() or 1))))


@dataclass(slots=True)
class Worker:
    """One worker and the lanes it owns now.

    Attributes
    ----------
    store
        Where the lanes live.
    factory
        Makes the processor of a lane.
    config
        Sizes and times.
    worker_id
        Unique among all that live: it is the token of the leases.
    hot_ttl_s
        Life of hot state in seconds.
    ingress
        What it routes when nobody else does; None for no routing.
    marks
        Where it keeps, outside the server, how far lanes and ingress were seen; None for nowhere.
    poisoned
        Why it stopped by itself, if it did.
    """

    store: LaneStore
    factory: ProcessorFactory
    config: StreamsConfig
    worker_id: str
    hot_ttl_s: float = 86_400.0
    ingress: Ingress | None = None
    marks: Marks | None = None
    poisoned: Poisoned | None = None
    _tasks: dict[int, LaneTask] = field(default_factory=dict)
    _stopping: anyio.Event = field(default_factory=anyio.Event)
    _rows_before: int = 0
    _n_lanes: int = field(init=False)
    _witness: Witness = field(init=False)

    def __post_init__(self) -> None:
        self._n_lanes = self.config.lanes  # until the store says otherwise
        self._witness = Witness(self.store, self.ingress, self.marks)

    @property
    def counts(self) -> Mapping[int, LaneCounts]:
        """lane -> what was done to it, for the lanes owned now."""
        return {lane: task.counts for lane, task in self._tasks.items()}

    def stop(self) -> None:
        """Ask ``run`` to finish: every lane is committed, saved and given back."""
        self._stopping.set()

    async def run(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        """Own lanes until told to stop. Reports started after the first round of leases.

        Concurrency: one task per owned lane. A lost lease or server ends that lane's task only; the next round tries
        again. Cancelling it is like a kill: nothing half-made stays, and the leases run out by themselves.

        When most of a lane or of the ingress cannot be read it stops by itself, the other lanes saved and given back,
        and ``poisoned`` says why.
        """
        router = None
        if self.ingress is not None:
            router = Router(self.ingress, self.worker_id, self.config, before=self._witness.look_at_ingress)
        async with anyio.create_task_group() as group:
            group.start_soon(self._watch, name="statistics")
            if self.marks is not None:
                group.start_soon(self._look, router, name="witness")
            if router is not None:
                group.start_soon(self._route, router, name="router")
            started = False
            while not self._stopping.is_set():
                try:
                    await self._round(group)
                except Unavailable as error:
                    log.warning("worker %s waits for the stream server: %s", self.worker_id, error)
                if not started:
                    task_status.started()
                    started = True
                with anyio.move_on_after(self.config.lease_s / ROUNDS_PER_LEASE):
                    await self._stopping.wait()
            if router is not None:
                router.stop()
            for task in self._tasks.values():
                task.stop()
        await self._say_goodbye()

    async def _route(self, router: Router) -> None:
        """Run the router to its end; when it is that most of the ingress is poison, ours comes too."""
        try:
            await router.run()
        except Poisoned as error:
            self.poisoned = error
            self.stop()

    async def _watch(self) -> None:
        """Tell every ``stats_s`` where everything stands, until told to stop."""
        watch = Watch(self.config)
        async with watch.served(self.config.metrics_port):
            while not self._stopping.is_set():
                await self._tell(watch)
                with anyio.move_on_after(self.config.stats_s):
                    await self._stopping.wait()

    async def _tell(self, watch: Watch) -> None:
        try:
            lanes = [await self.store.progress(lane) for lane in range(self._n_lanes)]
            ingress = await self.ingress.progress() if self.ingress is not None else None
            watch.tell(lanes, ingress, rows=self.rows, lost=self.lost, now_s=anyio.current_time())
        except Unavailable as error:
            log.warning("no statistics, the stream server does not answer: %s", error)

    async def _look(self, router: Router | None) -> None:
        """Keep on disk, outside the server, how far the lanes that are owned and the ingress were seen."""
        while not self._stopping.is_set():
            with anyio.move_on_after(LOOK_EVERY_S):
                await self._stopping.wait()
            try:
                for lane in [lane for lane, task in self._tasks.items() if task.applied_id]:
                    await self._witness.look_at_lane(lane)
                if router is not None and router.is_working:
                    await self._witness.look_at_ingress()
            except Unavailable as error:
                log.debug("what the stream server has is looked at again later: %s", error)

    @property
    def lost(self) -> int:
        """Losses of the stream server that were noticed here."""
        return self._witness.lost

    @property
    def rows(self) -> int:
        """Ticks and bars applied since the start."""
        return self._rows_before + sum(task.counts.rows for task in self._tasks.values())

    async def _round(self, group: TaskGroup) -> None:
        """Renew what we own, give back what is too much, take what is free and due to us."""
        workers = await self.store.heartbeat(self.worker_id, self.config.lease_s)
        self._n_lanes = (await self.store.layout()).lanes or self._n_lanes
        share = -(-self._n_lanes // workers)
        for surplus, (lane, task) in enumerate(list(self._tasks.items())):
            if surplus >= share or lane >= self._n_lanes or await self._lease(lane) is False:
                task.stop()
        for lane in range(self._n_lanes):
            if len(self._tasks) >= share:
                break
            if lane not in self._tasks and await self._lease(lane):
                task = self._task_of(lane)
                self._tasks[lane] = task
                group.start_soon(self._keep, lane, task, name=f"lane-{lane}")

    async def _lease(self, lane: int) -> bool | None:
        """Take or renew a lane; None when the node that has it is away, which is no matter of the other lanes."""
        try:
            return await self.store.lease(lane, self.worker_id, self.config.lease_s)
        except Unavailable as error:
            log.warning("worker %s waits for the node of lane %d: %s", self.worker_id, lane, error)
            return None

    def _task_of(self, lane: int) -> LaneTask:
        how = (self.store, lane, self.worker_id, self.factory, self.config)
        return LaneTask(*how, hot_ttl_s=self.hot_ttl_s, witness=self._witness)

    async def _keep(self, lane: int, task: LaneTask) -> None:
        """Run one lane's task to its end, whichever it is, and give the lane back if it is still ours."""
        try:
            await task.run()
        except LeaseLost as error:
            log.info("%s", error)
        except Unavailable as error:  # the world's affair, so one line
            log.warning("lane %d pauses until the next round of leases: %s", lane, error)
        except EntryFailed as error:
            log.warning("lane %d pauses until the next round of leases: %s", lane, error, exc_info=error.__cause__)
        except Poisoned as error:
            self.poisoned = error
            self.stop()
        else:
            await self._give_back(lane)
        finally:
            self._rows_before += task.counts.rows
            if task.applied_id:
                self._witness.saw(lane, task.applied_id)
            del self._tasks[lane]

    async def _give_back(self, lane: int) -> None:
        try:
            if self.marks is not None:
                await self._witness.look_at_lane(lane)
            await self.store.release(lane, self.worker_id)
        except Unavailable as error:
            log.warning("lane %d was not given back, its lease runs out by itself: %s", lane, error)

    async def _say_goodbye(self) -> None:
        try:
            if self.marks is not None:
                await self._witness.look_at_ingress()
            await self.store.heartbeat(self.worker_id, 0.0)
        except Unavailable as error:
            log.warning("the goodbye of worker %s was not heard: %s", self.worker_id, error)


async def run_worker(
    store: LaneStore,
    factory: ProcessorFactory,
    config: StreamsConfig,
    worker_id: str,
    *,
    hot_ttl_s: float = 86_400.0,
    ingress: Ingress | None = None,
    task_status: TaskStatus[Worker] = anyio.TASK_STATUS_IGNORED,
) -> None:
    """Run a worker until it is told to stop (``Worker.stop``) or cancelled; hands the ``Worker`` to the starter.

    Raises
    ------
    Poisoned
        When most of a lane or of the ingress cannot be read; the other lanes are saved and given back first.
    """
    worker = Worker(store, factory, config, worker_id, hot_ttl_s, ingress)
    async with anyio.create_task_group() as group:
        await group.start(worker.run)
        task_status.started(worker)
    if worker.poisoned is not None:
        raise worker.poisoned


def serve_worker(
    address: str,
    worker_id: str,
    config: StreamsConfig,
    factory: ProcessorFactory,
    *,
    hot_ttl_s: float = 86_400.0,
    marks: Marks | None = None,
    on_ready: Callable[[], None] = lambda: None,
) -> None:
    """Be a worker process: own lanes of the server at ``address`` until SIGTERM or SIGINT, then save and leave.

    Parameters
    ----------
    address
        ``redis://``, ``rediss://`` or ``unix://``, or the path of a unix socket.
    worker_id
        Name for people; made unique for the leases here.
    config
        Sizes and times.
    factory
        Makes the processor of a lane.
    hot_ttl_s
        Life of hot state in seconds.
    marks
        Where it is kept, outside the server, how far lanes were applied; None for nowhere.
    on_ready
        Called once, after the first round of leases.

    Raises
    ------
    Unavailable
        When the server is not there at the start.
    Poisoned
        When most of a lane or of the ingress cannot be read.
    """

    async def main() -> None:
        unique_id = f"{worker_id}-{secrets.token_hex(4)}"
        async with connect(address) as store:
            await store.ping()
            layout = await lay_out(store, config)
            if config.lanes not in (0, layout.lanes):  # it writes to none by itself
                log.warning("%s; this worker takes those there are", lane_count_error(layout, config.lanes))
            for warning in await store.check_durability():
                log.warning("%s", warning)
            worker = Worker(store, factory, config, unique_id, hot_ttl_s, ValkeyIngress(store), marks)
            with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
                async with anyio.create_task_group() as listening:
                    listening.start_soon(_stop_at_signal, signals, worker)
                    async with anyio.create_task_group() as working:
                        await working.start(worker.run)
                        on_ready()
                    listening.cancel_scope.cancel()
        if worker.poisoned is not None:
            raise worker.poisoned

    anyio.run(main, backend="asyncio")


def fresh_lanes(config: StreamsConfig) -> int:
    """Return how many lanes a fresh server gets: the configured number, or two for each worker this machine runs."""
    return config.lanes or 2 * worker_count(config.workers, least=config.min_workers)


async def lay_out(store: LaneStore, config: StreamsConfig) -> Layout:
    """Return the layout of a store; a fresh one gets ``fresh_lanes``."""
    layout = await store.layout()
    if layout.lanes:
        return layout
    with suppress(ConfigError):  # somebody was first, with another number
        await store.claim_lanes(fresh_lanes(config))
    return await store.layout()


async def _stop_at_signal(signals: AsyncIterator[signal.Signals], worker: Worker) -> None:
    async for _ in signals:
        worker.stop()
