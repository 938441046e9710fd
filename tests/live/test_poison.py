"""Everything that cannot be applied, through a real Valkey: by the ingress and straight into a lane, each with its
reason among the dead letters, and every sound tick between them in its bar.
"""

from __future__ import annotations

import re
import tempfile
from functools import partial
from pathlib import Path

import anyio
import pytest
from tests.live.rows_of import PLAIN

from tapeline.core.config import StreamsConfig
from tapeline.live.state import LaneState
from tapeline.streams import keys
from tapeline.streams.embedded import embedded_valkey
from tapeline.streams.ingress import ValkeyIngress
from tapeline.streams.letters import read_letters
from tapeline.streams.valkey import ValkeyLaneStore, connect
from tapeline.streams.worker import run_worker

Fields = dict[bytes, bytes]

START_S = 1_767_623_400
SOUND: Fields = {b"symbol": b"A", b"price": b"10", b"volume": b"1", b"exchange_timestamp": b"%d" % START_S}
CONFIG = StreamsConfig(lanes=1, batch_ms=1, batch_size=4)

CORPUS: list[tuple[str, Fields, str]] = [
    ("bad UTF-8", {b"symbol": b"\xff\xfe"}, "UTF-8"),
    ("NaN", {b"price": b"nan"}, "not a finite number"),
    ("infinite", {b"price": b"inf"}, "not a finite number"),
    ("negative", {b"price": b"-10"}, "a price that is not"),
    ("negative volume", {b"volume": b"-1"}, "a volume"),
    ("huge", {b"price": b"1e300"}, "a price that is not"),
    ("huge volume", {b"volume": b"1e300"}, "a volume"),
    ("future", {b"exchange_timestamp": b"3990000000"}, "future"),
    ("beyond time", {b"exchange_timestamp": b"9" * 30}, "neither an epoch"),
    ("1970", {b"exchange_timestamp": b"31536000"}, "outside 1990"),
    ("zero", {b"exchange_timestamp": b"0"}, "outside 1990"),
    ("no symbol", {b"symbol": b""}, "without symbol"),
    ("a symbol of two lines", {b"symbol": b"A\nB"}, "holds a control character"),
    ("a symbol with NUL", {b"symbol": b"A\0B"}, "holds a control character"),
    ("a symbol too long", {b"symbol": b"A" * 65}, "too long"),
    ("no price", {b"price": b""}, "without last_price or price"),
    ("no volume", {b"volume": b""}, "volume"),
    ("no time", {b"exchange_timestamp": b""}, "without exchange_timestamp"),
    ("wrong type", {b"price": b"twelve"}, "not a number"),
    ("no frame", {b"frame": b"\xc1"}, "not a frame"),
    ("unknown schema version", {b"frame": b"\x92\x09\xa5ticks"}, "schema version 9"),
    ("10 MB of fields", {b"noise": bytes(10 << 20)}, "too large"),
    ("a frame of 10 MB", {b"frame": bytes(10 << 20)}, "larger than"),
]


async def drained(store: ValkeyLaneStore) -> None:
    with anyio.fail_after(60):
        while True:
            at, lane = await ValkeyIngress(store).progress(), await store.progress(0)
            if at.applied_id == at.last_id and lane.applied_id == lane.last_id and not lane.lag:
                return
            await anyio.sleep(0.01)


@pytest.mark.process
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("way", ["ingress", "lane"])
@pytest.mark.anyio
async def test_the_whole_corpus_ends_as_letters_and_the_rest_in_its_bar(anyio_backend: str, way: str) -> None:
    key = keys.INGRESS if way == "ingress" else keys.rows(0)
    with tempfile.TemporaryDirectory(prefix="tl-") as short:
        async with embedded_valkey(Path(short)) as server, connect(str(server.socket_path)) as store:
            await store.claim_lanes(1)
            reasons = {}
            for _, change, reason in CORPUS:
                _, bad_id = await store.append(key, [SOUND, {**SOUND, **change}])
                reasons[bad_id] = reason
            await store.append(key, [SOUND])
            async with anyio.create_task_group() as group:
                start = partial(run_worker, store, lambda _: LaneState(PLAIN), CONFIG, "one")
                worker = await group.start(partial(start, ingress=ValkeyIngress(store)))
                await drained(store)
                worker.stop()
            letters = [letter for _, letter in await read_letters(str(server.socket_path))]
            (hot,) = await store.read_hot(0, ["A"])
    assert hot is not None
    assert b'"volume":%.1f,' % (len(CORPUS) + 1) in hot
    told = sorted(letter.reason for letter in letters)
    rows = [int(n) for each in told for n in re.findall(r"(\d+) rows: ", each)]  # of one frame that the router made
    assert sum(rows) + sum("rows: " not in each for each in told) == len(CORPUS)
    for name, _, reason in CORPUS:
        assert any(reason in each for each in told), f"{name}: {told}"
    if way == "lane":  # the letter has the entry's own id; those of routed ticks have that of their frame
        assert [reasons[letter.id] in letter.reason for letter in letters] == [True] * len(letters)
    assert max(len(letter.payload) for letter in letters) == 1 << 20
