"""What tests of kernels run over: types, instruction sets and shapes."""

import numpy as np
import pytest

from fastmlp import activations
from fastmlp.engine import core

#: Those of these kernels; prelu has its own (test_operations.py).
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
