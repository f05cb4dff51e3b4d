"""The kernels of normalisation, PReLU, dropout and noise against their twins, on every instruction set."""

import numpy as np
import pytest
from faces.kernels import pad, pad_rows

from faces import operations as kernels
from fastmlp.engine import core
from fastmlp.engine.reference import native as reference
from fastmlp.layers import NORM_EPSILON
from helpers.kernels import assert_close, both_types, every_isa, odd_shapes, random

SEED, STEP = 2**40 + 12345, 7
both_statistics = pytest.mark.parametrize("is_fixed", [False, True])


def padded_gradient(d):
    """As the products leave it: zero beyond the last sample."""
    out = pad(d)
    out[:, d.shape[1] :] = 0
    return out


def positive(n, dtype, seed):
    return np.random.default_rng(seed).uniform(0.5, 2, n).astype(dtype)


def assert_nothing_beyond(d, n_samples):
    assert (d[:, n_samples:] == 0).all()


@both_types
@every_isa
@odd_shapes
@both_statistics
def test_batch_norm(is_fixed, shape, isa, dtype):
    z, d, scale, bias = (random(size, dtype, i) for i, size in enumerate((shape, shape, shape[0], shape[0])))
    mean, variance = random(shape[0], dtype, 4), positive(shape[0], dtype, 5)
    twin_mean, twin_variance = mean.copy(), variance.copy()
    y, normed, inverse = kernels.batch_norm_forward(
        pad(z), mean, variance, scale, bias, shape[1], NORM_EPSILON, 0.1, isa, is_fixed
    )
    twin_y, twin_normed, twin_inverse = reference.batch_norm_forward(
        z, twin_mean, twin_variance, scale, bias, NORM_EPSILON, 0.1, is_fixed=is_fixed
    )
    for ours, twin in ((mean, twin_mean), (variance, twin_variance), (inverse, twin_inverse)):
        assert_close(ours, twin, dtype)
    # Of few samples with little spread, the differences are small numbers of large ones.
    assert_close(normed, twin_normed, dtype, 8)
    assert_close(y, twin_y, dtype, 8)
    assert np.array_equal(mean, random(shape[0], dtype, 4)) == is_fixed
    gradients = kernels.batch_norm_backward(
        padded_gradient(d), pad(twin_normed), twin_inverse, scale, shape[1], isa, is_fixed
    )
    twins = reference.batch_norm_backward(d, twin_normed, twin_inverse, scale, is_fixed=is_fixed)
    assert_close(gradients[0][:, : shape[1]], twins[0], dtype, 8)
    assert_nothing_beyond(gradients[0], shape[1])
    for ours, twin in zip(gradients[1:], twins[1:], strict=True):
        assert_close(ours, twin, dtype, 8)


@both_types
@every_isa
def test_fold_norm(isa, dtype):
    scale, bias, mean = (random(37, dtype, i) for i in range(3))
    variance = positive(37, dtype, 3)
    folded = kernels.fold_norm(scale, bias, mean, variance, NORM_EPSILON, isa)
    twins = reference.fold_norm(scale, bias, mean, variance, NORM_EPSILON)
    for ours, twin in zip(folded, twins, strict=True):
        assert_close(ours, twin, dtype)


@both_types
@every_isa
@odd_shapes
def test_layer_norm(shape, isa, dtype):
    z, d, scale, bias = (random(size, dtype, i) for i, size in enumerate((shape, shape, shape[0], shape[0])))
    y, normed, inverse = kernels.layer_norm_forward(pad(z), scale, bias, shape[1], NORM_EPSILON, isa)
    twin_y, twin_normed, twin_inverse = reference.layer_norm_forward(z, scale, bias, NORM_EPSILON)
    assert_close(inverse, twin_inverse, dtype, 8)
    assert_close(normed, twin_normed, dtype, 8)
    assert_close(y, twin_y, dtype, 8)
    inverses = np.full(pad(z).shape[1], np.nan, dtype=dtype)
    inverses[: shape[1]] = twin_inverse
    gradients = kernels.layer_norm_backward(
        padded_gradient(d), pad(twin_normed), inverses, scale, shape[1], isa
    )
    twins = reference.layer_norm_backward(d, twin_normed, twin_inverse, scale)
    assert_close(gradients[0][:, : shape[1]], twins[0], dtype, 8)
    assert_nothing_beyond(gradients[0], shape[1])
    for ours, twin in zip(gradients[1:], twins[1:], strict=True):
        assert_close(ours, twin, dtype, 8)


@both_types
@every_isa
@odd_shapes
def test_prelu(shape, isa, dtype):
    z, d, slope = random(shape, dtype), random(shape, dtype, 1), random(shape[0], dtype, 2)
    y, kept = kernels.prelu_forward(pad(z), slope, shape[1], isa)
    assert_close(y, reference.prelu_forward(z, slope), dtype)
    np.testing.assert_array_equal(kept, z)
    d_z, d_slope = kernels.prelu_backward(padded_gradient(d), pad(z), slope, shape[1], isa)
    twin_d, twin_slope = reference.prelu_backward(d, z, slope)
    assert_close(d_z[:, : shape[1]], twin_d, dtype)
    assert_nothing_beyond(d_z, shape[1])
    assert_close(d_slope, twin_slope, dtype, 4)


@both_types
@every_isa
@odd_shapes
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.999])
def test_dropout(rate, shape, isa, dtype):
    y, d = random(shape, dtype), random(shape, dtype, 1)
    stream = kernels.STREAMS["dropout"] + 3 * kernels.STREAMS_PER_LAYER
    left, factors, undropped = kernels.dropout_forward(pad(y), shape[1], rate, SEED, STEP, stream, isa)
    np.testing.assert_array_equal(undropped, y)
    twin_left, twin_factors = reference.dropout_forward(y, rate, SEED, STEP, stream)
    np.testing.assert_array_equal(factors, twin_factors)
    np.testing.assert_array_equal(left, twin_left)
    back = kernels.dropout_backward(pad(d), pad(factors), shape[1], isa)
    np.testing.assert_array_equal(back, reference.dropout_backward(d, twin_factors))


@every_isa
def test_a_share_of_the_units_and_samples_draws_what_the_whole_does(isa):
    y = np.ones((23, 48), dtype=np.float32)
    stream = kernels.STREAMS["dropout"]
    _, whole, _ = kernels.dropout_forward(y, 48, 0.5, SEED, STEP, stream, isa)
    for unit, sample in ((0, 16), (5, 0), (6, 32), (22, 16)):
        _, factors, _ = kernels.dropout_forward(
            y, 48, 0.5, SEED, STEP, stream, isa, first_unit=unit, first_sample=sample
        )
        np.testing.assert_array_equal(factors[unit:, sample:], whole[unit:, sample:])


@both_types
@every_isa
@pytest.mark.parametrize("n_features", [1, 16, 33, 150])
def test_inputs_that_are_dropped_or_noisy(n_features, isa, dtype):
    x = random((19, n_features), dtype)
    stream = kernels.STREAMS["input_dropout"]
    left = kernels.input_dropout(pad_rows(x), n_features, 0.4, SEED, STEP, stream, isa)
    np.testing.assert_array_equal(
        left[:, :n_features], reference.input_dropout(x.T, 0.4, SEED, STEP, stream).T
    )
    noisy = kernels.input_noise(pad_rows(x), n_features, 0.7, SEED, STEP, stream, isa)
    assert_close(noisy[:, :n_features], reference.input_noise(x.T, 0.7, SEED, STEP, stream).T, dtype, 4)
    for disturbed in (left, noisy):  # products read the padding
        assert (disturbed[:, n_features:] == 0).all()
    # The second part of a batch, made by another member of a team.
    rest = kernels.input_noise(pad_rows(x[16:]), n_features, 0.7, SEED, STEP, stream, isa, first_sample=16)
    np.testing.assert_array_equal(rest, noisy[16:])


def test_every_instruction_set_with_fused_multiply_add_gives_the_same_bits():
    fused = [isa for isa in core.instruction_sets() if isa != "portable"]
    z, d, rows = (random((37, 50), "float32", i) for i in range(3))
    scale, bias, slope = (random(37, "float32", i) for i in range(3, 6))

    def everything(isa):
        mean, variance = np.zeros(37, np.float32), np.ones(37, np.float32)
        batch = kernels.batch_norm_forward(pad(z), mean, variance, scale, bias, 50, 1e-5, 0.1, isa)
        layer = kernels.layer_norm_forward(pad(z), scale, bias, 50, 1e-5, isa)
        inverse = np.ones(64, dtype=np.float32)
        inverse[:50] = layer[2]
        return [
            *batch, mean, variance, *layer,
            *kernels.batch_norm_backward(padded_gradient(d), pad(batch[1]), batch[2], scale, 50, isa),
            *kernels.layer_norm_backward(padded_gradient(d), pad(layer[1]), inverse, scale, 50, isa),
            *kernels.fold_norm(scale, bias, mean, variance, 1e-5, isa),
            *kernels.prelu_forward(pad(z), slope, 50, isa),
            *kernels.prelu_backward(padded_gradient(d), pad(z), slope, 50, isa),
            *kernels.dropout_forward(pad(z), 50, 0.3, SEED, STEP, 4, isa),
            kernels.input_dropout(pad_rows(rows), 50, 0.3, SEED, STEP, 3, isa),
            kernels.input_noise(pad_rows(rows), 50, 0.3, SEED, STEP, 2, isa),
        ]  # fmt: skip

    expected = everything(fused[0])
    for isa in fused[1:]:
        for ours, theirs in zip(everything(isa), expected, strict=True):
            np.testing.assert_array_equal(ours, theirs)


def test_streams_are_numbered_alike_in_both_engines():
    assert kernels.STREAMS == reference.STREAMS
    assert kernels.STREAMS_PER_LAYER == reference.STREAMS_PER_LAYER > max(kernels.STREAMS.values())


# --- What is drawn, by its distribution ---


def test_the_share_that_is_dropped_is_the_rate():
    n = 1000 * 320
    _, factors = reference.dropout_forward(np.ones((1000, 320)), 0.3, SEED, STEP, 4)
    dropped = (factors == 0).sum()
    assert abs(dropped - 0.3 * n) < 5 * np.sqrt(0.3 * 0.7 * n)
    assert set(np.unique(factors)) == {0, 1 / 0.7}


def test_noise_is_normal_and_uncorrelated():
    from scipy import stats

    noise = reference.input_noise(np.zeros((256, 400)), 1.0, SEED, STEP, 2)
    assert stats.kstest(noise.ravel(), "norm").pvalue > 1e-4
    # Neighbours in features and samples, and the two deviates of a pair.
    for one, other in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1]), (noise[:-16], noise[16:])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 5 / np.sqrt(one.size)


@pytest.mark.parametrize("what", [{"seed": SEED + 1}, {"seed": SEED + 2**32}, {"step": 8}, {"stream": 20}])
def test_another_seed_step_or_layer_draws_other_numbers(what):
    told = {"seed": SEED, "step": STEP, "stream": 4}
    factors = [reference.dropout_forward(np.ones((64, 64)), 0.5, **(told | more))[1] for more in ({}, what)]
    assert 0.4 < (factors[0] == factors[1]).mean() < 0.6
