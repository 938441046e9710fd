"""Seeded numbers: the published generator, and the moments that the bridge relies on."""

from __future__ import annotations

import numpy as np

from tapeline.sim import seeded


def _many() -> seeded.U64:
    return seeded.words(np.arange(100, dtype=np.uint64) * np.uint64(7919), 1000)


def test_words_are_splitmix64s_published_sequence() -> None:
    words = seeded.words(np.array([1234567], np.uint64), 5)
    expected = [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]
    assert words[0].tolist() == expected


def test_fewer_words_are_the_first_of_more() -> None:
    keys = np.array([5, 6], np.uint64)
    assert np.array_equal(seeded.words(keys, 3), seeded.words(keys, 10)[:, :3])


def test_key_is_the_same_in_every_process() -> None:
    b2sum = "d4f62e341a60b1ef"  # printf '7|AAPL|2010-05-06' | b2sum -l 64
    assert seeded.key(7, "AAPL", "2010-05-06").to_bytes(8, "little").hex() == b2sum


def test_key_depends_on_every_part() -> None:
    assert len({seeded.key(7, "A"), seeded.key(8, "A"), seeded.key(7, "B"), seeded.key(7, "A", "")}) == 4


def test_uniforms_fill_zero_to_one() -> None:
    uniform = seeded.unit(_many())
    assert 0.0 <= uniform.min() < 0.001
    assert 0.999 < uniform.max() < 1.0
    assert abs(uniform.mean() - 0.5) < 0.005


def test_normals_have_mean_zero_and_variance_one() -> None:
    normal = seeded.normal(_many())
    assert abs(normal.mean()) < 0.02
    assert abs(normal.var() - 1.0) < 0.02
