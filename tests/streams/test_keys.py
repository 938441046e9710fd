"""Keys: one slot of a cluster per lane, and no two things under one name."""

from __future__ import annotations

from redis.crc import key_slot

from tapeline.streams import keys


def names_of(lane: int) -> list[bytes]:
    alone = [key(lane) for key in (keys.rows, keys.closed, keys.dead, keys.lease, keys.state, keys.watermark)]
    return [*alone, keys.hot(lane, "AAPL"), keys.hot(lane, "{odd}:name")]


def test_all_keys_of_a_lane_share_a_slot() -> None:
    assert {key_slot(name) for name in names_of(3)} == {key_slot(b"lane-3")}


def test_no_two_keys_are_the_same() -> None:
    names = [name for lane in range(3) for name in names_of(lane)]
    assert len(set(names)) == len(names)
