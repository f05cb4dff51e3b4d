"""The operations of a layer behind its product as Python functions: normalisation, PReLU, dropout; and noise.

Arrays are feature-major, (units, stride), the stride padded; inputs that are disturbed are (samples, stride).
What an operation overwrites is copied first, and returned.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastmlp.engine.core cimport find_kernels, find_operations
from fastmlp.engine.csrc cimport *


cdef dtype_t dtype_of(floating[:, ::1] x) noexcept:
    return DTYPE_F32 if floating is float else DTYPE_F64


cdef batch_t batch_for(floating[:, ::1] x, int64_t n_samples) noexcept:
    cdef batch_t batch
    memset(&batch, 0, sizeof(batch))
    batch.dtype = dtype_of(x)
    batch.n_samples, batch.stride = n_samples, x.shape[1]
    return batch


cdef block_t all_of(floating[:, ::1] x, int64_t n_samples) noexcept:
    cdef block_t block
    block.unit, block.n_units, block.sample, block.n_samples, block.member = 0, x.shape[0], 0, n_samples, 0
    return block


cdef random_t random_of(seed, step, stream):
    cdef random_t random
    fastmlp_set_step(&random, seed, step)
    random.stream = stream
    return random


#: The streams of random numbers, by what draws from them; of dropout those of layer i are 16 i further.
STREAMS = {
    "shuffle": STREAM_SHUFFLE,
    "augment": STREAM_AUGMENT,
    "input_noise": STREAM_INPUT_NOISE,
    "input_dropout": STREAM_INPUT_DROPOUT,
    "dropout": STREAM_DROPOUT,
}
#: From the streams of one layer to those of the next.
STREAMS_PER_LAYER = N_STREAMS


cdef norm_t norm_for(floating[:, ::1] z, floating[::1] scale, double epsilon) noexcept:
    cdef norm_t norm
    memset(&norm, 0, sizeof(norm))
    norm.n_units, norm.epsilon = z.shape[0], epsilon
    norm.scale.value = &scale[0]
    return norm


def batch_norm_forward(floating[:, ::1] z, floating[::1] mean, floating[::1] variance, floating[::1] scale,
                       floating[::1] bias, int64_t n_samples, double epsilon, double momentum, isa,
                       bint is_fixed=False):
    """Return the outputs, the normed and the inverse deviations; move the running mean and variance."""
    out, normed = np.array(z), np.full_like(z, np.nan)
    inverse = np.empty_like(mean)
    cdef floating[:, ::1] out_view = out, normed_view = normed
    cdef floating[::1] inverse_view = inverse
    cdef batch_t batch = batch_for(z, n_samples)
    cdef block_t block = all_of(z, n_samples)
    cdef norm_t norm = norm_for(z, scale, epsilon)
    batch.norm_momentum, norm.is_fixed, norm.bias.value = momentum, is_fixed, &bias[0]
    norm.z, norm.normed, norm.inverse = &out_view[0, 0], &normed_view[0, 0], &inverse_view[0]
    norm.mean, norm.variance = &mean[0], &variance[0]
    find_operations(isa, batch.dtype).batch_norm.forward.run(&norm, &batch, &block)
    return out[:, :n_samples], normed[:, :n_samples], inverse


def batch_norm_backward(floating[:, ::1] d, floating[:, ::1] normed, floating[::1] inverse,
                        floating[::1] scale, int64_t n_samples, isa, bint is_fixed=False):
    """Return the gradient before it (padded), and those of the scale and the bias."""
    out, d_scale, d_bias = np.array(d), np.empty_like(scale), np.empty_like(scale)
    cdef floating[:, ::1] out_view = out
    cdef floating[::1] d_scale_view = d_scale, d_bias_view = d_bias
    cdef batch_t batch = batch_for(d, n_samples)
    cdef block_t block = all_of(d, n_samples)
    cdef norm_t norm = norm_for(d, scale, 0)
    norm.is_fixed, norm.d_z, norm.normed, norm.inverse = is_fixed, &out_view[0, 0], &normed[0, 0], &inverse[0]
    norm.scale.gradient, norm.bias.gradient = &d_scale_view[0], &d_bias_view[0]
    find_operations(isa, batch.dtype).batch_norm.backward.run(&norm, &batch, &block)
    return out, d_scale, d_bias


def fold_norm(floating[::1] scale, floating[::1] bias, floating[::1] mean, floating[::1] variance,
              double epsilon, isa):
    """Return the scale and bias that normalise by the running mean and variance."""
    out_scale, out_bias = np.empty_like(scale), np.empty_like(bias)
    cdef floating[::1] scale_view = out_scale, bias_view = out_bias
    cdef floating[:, ::1] like = np.empty((scale.shape[0], 1), dtype=out_scale.dtype)
    cdef batch_t batch = batch_for(like, 1)
    cdef block_t block = all_of(like, 1)
    cdef norm_t norm = norm_for(like, scale, epsilon)
    norm.bias.value, norm.mean, norm.variance = &bias[0], &mean[0], &variance[0]
    norm.folded_scale, norm.folded_bias = &scale_view[0], &bias_view[0]
    find_operations(isa, batch.dtype).fold_norm.forward.run(&norm, &batch, &block)
    return out_scale, out_bias


def layer_norm_forward(floating[:, ::1] z, floating[::1] scale, floating[::1] bias, int64_t n_samples,
                       double epsilon, isa):
    """Return the outputs, the normed and the inverse deviations of the samples."""
    out, normed = np.array(z), np.full_like(z, np.nan)
    inverse = np.full(z.shape[1], np.nan, dtype=out.dtype)
    cdef floating[:, ::1] out_view = out, normed_view = normed
    cdef floating[::1] inverse_view = inverse
    cdef batch_t batch = batch_for(z, n_samples)
    cdef block_t block = all_of(z, n_samples)
    cdef norm_t norm = norm_for(z, scale, epsilon)
    norm.z, norm.normed, norm.inverse = &out_view[0, 0], &normed_view[0, 0], &inverse_view[0]
    norm.bias.value = &bias[0]
    find_operations(isa, batch.dtype).layer_norm.forward.run(&norm, &batch, &block)
    return out[:, :n_samples], normed[:, :n_samples], inverse[:n_samples]


def layer_norm_backward(floating[:, ::1] d, floating[:, ::1] normed, floating[::1] inverse,
                        floating[::1] scale, int64_t n_samples, isa):
    """Return the gradient before it (padded), and those of the scale and the bias."""
    out, d_scale, d_bias = np.array(d), np.empty_like(scale), np.empty_like(scale)
    cdef floating[:, ::1] out_view = out
    cdef floating[::1] d_scale_view = d_scale, d_bias_view = d_bias
    cdef batch_t batch = batch_for(d, n_samples)
    cdef block_t block = all_of(d, n_samples)
    cdef norm_t norm = norm_for(d, scale, 0)
    norm.d_z, norm.normed, norm.inverse = &out_view[0, 0], &normed[0, 0], &inverse[0]
    norm.scale.gradient, norm.bias.gradient = &d_scale_view[0], &d_bias_view[0]
    find_operations(isa, batch.dtype).norm_sums.backward.run(&norm, &batch, &block)
    find_operations(isa, batch.dtype).layer_norm.backward.run(&norm, &batch, &block)
    return out, d_scale, d_bias


def prelu_forward(floating[:, ::1] z, floating[::1] slope, int64_t n_samples, isa):
    """Return the outputs, and z as it is kept for the way back."""
    out, kept = np.array(z), np.full_like(z, np.nan)
    cdef floating[:, ::1] out_view = out, kept_view = kept
    cdef batch_t batch = batch_for(z, n_samples)
    cdef block_t block = all_of(z, n_samples)
    cdef prelu_t prelu
    memset(&prelu, 0, sizeof(prelu))
    prelu.slope.value, prelu.outputs, prelu.kept = &slope[0], &out_view[0, 0], &kept_view[0, 0]
    find_operations(isa, batch.dtype).prelu.forward.run(&prelu, &batch, &block)
    return out[:, :n_samples], kept[:, :n_samples]


def prelu_backward(floating[:, ::1] d, floating[:, ::1] kept, floating[::1] slope, int64_t n_samples, isa):
    """Return the gradient before it (padded), and that of the slopes."""
    out, d_slope = np.array(d), np.empty_like(slope)
    cdef floating[:, ::1] out_view = out
    cdef floating[::1] d_slope_view = d_slope
    cdef batch_t batch = batch_for(d, n_samples)
    cdef block_t block = all_of(d, n_samples)
    cdef prelu_t prelu
    memset(&prelu, 0, sizeof(prelu))
    prelu.slope.value, prelu.slope.gradient = &slope[0], &d_slope_view[0]
    prelu.d_outputs, prelu.kept = &out_view[0, 0], &kept[0, 0]
    find_operations(isa, batch.dtype).prelu.backward.run(&prelu, &batch, &block)
    return out, d_slope


def dropout_forward(floating[:, ::1] y, int64_t n_samples, double rate, seed, step, stream, isa,
                    int64_t first_unit=0, int64_t first_sample=0):
    """Return the outputs that are left, the factors that made them, and the outputs as they were.

    From ``first_unit`` and ``first_sample`` on; the other factors are NaN.
    """
    out, factors, undropped = np.array(y), np.full_like(y, np.nan), np.full_like(y, np.nan)
    cdef floating[:, ::1] out_view = out, factors_view = factors, undropped_view = undropped
    cdef batch_t batch = batch_for(y, n_samples)
    cdef block_t block = all_of(y, n_samples)
    cdef dropout_t dropout
    memset(&dropout, 0, sizeof(dropout))
    batch.random = random_of(seed, step, stream)
    block.unit, block.n_units = first_unit, block.n_units - first_unit
    block.sample, block.n_samples = first_sample, n_samples - first_sample
    dropout.rate, dropout.stream = rate, stream
    dropout.outputs, dropout.factors = &out_view[0, 0], &factors_view[0, 0]
    dropout.undropped = &undropped_view[0, 0]
    find_operations(isa, batch.dtype).dropout.forward.run(&dropout, &batch, &block)
    return out[:, :n_samples], factors[:, :n_samples], undropped[:, :n_samples]


def dropout_backward(floating[:, ::1] d, floating[:, ::1] factors, int64_t n_samples, isa):
    """Return the gradient of what was there before."""
    out = np.array(d)
    cdef floating[:, ::1] out_view = out
    cdef batch_t batch = batch_for(d, n_samples)
    cdef block_t block = all_of(d, n_samples)
    cdef dropout_t dropout
    memset(&dropout, 0, sizeof(dropout))
    dropout.d_outputs, dropout.factors = &out_view[0, 0], &factors[0, 0]
    find_operations(isa, batch.dtype).dropout.backward.run(&dropout, &batch, &block)
    return out[:, :n_samples]


def input_dropout(floating[:, ::1] x, int64_t n_features, double rate, seed, step, stream, isa,
                  int64_t first_sample=0):
    """Return the inputs that are left, (samples, stride)."""
    out = np.array(x)
    cdef floating[:, ::1] out_view = out
    cdef random_t random = random_of(seed, step, stream)
    find_kernels(isa, dtype_of(x)).input_dropout(
        &out_view[0, 0], &random, first_sample, x.shape[0], n_features, x.shape[1], rate)
    return out


def input_noise(floating[:, ::1] x, int64_t n_features, double deviation, seed, step, stream, isa,
                int64_t first_sample=0):
    """Return the inputs with noise, (samples, stride)."""
    out = np.array(x)
    cdef floating[:, ::1] out_view = out
    cdef random_t random = random_of(seed, step, stream)
    find_kernels(isa, dtype_of(x)).input_noise(
        &out_view[0, 0], &random, first_sample, x.shape[0], n_features, x.shape[1], deviation)
    return out
