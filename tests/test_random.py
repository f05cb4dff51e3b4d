"""The generator of random numbers and the shuffle, in both engines."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastmlp.engine import core, reference


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ([0] * 4, [0] * 2, ["6627e8d5", "e169c58d", "bc57ac4c", "9b00dbd8"]),
        ([0xFFFFFFFF] * 4, [0xFFFFFFFF] * 2, ["408f276d", "41c83b0e", "a20bc7c6", "6d5451fd"]),
        (
            [0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344],
            [0xA4093822, 0x299F31D0],
            ["d16cfe09", "94fdcceb", "5001e420", "24126ea1"],
        ),
    ],
)
def test_philox_gives_the_published_answers(counter, key, words):
    counter, key = np.array(counter, np.uint32), np.array(key, np.uint32)
    expected = [int(word, 16) for word in words]
    assert core.philox4x32(counter, key).tolist() == expected
    assert reference.philox4x32(counter[None], key)[0].tolist() == expected


@settings(deadline=None)
@given(st.integers(0, 300), st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))
def test_shuffle_is_a_permutation_and_equal_in_both_engines(n, seed, epoch):
    native, twin = np.arange(n), np.arange(n)
    core.shuffle(native, seed, epoch)
    reference.shuffle(twin, seed, epoch)
    assert sorted(native) == list(range(n))
    np.testing.assert_array_equal(native, twin)


def test_shuffle_reaches_every_order_about_equally():
    counts = {}
    for seed in range(6000):
        order = np.arange(3)
        core.shuffle(order, seed, 0)
        counts[tuple(order)] = counts.get(tuple(order), 0) + 1
    assert len(counts) == 6
    # Six cells of 1000 expected: chi-squared with five degrees of freedom exceeds 20.5 once in a thousand.
    assert sum((count - 1000) ** 2 / 1000 for count in counts.values()) < 20.5
