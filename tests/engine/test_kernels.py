"""Every compiled kernel against its NumPy twin: operation x type x instruction set x odd shapes."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from faces import kernels
from fastmlp import activations
from fastmlp.engine import core
from fastmlp.engine.plan import LANES, padded
from fastmlp.engine.reference import native as reference
from helpers.kernels import (
    ISAS,
    NAMES,
    assert_close,
    both_types,
    empty_slopes,
    every_isa,
    odd_shapes,
    random,
)


@both_types
@every_isa
@odd_shapes
@pytest.mark.parametrize("activation", NAMES)
def test_activation_forward(activation, shape, isa, dtype):
    z, bias = random(shape, dtype), random(shape[0], dtype, 1)
    y = kernels.activation_forward(kernels.pad(z), bias, shape[1], activation, isa)
    assert_close(y, reference.activation_forward(z + bias[:, None], activation), dtype)


@both_types
@every_isa
@odd_shapes
@pytest.mark.parametrize("activation", NAMES)
def test_activation_backward(activation, shape, isa, dtype):
    z, d, zeros = random(shape, dtype), random(shape, dtype, 1), np.zeros(shape[0], dtype)
    slopes, expected_slopes = empty_slopes(kernels.pad(z), activation), empty_slopes(z, activation)
    kernels.activation_forward(kernels.pad(z), zeros, shape[1], activation, isa, slopes)
    y = reference.activation_forward(z, activation, expected_slopes)
    d_z = kernels.activation_backward(kernels.pad(d), kernels.pad(y), shape[1], activation, isa, slopes)
    assert_close(d_z, reference.activation_backward(d, y, activation, expected_slopes), dtype)


@both_types
@every_isa
@pytest.mark.parametrize("activation", NAMES)
def test_activations_pass_on_what_is_not_a_number(activation, isa, dtype):
    z = np.zeros((3, 5), dtype)
    z[1, 2] = np.nan
    y = kernels.activation_forward(kernels.pad(z), np.zeros(3, dtype), 5, activation, isa)
    assert np.isnan(y[1, 2])


@both_types
@every_isa
@pytest.mark.parametrize("activation", ["tanh", "logistic", "softmax"])
def test_activations_saturate_without_overflow(activation, isa, dtype):
    z = np.array([[-np.inf, -1e30, -1000, -88, 88, 1000, 1e30], [0, 0, 0, 0, 0, 0, 0]], dtype)
    y = kernels.activation_forward(kernels.pad(z), np.zeros(2, dtype), 7, activation, isa)
    assert_close(y, reference.activation_forward(z, activation), dtype)


@every_isa
@settings(deadline=None)
@given(st.lists(st.floats(-100, 100, width=32), min_size=1, max_size=40))
@example([-87.3125])  # its exponential is just above the smallest normal number
def test_elementary_functions_are_accurate_to_a_few_units_in_the_last_place(isa, values):
    z = np.array([values])
    for dtype, tolerance in (("float32", 5e-7), ("float64", 1e-15)):
        x = z.astype(dtype)
        exact = x.astype(np.longdouble)
        for activation, truth in (("tanh", np.tanh(exact)), ("logistic", 1 / (1 + np.exp(-exact)))):
            y = kernels.activation_forward(kernels.pad(x), np.zeros(1, dtype), x.shape[1], activation, isa)
            error = np.abs(y - truth)
            assert (error <= tolerance * np.abs(truth) + np.finfo(dtype).tiny).all()


@both_types
@every_isa
@odd_shapes
def test_cross_entropy(shape, isa, dtype):
    z = random(shape, dtype, scale=10)
    labels = np.random.default_rng(1).integers(0, shape[0], shape[1]).astype(np.int32)
    losses, d = kernels.cross_entropy(kernels.pad(z), labels, 0.25, isa)
    expected_losses, expected_d = reference.cross_entropy(z, labels, 0.25)
    assert_close(losses, expected_losses, dtype, 4)
    assert_close(d[:, : shape[1]], expected_d, dtype)
    assert (d[:, shape[1] :] == 0).all()


@both_types
@every_isa
@odd_shapes
@pytest.mark.parametrize("loss", ["binary_cross_entropy", "squared_error"])
def test_losses_with_dense_targets(loss, shape, isa, dtype):
    z = random(shape, dtype, scale=10)
    targets = np.random.default_rng(1).random(shape).astype(dtype)
    losses, d = getattr(kernels, loss)(kernels.pad(z), kernels.pad(targets), shape[1], 0.25, isa)
    expected_losses, expected_d = getattr(reference, loss)(z, targets, 0.25)
    assert_close(losses, expected_losses, dtype, 4)
    assert_close(d[:, : shape[1]], expected_d, dtype)
    assert (d[:, shape[1] :] == 0).all()


@both_types
@every_isa
@odd_shapes
def test_weigh(shape, isa, dtype):
    d, losses, weights = random(shape, dtype), random(shape[1], dtype, 1), np.abs(random(shape[1], dtype, 2))
    padded_losses, padded_weights = kernels.pad(losses[None])[0], np.zeros(padded(shape[1]), dtype)
    padded_weights[: shape[1]] = weights
    padded_d = np.zeros((shape[0], padded(shape[1])), dtype)
    padded_d[:, : shape[1]] = d
    actual_d, actual_losses = kernels.weigh(padded_d, padded_losses, padded_weights, isa)
    expected_d, expected_losses = reference.weigh(d, losses, weights)
    np.testing.assert_array_equal(actual_d[:, : shape[1]], expected_d)
    np.testing.assert_array_equal(actual_losses[: shape[1]], expected_losses)
    assert (actual_d[:, shape[1] :] == 0).all()


@both_types
@every_isa
@odd_shapes
@pytest.mark.parametrize("rest", [0.0, 0.01, 0.8])
def test_average(rest, shape, isa, dtype):
    mean, w = random(shape, dtype), random(shape, dtype, 1)
    expected = mean.copy()
    kernels.average(mean, w, rest, isa)
    reference.average(expected, w, rest)
    assert_close(mean, expected, dtype)


@both_types
@every_isa
@odd_shapes
def test_sums(shape, isa, dtype):
    x = random(shape, dtype)
    assert_close(kernels.row_sums(kernels.pad(x), shape[1], isa), x.sum(axis=1), dtype, 20)
    np.testing.assert_allclose(kernels.sum_of_squares(x, isa), np.square(x.astype(float)).sum(), rtol=1e-14)


@both_types
@every_isa
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("at", [(0, 0), (2, 31), (1, 17)])
def test_is_finite(at, bad, isa, dtype):
    x = random((3, 32), dtype)
    x[0, 1], x[1, 0] = np.finfo(dtype).max, -0.0
    assert kernels.is_finite(x, isa) is reference.is_finite(x) is True
    x[at] = bad
    assert kernels.is_finite(x, isa) is reference.is_finite(x) is False


@both_types
@every_isa
@odd_shapes
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [None, 0.9])
def test_sgd_step(momentum, nesterov, shape, isa, dtype):
    options = {
        "solver": "sgd",
        "nesterov": nesterov,
        "momentum": momentum or 0.0,
        "learning_rate": 0.1,
        "l2": 0.01,
    }
    w, gradient = random(shape, dtype), random(shape, dtype, 1)
    moments = [] if momentum is None else [random(shape, dtype, 2)]
    expected_w, expected_moments = w.copy(), [m.copy() for m in moments]
    kernels.solver_step(w, moments, gradient, options, isa)
    reference.sgd_step(expected_w, expected_moments, gradient, options)
    assert_close(w, expected_w, dtype)
    for moment, expected in zip(moments, expected_moments, strict=True):
        assert_close(moment, expected, dtype)


@both_types
@every_isa
@odd_shapes
def test_adam_step(shape, isa, dtype):
    options = {
        "solver": "adam",
        "beta_1": 0.9,
        "beta_2": 0.99,
        "epsilon": 1e-8,
        "learning_rate": 0.1,
        "l2": 0.01,
    }
    w, gradient = random(shape, dtype), random(shape, dtype, 1)
    moments = [random(shape, dtype, 2), np.abs(random(shape, dtype, 3))]
    expected_w, expected_moments = w.copy(), [m.copy() for m in moments]
    kernels.solver_step(w, moments, gradient, options, isa)
    reference.adam_step(expected_w, expected_moments, gradient, options)
    assert_close(w, expected_w, dtype, 4)
    for moment, expected in zip(moments, expected_moments, strict=True):
        assert_close(moment, expected, dtype)


def sources(n, m):
    """The layouts that a user's matrix can have: name -> array (n, m)."""
    rng = np.random.default_rng(0)
    base = rng.integers(0, 256, (2 * n, 3 * m))
    readonly = base[:n, :m].astype(np.float32)
    readonly.flags.writeable = False
    unaligned = np.frombuffer(b"\0" + base[:n, :m].astype(np.float64).tobytes(), np.uint8)[1:]
    return {
        "uint8": base[:n, :m].astype(np.uint8),
        "float32": base[:n, :m].astype(np.float32),
        "float64": base[:n, :m].astype(np.float64),
        "uint8 strided": base.astype(np.uint8)[::2, ::3],
        "float32 reversed": base.astype(np.float32)[n - 1 :: -1, m - 1 :: -1],
        "float64 columns first": np.asfortranarray(base[:n, :m].astype(np.float64)),
        "float32 read-only": readonly,
        "float64 unaligned": unaligned.view(np.float64).reshape(n, m),
    }


@both_types
@every_isa
@pytest.mark.parametrize("prepared", [False, True])
@pytest.mark.parametrize("layout", sources(1, 1))
def test_gather(layout, prepared, isa, dtype):
    X = sources(20, 37)[layout]
    rows = np.array([3, 3, 19, 0, 7], dtype=np.int64)
    preparation = None
    if prepared:
        rng = np.random.default_rng(1)
        preparation = rng.normal(size=37), rng.random(37)
    expected = reference.gather(X, rows, preparation, np.dtype(dtype))
    assert_close(kernels.gather_rows(X, rows, preparation, dtype, isa), expected.T, dtype)
    columns = kernels.gather_columns(X, rows, preparation, dtype, isa)
    assert_close(columns[:, :5], expected, dtype)
    assert (columns[:, 5:] == 0).all()


@both_types
@every_isa
def test_scatter_rows_transposes(isa, dtype):
    x = random((5, 19), dtype)
    np.testing.assert_array_equal(kernels.scatter_rows(kernels.pad(x), 19, isa), x.T)


@both_types
@every_isa
@odd_shapes
def test_transpose_pads_its_rows_with_zeros(shape, isa, dtype):
    x = random(shape, dtype)
    rows = kernels.transpose(kernels.pad(x), shape[1], isa)
    np.testing.assert_array_equal(rows[:, : shape[0]], x.T)
    assert (rows[:, shape[0] :] == 0).all()


def test_instruction_sets_with_fused_multiply_add_agree_to_the_bit():
    fused = [isa for isa in ISAS if isa != "portable"]
    z, bias = kernels.pad(random((33, 50), "float32")), random(33, "float32", 1)
    weight = kernels.pad_rows(random((33, 33), "float32", 2))
    labels = np.arange(50, dtype=np.int32) % 33
    results = {}
    for isa in fused:
        results[isa] = [
            *(kernels.activation_forward(z, bias, 50, activation, isa) for activation in NAMES),
            *kernels.cross_entropy(z, labels, 0.3, isa),
            kernels.row_sums(z, 50, isa),
            *(kernels.linear_forward(weight, bias, z, 50, activation, isa, "tile") for activation in NAMES),
            kernels.linear_backward(weight, z, z, 50, "tanh", isa, "tile"),
        ]
    for isa in fused[1:]:
        for one, other in zip(results[fused[0]], results[isa], strict=True):
            np.testing.assert_array_equal(one, other)


def test_every_name_of_the_leaves_has_a_code_in_the_engine():
    from fastmlp import losses, optimizers

    assert tuple(core.ACTIVATION_CODES) == activations.NAMES
    # Cross-entropy has two kernels, for labels and for probabilities.
    assert set(core.LOSS_CODES) == {*losses.BY_NAME, "soft_cross_entropy"} == set(reference.LOSSES)
    solvers = {optimizer.solver for optimizer in optimizers.BY_NAME.values()} - {"lbfgs"}
    assert set(core.SOLVER_CODES) == solvers == set(reference.STEPS)


def test_padding_matches_the_core():
    assert core.PADDING == LANES
    assert [padded(n) for n in (1, 16, 17)] == [16, 16, 32]


def test_an_unknown_instruction_set_is_refused(monkeypatch):
    monkeypatch.setenv("FASTMLP_ISA", "sse9")
    with pytest.raises(ValueError, match=r"FASTMLP_ISA='sse9'.*portable"):
        core.instruction_set()
