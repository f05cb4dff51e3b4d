"""The matrix operations of the compiled engine, and the solver's step in them, against their NumPy twins."""

import numpy as np
import pytest

from faces import kernels
from fastmlp.engine.reference import native as reference
from helpers.kernels import NAMES, assert_close, both_types, empty_slopes, every_isa, random

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
