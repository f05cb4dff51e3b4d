"""Single kernels, for every instruction set and both types: ``pytest benchmarks --benchmark-only``.

Through `faces.kernels`, so that each time includes the call and the array of the result. The
matrix operations of "blas" differ between instruction sets in the activation or the solver only.
"""

import numpy as np
import pytest

from faces import kernels
from fastmlp import activations
from fastmlp.engine import core

N_IN, N_OUT, N_CLASSES = 784, 256, 10  # padded as they are
N_SAMPLES = 128  # a whole number of padded groups
SGD = {"solver": "sgd", "learning_rate": 1e-3, "momentum": 0.9, "l2": 0.0}
ADAM = {"solver": "adam", "learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8, "l2": 0.0}
SOLVERS = pytest.mark.parametrize(("options", "n_moments"), [(SGD, 1), (ADAM, 2)], ids=["sgd", "adam"])

OPERATIONS = pytest.mark.parametrize("operations", ["blas", "tile"])

pytestmark = [
    pytest.mark.parametrize("isa", core.instruction_sets()),
    pytest.mark.parametrize("dtype", ["float32", "float64"]),
]


@pytest.fixture
def draw(dtype):
    """Return a function that draws random arrays of this type."""
    return lambda *shape: np.random.default_rng(0).standard_normal(shape).astype(dtype)


@pytest.mark.parametrize("source", ["uint8", "float32", "float64"])
@pytest.mark.parametrize("gather", [kernels.gather_rows, kernels.gather_columns])
def test_gather(benchmark, gather, source, isa, dtype):
    rng = np.random.default_rng(0)
    X = rng.integers(256, size=(10000, N_IN)).astype(source)
    prepared = (np.full(N_IN, 127.5), np.full(N_IN, 1 / 127.5))
    rows = rng.permutation(len(X))[:N_SAMPLES]
    benchmark(gather, X, rows, prepared, dtype, isa)


def test_scatter_rows(benchmark, draw, isa):
    benchmark(kernels.scatter_rows, draw(N_OUT, N_SAMPLES), N_SAMPLES, isa)


@pytest.mark.parametrize("activation", activations.NAMES)
def test_activation_forward(benchmark, draw, activation, isa):
    z, bias, slopes = draw(N_OUT, N_SAMPLES), draw(N_OUT), draw(N_OUT, N_SAMPLES)
    benchmark(kernels.activation_forward, z, bias, N_SAMPLES, activation, isa, slopes)


@pytest.mark.parametrize("activation", activations.NAMES)
def test_activation_backward(benchmark, draw, activation, isa):
    d, y, slopes = (draw(N_OUT, N_SAMPLES) for _ in range(3))
    benchmark(kernels.activation_backward, d, y, N_SAMPLES, activation, isa, slopes)


def test_cross_entropy(benchmark, draw, isa):
    labels = np.random.default_rng(0).integers(N_CLASSES, size=N_SAMPLES).astype(np.int32)
    benchmark(kernels.cross_entropy, draw(N_CLASSES, N_SAMPLES), labels, 1 / N_SAMPLES, isa)


def test_binary_cross_entropy(benchmark, draw, isa):
    z, targets = draw(N_CLASSES, N_SAMPLES), draw(N_CLASSES, N_SAMPLES) > 0
    benchmark(kernels.binary_cross_entropy, z, targets.astype(z.dtype), N_SAMPLES, 1 / N_SAMPLES, isa)


def test_squared_error(benchmark, draw, isa):
    y, targets = draw(N_CLASSES, N_SAMPLES), draw(N_CLASSES, N_SAMPLES)
    benchmark(kernels.squared_error, y, targets, N_SAMPLES, 1 / N_SAMPLES, isa)


def test_row_sums(benchmark, draw, isa):
    benchmark(kernels.row_sums, draw(N_OUT, N_SAMPLES), N_SAMPLES, isa)


def test_sum_of_squares(benchmark, draw, isa):
    benchmark(kernels.sum_of_squares, draw(N_OUT, N_IN), isa)


@SOLVERS
def test_solver_step(benchmark, draw, options, n_moments, isa):
    w = draw(N_OUT, N_IN)
    benchmark(kernels.solver_step, w, [np.zeros_like(w) for _ in range(n_moments)], w * 1e-3, options, isa)


def test_transpose(benchmark, draw, isa):
    benchmark(kernels.transpose, draw(N_OUT, N_SAMPLES), N_SAMPLES, isa)


@OPERATIONS
def test_linear_forward(benchmark, draw, operations, isa):
    weight, bias, x = draw(N_OUT, N_IN), draw(N_OUT), draw(N_IN, N_SAMPLES)
    benchmark(kernels.linear_forward, weight, bias, x, N_SAMPLES, "relu", isa, operations)


@OPERATIONS
def test_linear_backward(benchmark, draw, operations, isa):
    weight, d_y, x = draw(N_OUT, N_IN), draw(N_OUT, N_SAMPLES), draw(N_IN, N_SAMPLES)
    benchmark(kernels.linear_backward, weight, d_y, x, N_SAMPLES, "relu", isa, operations)


@OPERATIONS
@SOLVERS
def test_linear_update(benchmark, draw, options, n_moments, operations, isa):
    weight, bias = draw(N_OUT, N_IN), draw(N_OUT)
    moments = [(np.zeros_like(weight), np.zeros_like(bias)) for _ in range(n_moments)]
    d_y, x = draw(N_OUT, N_SAMPLES) * 1e-3, draw(N_IN, N_SAMPLES)
    benchmark(kernels.linear_update, weight, bias, moments, d_y, x, N_SAMPLES, options, isa, operations)
