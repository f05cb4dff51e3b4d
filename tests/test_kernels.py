"""Every compiled kernel against its NumPy twin: operation x type x instruction set x odd shapes."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fastmlp import activations
from fastmlp.engine import core, kernels, reference
from fastmlp.engine.plan import LANES, padded

#: Those of these kernels; prelu has its own (test_finish_kernels.py).
NAMES = activations.NAMES[:-1]
ISAS = core.instruction_sets()
TOLERANCE = {"float32": 2e-6, "float64": 2e-14}
SHAPES = [(1, 1), (1, 17), (3, 16), (10, 31), (33, 200)]

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_isa = pytest.mark.parametrize("isa", ISAS)
odd_shapes = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: f"{shape[0]}x{shape[1]}")


def random(shape, dtype, seed=0, scale=3.0):
    return (scale * np.random.default_rng(seed).normal(size=shape)).astype(dtype)


def empty_slopes(z, activation):
    """Return where forward leaves the derivative of an activation that keeps it; None for the others."""
    return np.full_like(z, np.nan) if activations.has_slopes(activation) else None


def assert_close(actual, expected, dtype, factor=1):
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(actual, expected, rtol=0, atol=factor * scale * TOLERANCE[dtype])


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


# Below, at and above the sizes of tiles: up to 12 rows by 32 columns.
PRODUCTS = [
    (1, 1, 1),
    (7, 1, 33),
    (20, 3, 32),
    (64, 33, 20),
    (33, 64, 16),
    (40, 13, 49),
    (97, 50, 128),
    (70, 37, 3),
    (33, 50, 8),
]

both_operations = pytest.mark.parametrize("operations", ["blas", "tile"])


@both_types
@every_isa
@both_operations
@pytest.mark.parametrize("activation", [*NAMES[:5], "leaky_relu(0.2)", "gelu"])
@pytest.mark.parametrize(("n_in", "n_out", "n_samples"), PRODUCTS)
def test_matrix_operations(n_in, n_out, n_samples, activation, operations, isa, dtype):
    weight, bias = random((n_out, n_in), dtype, 0, 0.3), random(n_out, dtype, 1)
    z = random((n_in, n_samples), dtype, 2)
    input_slopes, expected_slopes = empty_slopes(z, activation), np.empty((n_out, n_samples), dtype)
    x = reference.activation_forward(z, activation, input_slopes)
    d_y = random((n_out, n_samples), dtype, 3)
    padded_weight = kernels.pad_rows(weight)
    slopes = None if input_slopes is None else kernels.pad(expected_slopes)
    y = kernels.linear_forward(
        padded_weight, bias, kernels.pad(x), n_samples, activation, isa, operations, slopes
    )
    expected = reference.linear_forward(
        weight, bias, x, activation, None if slopes is None else expected_slopes
    )
    assert_close(y, expected, dtype, 10)
    if slopes is not None:
        assert_close(slopes[:, :n_samples], expected_slopes, dtype, 10)
        slopes = kernels.pad(input_slopes)
    d_x = kernels.linear_backward(
        padded_weight, kernels.pad(d_y), kernels.pad(x), n_samples, activation, isa, operations, slopes
    )
    assert_close(d_x, reference.linear_backward(weight, d_y, x, activation, input_slopes), dtype, 10)


@both_types
@every_isa
@both_operations
@pytest.mark.parametrize(("n_in", "n_out", "n_samples"), PRODUCTS)
@pytest.mark.parametrize(
    "options",
    [
        {"solver": "sgd", "momentum": 0.0},
        {"solver": "sgd", "momentum": 0.9},
        {"solver": "sgd", "momentum": 0.9, "nesterov": True},
        {"solver": "adam", "beta_1": 0.9, "beta_2": 0.99, "epsilon": 1e-8},
    ],
    ids=["plain", "momentum", "nesterov", "adam"],
)
def test_linear_update_by_every_solver(options, n_in, n_out, n_samples, operations, isa, dtype):
    options = {"nesterov": False, "momentum": 0.0, "learning_rate": 0.05, "l2": 0.02, **options}
    n_moments = 2 if options["solver"] == "adam" else int(options["momentum"] > 0)
    x, d_y = random((n_in, n_samples), dtype, 0), random((n_out, n_samples), dtype, 1)
    weight, bias = random((n_out, n_in), dtype, 2), random(n_out, dtype, 3)
    moments = [
        (np.abs(random((n_out, n_in), dtype, 4 + k)), np.abs(random(n_out, dtype, 6 + k)))
        for k in range(n_moments)
    ]
    expected = [weight.copy(), bias.copy(), *(part.copy() for pair in moments for part in pair)]
    weight, moments = kernels.pad_rows(weight), [(kernels.pad_rows(w), b) for w, b in moments]
    d_y_padded = kernels.pad(d_y)
    kernels.linear_update(
        weight, bias, moments, d_y_padded, kernels.pad(x), n_samples, options, isa, operations
    )
    d_weight, d_bias = reference.linear_gradient(d_y, x)
    step = reference.STEPS[options["solver"]]
    step(expected[0], expected[2::2], d_weight, options)
    step(expected[1], expected[3::2], d_bias, {**options, "l2": 0.0})
    for actual, wanted in zip(
        [weight, bias, *(part for pair in moments for part in pair)], expected, strict=True
    ):
        if wanted.ndim == 2:
            assert (actual[:, n_in:] == 0).all()
            actual = actual[:, :n_in]
        assert_close(actual, wanted, dtype, 20)


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


@every_isa
@both_types
@pytest.mark.parametrize("n_samples", [1, 3, 8])
def test_a_few_samples_have_the_bits_that_they_have_in_a_batch(n_samples, dtype, isa):
    weight, bias = kernels.pad_rows(random((45, 37), dtype)), random(45, dtype, 1)
    x, d = random((37, 50), dtype, 2), random((45, 50), dtype, 3)
    few_x, few_d = kernels.pad(x[:, :n_samples]), kernels.pad(d[:, :n_samples])
    np.testing.assert_array_equal(
        kernels.linear_forward(weight, bias, few_x, n_samples, "relu", isa, "tile"),
        kernels.linear_forward(weight, bias, kernels.pad(x), 50, "relu", isa, "tile")[:, :n_samples],
    )
    np.testing.assert_array_equal(
        kernels.linear_backward(weight, few_d, few_x, n_samples, "relu", isa, "tile"),
        kernels.linear_backward(weight, kernels.pad(d), kernels.pad(x), 50, "relu", isa, "tile")[
            :, :n_samples
        ],
    )


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
