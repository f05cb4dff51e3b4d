"""Augmentation of images: what becomes of them, when, and the same in both engines on any threads."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import fastmlp
from faces import kernels
from fastmlp import MLPClassifier, Network, Trainer
from fastmlp.augmentations import Flip, Shift, engine_options
from fastmlp.engine import core, native
from fastmlp.engine.reference import native as reference
from fastmlp.layers import Dense
from fastmlp.network.preparation import Preparation
from helpers.bad_input import says
from helpers.engine import problem, train

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

both = [Shift(1), Flip()]
SHAPES = [(5, 7, 1), (4, 3, 3), (6, 6, 1), (3, 11, 2), (3, 21, 1)]


def images(shape, n=40, dtype="uint8", seed=0):
    """Return images without black pixels, as rows."""
    return np.random.default_rng(seed).integers(1, 256, (n, np.prod(shape))).astype(dtype)


STORED = {
    "as they are": lambda X: X,
    "Fortran": np.asfortranarray,
    "every second column": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: np.ascontiguousarray(X[:, ::-1])[:, ::-1],
    "unaligned": lambda X: np.frombuffer(b"-" + X.tobytes(), X.dtype, offset=1).reshape(X.shape),
}


# ---------------------------------------------------------------------------------------- what becomes of one


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("augmentation", [Shift(2), Flip(), [Flip(), Shift(1)]], ids=str)
def test_augment(augmentation, shape, dtype, stored):
    X, rows = images(shape, dtype=dtype), np.array([3, 3, 0, 39, 17, *range(40)])
    options = engine_options(augmentation, shape, X.shape[1])
    for seed, step in ((0, 0), (2**31 - 1, 77), (2**32 + 5, 2**32 - 1)):
        actual = kernels.augment(STORED[stored](X), rows, options, seed, step)
        assert_array_equal(actual, reference.augment(X, rows, options, seed, step))


@settings(deadline=None, max_examples=50)
@given(
    st.sampled_from(SHAPES),
    st.integers(0, 2**31 - 1),
    st.integers(0, 1000),
    st.sampled_from([0, 1, 2]),
    st.booleans(),
)
def test_every_image_is_one_of_those_that_there_can_be(shape, seed, step, pixels, flip):
    X = images(shape, n=20)
    height, width, channels = shape
    options = {"height": height, "width": width, "channels": channels, "pixels": pixels, "flip": flip}
    for before, after in zip(X, kernels.augment(X, np.arange(20), options, seed, step), strict=True):
        image, found = before.reshape(shape), after.reshape(shape)
        padded = [
            np.pad(one, ((pixels, pixels), (pixels, pixels), (0, 0)))
            for one in ([image, image[:, ::-1]] if flip else [image])
        ]
        views = [
            one[y : y + height, x : x + width]
            for one in padded
            for y in range(2 * pixels + 1)
            for x in range(2 * pixels + 1)
        ]
        assert any(np.array_equal(found, view) for view in views)


def test_every_shift_and_flip_is_drawn_about_equally():
    shape, n = (5, 5, 1), 6000
    X = np.zeros((n, 25), np.uint8)
    X[:, 12] = 1  # the middle: where it is found tells the shift
    X[:, 13] = 2
    options = engine_options([Shift(1), Flip()], shape[:2], 25)
    out = kernels.augment(X, np.arange(n), options, 3, 0)
    flipped = (out == 2).argmax(axis=1) < (out == 1).argmax(axis=1)
    counts = np.bincount((out == 1).argmax(axis=1) + 25 * flipped, minlength=50)
    counts = counts[counts > 0]
    assert len(counts) == 18
    # Chi-squared with 17 degrees of freedom exceeds 40.8 once in a thousand.
    assert ((counts - n / 18) ** 2 / (n / 18)).sum() < 40.8


def test_steps_places_and_seeds_draw_differently_and_rows_do_not_matter():
    X = np.repeat(images((9, 9, 1), n=1), 32, axis=0)
    options = engine_options([Shift(3), Flip()], None, 81)
    first = kernels.augment(X, np.arange(32), options, 0, 0)
    assert len(np.unique(first, axis=0)) > 10
    assert_array_equal(first, kernels.augment(X, np.arange(32)[::-1].copy(), options, 0, 0))
    for other in ((0, 1), (1, 0), (2**32, 0)):
        assert (first != kernels.augment(X, np.arange(32), options, *other)).any()


# ------------------------------------------------------------------------------------------------- trainings


def image_problem(dtype, operations, source="uint8", n=75):
    plan, parameters, _, targets = problem(
        "cross_entropy", dtype, n=n, n_features=35, hidden=(17, 9), operations=operations
    )
    return plan, parameters, images((5, 7, 1), n, source), targets


def options_of(*augmentation):
    return engine_options(augmentation, (5, 7), 35)


@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("operations", ["blas", "tile"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("batch_size", [1, 7, 32])
def test_both_engines_train_on_the_same_images(batch_size, dtype, operations, source):
    plan, parameters, X, targets = image_problem(dtype, operations, source)
    X = (X / 255).astype(source) if source != "uint8" else X
    results = [
        train(
            engine, plan, parameters, X, targets, "cross_entropy", "momentum", batch_size=batch_size,
            rate=1e-6 if source == "uint8" else 0.01, augmentation=augmentation,
        )
        for engine, augmentation in (
            (native, options_of(*both)), (reference, options_of(*both)), (native, None),
        )
    ]  # fmt: skip
    tolerance = 1e-4 if dtype == "float32" else 1e-10
    assert_allclose(results[0][1], results[1][1], rtol=tolerance)
    assert_allclose(results[0][0], results[1][0], atol=tolerance)
    assert np.abs(results[0][1] / results[2][1] - 1).max() > 1e-3


@pytest.mark.skipif(not core.has_bfloat16(), reason="this processor has no AVX512_BF16")
def test_bfloat16_trains_on_the_same_images():
    plan, parameters, X, targets = image_problem("float32", "bfloat16", "float32")
    results = [
        train(
            engine, plan, parameters, X / 255, targets, "cross_entropy", "momentum", rate=0.01, n_steps=12,
            augmentation=options_of(*both),
        )[1]
        for engine in (native, reference)
    ]  # fmt: skip
    assert_allclose(*results, rtol=2e-3)


@pytest.mark.parametrize("operations", ["tile", "bfloat16"])
def test_any_number_of_threads_trains_on_the_same_images(operations):
    if operations == "bfloat16" and not core.has_bfloat16():
        pytest.skip("this processor has no AVX512_BF16")
    plan, parameters, X, targets = image_problem("float32", operations)
    results = [
        train(
            native, plan, parameters, X, targets, "cross_entropy", "momentum", rate=1e-6, batch_size=50,
            n_threads=n_threads, measure=False, augmentation=options_of(*both),
        )
        for n_threads in (1, 2, 3, 4)
    ]  # fmt: skip
    for other in results[1:]:
        assert_array_equal(results[0][0], other[0])
        assert_array_equal(results[0][1], other[1])


def classifier_problem():
    X = images((6, 6, 1), 200)
    return X, (X[:, :18].astype(int).sum(axis=1) > X[:, 18:].astype(int).sum(axis=1)).astype(int)


PARAMS = {"hidden_layer_sizes": (8,), "prepare": "image", "random_state": 0, "batch_size": 32}


def test_a_fit_in_two_parts_sees_the_images_of_one_fit():
    X, y = classifier_problem()
    layers, prepared = [Dense(8), Dense(2, "softmax")], Preparation.fit(X, "image")
    whole, parts = (
        Trainer(
            Network(layers, 36, preparation=prepared, random_state=0), "cross_entropy",
            augmentation=both, batch_size=32, random_state=0,
        )
        for _ in range(2)
    )  # fmt: skip
    whole.fit(X, y, epochs=4)
    parts.fit(X, y, epochs=1)
    parts.fit(X, y, epochs=3)
    assert_array_equal(whole.network.parameters, parts.network.parameters)


def test_only_training_sees_changed_images():
    X, y = classifier_problem()
    model = MLPClassifier(augmentation=both, max_iter=3, **PARAMS).fit(X, y, X_val=X, y_val=y)
    plain = Network(model.network_.layers, 36, dtype="float32", preparation=model.preparation_)
    plain.parameters = model.network_.parameters
    assert_array_equal(plain.predict(X), model.network_.predict(X))
    assert model.validation_scores_[-1] == model.score(X, y)
    assert_allclose(
        model.validation_loss_curve_[-1], plain.evaluate(X, y[:, None], "binary_cross_entropy")[0]
    )


def test_augmentation_survives_a_file_and_names_do(tmp_path):
    X, y = classifier_problem()
    model = MLPClassifier(augmentation=[Shift(1), "flip"], image_shape=(6, 6), max_iter=2, **PARAMS).fit(X, y)
    model.save(tmp_path / "model")
    loaded = fastmlp.load(tmp_path / "model")
    assert list(loaded.augmentation) == [Shift(1), "flip"]
    assert list(loaded.image_shape) == [6, 6]
    same = MLPClassifier(augmentation=(Flip(), Shift(1)), max_iter=2, **PARAMS).fit(X, y)
    assert_array_equal(model.network_.parameters, same.network_.parameters)
    loaded.partial_fit(X, y)


def test_shifts_help_images_that_are_shifted():
    data = fastmlp.datasets.load_digits()
    X_train, y_train = data.X_train[:400], data.y_train[:400]
    options = {"height": 8, "width": 8, "channels": 1, "pixels": 1, "flip": False}
    shifted = reference.augment(data.X_test, np.arange(len(data.X_test)), options, 9, 0)
    scores = [
        fastmlp.fit(X_train, y_train, random_state=0, max_iter=60, augmentation=augmentation).score(
            shifted, data.y_test
        )
        for augmentation in (None, Shift(1))
    ]
    assert scores[1] > scores[0] + 0.1


# ------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("augmentation", "image_shape", "parts"),
    [
        ("turn", None, ("augmentation='turn'", "shift", "flip")),
        ([Shift(), Shift(1)], None, ("augmentation", "two of a kind")),
        (3, None, ("augmentation=3",)),
        ("flip", (5, 5), ("image_shape=(5, 5)", "36")),
        ("flip", (6, 6, 2), ("image_shape", "36")),
        ("flip", 36, ("image_shape", "36")),
        ("flip", (-6, -6), ("image_shape=-6", "at least 1")),
        (None, (5, 5), ("image_shape=(5, 5)", "36")),
        (Shift(6), None, ("pixels=6", "6 x 6")),
        (Shift(3), (2, 18), ("pixels=3", "2 x 18")),
    ],
    ids=str,
)
def test_bad_augmentations_are_refused(augmentation, image_shape, parts):
    X, y = classifier_problem()
    with pytest.raises(ValueError, match=says(*parts)):
        Trainer(Network([Dense(1, "logistic")], 36), "binary_cross_entropy", augmentation=augmentation,
                image_shape=image_shape)  # fmt: skip
    with pytest.raises(ValueError, match=says(*parts[1:])):
        MLPClassifier(augmentation=augmentation, image_shape=image_shape, max_iter=1).fit(X, y)


def test_images_that_are_no_square_need_their_shape():
    with pytest.raises(ValueError, match=says("image_shape=None", "35")):
        Trainer(Network([Dense(1, "logistic")], 35), "binary_cross_entropy", augmentation="flip")


@pytest.mark.parametrize(("pixels", "error"), [(0, ValueError), (1.5, TypeError), (-1, ValueError)])
def test_bad_shifts_are_refused(pixels, error):
    with pytest.raises(error, match="pixels"):
        Shift(pixels)
