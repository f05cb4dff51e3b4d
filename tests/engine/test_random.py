"""The generator of random numbers and the shuffle, in both engines."""

import hashlib
from dataclasses import replace

import numpy as np
import pytest
from faces.kernels import pad, pad_rows
from hypothesis import given, settings
from hypothesis import strategies as st

from faces import kernels, operations
from fastmlp import Network, Trainer
from fastmlp.augmentations import Flip, Shift, engine_options
from fastmlp.callbacks import EveryNSteps
from fastmlp.engine import core, native
from fastmlp.engine.reference import native as reference
from fastmlp.layers import Dense
from fastmlp.optimizers import SGD, Adam
from helpers.engine import assert_parity, problem


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
@given(st.integers(0, 300), st.integers(0, 2**64 - 1), st.integers(0, 2**40))
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


@pytest.mark.parametrize(("n", "digest"), [(100_000, "8d404f6dc90901a0"), (2**20 + 3, "5762a2eb66a6aa3c")])
def test_orders_stay_what_they_were_in_earlier_versions(n, digest):
    order = np.arange(n)
    core.shuffle(order, 1, 0)
    assert hashlib.sha256(order.tobytes()).hexdigest()[:16] == digest


# Around what fits one word to 1/256, where its bias is large, and around what 32 bits can count.
LARGE = [2**24 - 1, 2**24, 2**24 + 1, 10**9, 2**31, 2**32 - 1, 2**32, 2**32 + 1, 2**33 + 5, 2**40, 2**62]


@pytest.mark.parametrize("n", LARGE)
def test_both_engines_draw_the_same_places_among_any_number_of_rows(n):
    swaps = np.array([*range(9), n // 2, n - 2**24 - 1, n - 2**24, n - 2, n - 1]) % n
    for seed, epoch in ((0, 0), (2**63 + 11, 2**32 + 5)):
        found = [core.swap_place(i, n, seed, epoch) for i in swaps.tolist()]
        assert found == reference.swap_places(swaps, n, seed, epoch)
        assert all(0 <= place < n - i for i, place in zip(swaps.tolist(), found, strict=True))


def test_a_shuffle_makes_these_swaps():
    n, moved = 2**24 + 9, {}
    order = np.arange(n)
    core.shuffle(order, 3, 1)
    for i in range(100):  # from places for two words to places for one
        place = core.swap_place(i, n, 3, 1)
        moved[n - 1 - i], moved[place] = moved.get(place, place), moved.get(n - 1 - i, n - 1 - i)
        assert order[n - 1 - i] == moved[n - 1 - i]


@pytest.mark.parametrize("n", [10**9, 2**31 - 1, 2**32 + 2**31, 2**33])
def test_every_place_is_equally_likely(n):
    places = np.array([core.swap_place(0, n, seed, 0) for seed in range(10_000)])
    # By one word of 32 bits, some places have one value of it more than others, or none at all.
    values_of = [((int(place) + 1 << 32) - 1) // n - ((int(place) << 32) - 1) // n for place in places]
    fewest = 2**32 // n
    expected, favoured = 2**32 % n / n, np.mean(np.array(values_of) > fewest)
    assert abs(favoured - expected) < 5 * np.sqrt(expected * (1 - expected) / len(places))
    for bins in (places * 7 // n, places % 7):
        counts = np.bincount(bins, minlength=7)
        # Chi-squared with six degrees of freedom exceeds 22.5 once in a thousand.
        assert ((counts - len(places) / 7) ** 2).sum() / (len(places) / 7) < 22.5


LATE = 2**32 + 7


@pytest.mark.parametrize("kind", ["dropout", "input_dropout", "input_noise", "augment"])
def test_steps_beyond_32_bits_draw_numbers_of_their_own(kind):
    x, isa, stream = np.ones((40, 64)), core.instruction_set(), reference.STREAMS.get(kind)
    images = np.arange(2560, dtype=np.float64).reshape(40, 64)
    options = engine_options([Shift(2), Flip()], (8, 8), 64)

    def ours(step):
        if kind == "dropout":
            return operations.dropout_forward(pad(x), 64, 0.5, 5, step, stream, isa)[0][:, :64]
        if kind == "augment":
            return kernels.augment(images, np.arange(40), options, 5, step)
        return getattr(operations, kind)(pad_rows(x), 64, 0.5, 5, step, stream, isa)[:, :64]

    def twin(step):
        if kind == "dropout":
            return reference.dropout_forward(x, 0.5, 5, step, stream)[0]
        if kind == "augment":
            return reference.augment(images, np.arange(40), options, 5, step)
        return getattr(reference, kind)(x.T, 0.5, 5, step, stream).T

    np.testing.assert_allclose(ours(LATE), twin(LATE), rtol=1e-12)
    assert (ours(LATE) != ours(LATE - 2**32)).mean() > 0.2


@pytest.mark.parametrize("optimizer", [Adam(0.01), SGD(0.05)])
def test_a_fit_goes_on_beyond_32_bits_of_steps(optimizer):
    plan, parameters, X, targets = problem("cross_entropy", "float64", operations="tile")
    plan = replace(plan, layers=(replace(plan.layers[0], dropout=0.3), *plan.layers[1:]))
    found = []
    for engine in (native, reference):
        trained = parameters.copy()
        fit = engine.Training(
            plan, trained, X, None, 8, loss="cross_entropy", targets=targets, targets_preparation=None,
            rows=np.arange(len(X)), optimizer=optimizer.options(), alpha=0.0, shuffle=True, seed=1,
            moments=[np.zeros_like(parameters) for _ in range(optimizer.n_moments)], n_steps=2**32 - 4,
            input_noise=0.1, input_dropout=0.2,
        )  # fmt: skip
        fit.start_epoch(2**32 + 3, np.full(11, 0.01), np.full(11, optimizer.momentum))
        assert fit.run(10.0)
        assert fit.n_steps == 2**32 + 7
        found.append(trained)
    assert_parity(*found, "float64")


@pytest.mark.parametrize("engine", ["tile", "blas", "reference"])
def test_callbacks_may_count_further_than_64_bits(engine):
    network = Network([Dense(2, "softmax")], 3, engine=engine, random_state=0)
    trainer = Trainer(network, "cross_entropy", callbacks=[EveryNSteps(2**70, lambda event: True)])
    X = np.random.default_rng(0).random((20, 3))
    assert len(trainer.fit(X, np.arange(20) % 2, epochs=2).loss) == 2


def test_a_batch_of_more_samples_than_are_counted_is_refused():
    plan, parameters, X, targets = problem("cross_entropy", "float32", operations="tile")
    with pytest.raises(ValueError, match="a batch of 4294967296 samples is too large"):
        native.Training(
            plan, parameters, X, None, 2**32, loss="cross_entropy", targets=targets,
            targets_preparation=None, rows=np.arange(len(X)), optimizer={"solver": "sgd"}, moments=[],
            alpha=0.0, shuffle=True, seed=1, n_steps=0,
        )  # fmt: skip
