"""How accurate the activations are, in units in the last place, and what they do at the ends of the numbers.

The bounds are those that csrc/kernels/elementary.h states, rounded up.
"""

import numpy as np
import pytest

from faces import kernels
from fastmlp import activations
from fastmlp.engine import core
from fastmlp.engine.reference import native as reference
from helpers.pytorch import pytorch

ISAS = core.instruction_sets()
NEW = [name for name in activations.NAMES[5:] if name != "prelu"]  # it has kernels of its own

# In float32: the largest error with fused multiply-add and without, and from which z on it holds.
LARGEST = {
    "tanh": (2.6, 2.6, -50),
    "logistic": (2.9, 2.9, -87),
    "elu": (1.3, 1.4, -87),
    "elu(0.5)": (1.3, 1.4, -87),
    "selu": (2.2, 2.3, -87),
    "softplus": (2.9, 2.9, -87),
    "silu": (3.7, 3.7, -87),
    "mish": (4.4, 4.4, -87),
    "gelu": (7.7, 8.2, -3),
    "gelu_tanh": (18, 20, -3),
}
LARGEST_FAR_BELOW = {"gelu": (7.7, 70, -12.9), "gelu_tanh": (195, 210, -9.9)}

both_types = pytest.mark.parametrize("dtype", ["float32", "float64"])
every_isa = pytest.mark.parametrize("isa", ISAS)


def forward(z, activation, isa, slopes=None):
    """Return activation(z) of a row of whole lanes."""
    # A bias of minus zero leaves the sign of a zero.
    return kernels.activation_forward(
        z[None], np.full(1, -0.0, z.dtype), len(z), activation, isa, None if slopes is None else slopes[None]
    )[0]


def grid(low, high):
    """Return float32 numbers, evenly over the range and closely about zero."""
    near = np.logspace(-30, 0, 20000)
    z = np.concatenate([np.linspace(low, high, 200000), np.linspace(-3, 3, 200000), near, -near])
    return z[: len(z) // 16 * 16].astype(np.float32)


def units_in_the_last_place(y, truth):
    return np.abs(y - truth) / np.spacing(np.abs(truth).astype(np.float32)).astype(np.float64)


@every_isa
@pytest.mark.parametrize(
    ("activation", "bounds"), [*LARGEST.items(), *LARGEST_FAR_BELOW.items()], ids=lambda value: str(value)
)
def test_float32_is_within_a_few_units_in_the_last_place(activation, bounds, isa):
    fused, unfused, low = bounds
    z = grid(low, 50)
    error = units_in_the_last_place(
        forward(z, activation, isa), reference.activation_forward(z.astype(np.float64), activation)
    )
    assert error.max() <= (unfused if isa == "portable" else fused)


@every_isa
def test_exp_is_within_two_units_in_the_last_place(isa):
    z = np.linspace(-87.3, -18, 400000, dtype=np.float32)  # where 1 + e^z is 1, the logistic sigmoid is e^z
    error = units_in_the_last_place(forward(z, "logistic", isa), np.exp(z.astype(np.float64)))
    assert error.max() <= 2


@every_isa
@pytest.mark.parametrize("activation", ["gelu", "gelu_tanh", "silu", "mish"])
def test_slopes_are_within_a_few_epsilons(activation, isa):
    z = grid(-87, 87)
    slopes, expected = np.empty_like(z), np.empty(len(z))
    forward(z, activation, isa, slopes)
    reference.activation_forward(z.astype(np.float64), activation, expected)
    assert np.abs(slopes - expected).max() <= 3 * np.finfo(np.float32).eps


@every_isa
@pytest.mark.parametrize("activation", ["elu", "selu", "softplus", "silu", "mish"])
def test_float64_is_within_a_few_epsilons_of_long_double(activation, isa):
    z = np.linspace(-700, 700, 32000)
    expected = reference.activation_forward(z.astype(np.longdouble), activation)
    error = np.abs(forward(z, activation, isa) - expected) / np.maximum(np.abs(expected), 1e-300)
    assert error.max() <= 4 * np.finfo(np.float64).eps


# Phi(z) in 20 digits, by mpmath: ncdf(z).
NORMAL = {
    -37.0: 5.7255712225245768227e-300,
    -20.0: 2.7536241186062336951e-89,
    -8.0: 6.2209605742717841235e-16,
    -5.0: 2.8665157187919391167e-7,
    -1.0: 0.15865525393145705142,
    -0.001: 0.49960105778608893741,
    0.5: 0.69146246127401310364,
    3.0: 0.99865010196836990547,
}


@pytest.mark.parametrize("isa", [isa for isa in ISAS if isa != "portable"])
def test_gelu_in_float64_keeps_its_digits_far_below_zero(isa):
    z = np.resize(list(NORMAL), 16)
    np.testing.assert_allclose(
        forward(z, "gelu", isa), z * np.resize(list(NORMAL.values()), 16), rtol=1.5e-15
    )


@both_types
@every_isa
@pytest.mark.parametrize("activation", NEW)
def test_the_ends_of_the_numbers_are_pytorchs(activation, isa, dtype):
    """Compare with PyTorch 2.13 in float64; in float32 its gelu makes infinity of the largest number."""
    info = np.finfo(dtype)
    high, low = info.max, info.tiny
    z = np.array([-np.inf, np.inf, np.nan, -0.0, 0.0, -high, high, -low, low] + [0.0] * 7, dtype)
    slopes = np.empty_like(z) if activations.has_slopes(activation) else None
    below = {"elu": -1.0, "selu": -reference.SELU_SCALE * reference.SELU_ALPHA, "softplus": 0.0}
    at_zero = np.log(2) if activation == "softplus" else 0.0
    y = forward(z, activation, isa, slopes)
    if activation == "leaky_relu":
        expected = np.array([-np.inf, np.inf, np.nan, -0.0, 0.0, 0.01 * -high, high], dtype)
    else:
        expected = np.array(
            [
                below.get(activation, np.nan),  # -inf times zero
                np.inf, np.nan, at_zero or -0.0, at_zero, below.get(activation, -0.0),
                np.inf if activation == "selu" else high,
            ],
            dtype,
        )  # fmt: skip
    np.testing.assert_allclose(y[:7], expected, rtol=4 * info.eps)
    if activation != "softplus":
        np.testing.assert_array_equal(np.signbit(y[3:5]), [True, False])
        # The smallest normal numbers are multiplied by the derivative at zero, or flushed.
        rates = {"leaky_relu": (0.01, 1), "elu": (1, 1), "mish": (0.6, 0.6)}
        rates["selu"] = (reference.SELU_SCALE * reference.SELU_ALPHA, reference.SELU_SCALE)
        rate = np.array(rates.get(activation, (0.5, 0.5)))
        assert (np.abs(y[7:9] - rate * z[7:9]) <= 1e-6 * low).all()
    if slopes is not None:
        np.testing.assert_allclose(slopes[5:7], [0, 1], atol=1e-30)
        np.testing.assert_allclose(slopes[3:5], 0.6 if activation == "mish" else 0.5, rtol=1e-6)
        assert np.isnan(slopes[2])


@both_types
def test_the_ends_of_the_numbers_in_pytorch(dtype):
    torch = pytest.importorskip("torch")
    info = np.finfo(dtype)
    z = np.array([np.nan, -0.0, 0.0, -info.max, info.max / 2, -1e30, 1e30, -100, 100] + [0.0] * 7, dtype)
    for activation in NEW:
        y = forward(z, activation, ISAS[-1])
        theirs = pytorch(torch, activation)(torch.from_numpy(z)).numpy()
        np.testing.assert_allclose(y, theirs, rtol=4 * info.eps, atol=1e-40, err_msg=activation)
        zeros = y == 0
        # PyTorch's gelu loses the sign of a zero on AVX2, not on AVX-512; z Phi(z) has that of z.
        signed = z if activation == "gelu" else theirs
        np.testing.assert_array_equal(np.signbit(y[zeros]), np.signbit(signed[zeros]), err_msg=activation)
