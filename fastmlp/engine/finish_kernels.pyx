"""The kernels of finish.pyx as Python functions, as in kernels.pyx: normalisation, PReLU, dropout, noise.

Arrays are feature-major, (units, stride), the stride padded; inputs that are disturbed are (samples, stride).
What a kernel overwrites is copied first, and returned.
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int64_t

from fastmlp.engine.core cimport find_kernels
from fastmlp.engine.csrc cimport *


cdef const kernels_t *kernels_for(floating[:, ::1] x, isa) except NULL:
    return find_kernels(isa, DTYPE_F32 if floating is float else DTYPE_F64)


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


def batch_norm_forward(floating[:, ::1] z, floating[::1] mean, floating[::1] variance, floating[::1] scale,
                       floating[::1] bias, int64_t n_samples, double epsilon, double momentum, isa,
                       bint is_fixed=False):
    """Return the outputs, the normed and the inverse deviations; move the running mean and variance."""
    out, normed = np.array(z), np.full_like(z, np.nan)
    inverse = np.empty_like(mean)
    cdef floating[:, ::1] out_view = out, normed_view = normed
    cdef floating[::1] inverse_view = inverse
    kernels_for(z, isa).batch_norm_forward(
        &out_view[0, 0], &normed_view[0, 0], &inverse_view[0], &mean[0], &variance[0], &scale[0], &bias[0],
        z.shape[0], n_samples, z.shape[1], epsilon, momentum, is_fixed)
    return out[:, :n_samples], normed[:, :n_samples], inverse


def batch_norm_backward(floating[:, ::1] d, floating[:, ::1] normed, floating[::1] inverse,
                        floating[::1] scale, int64_t n_samples, isa, bint is_fixed=False):
    """Return the gradient before it (padded), and those of the scale and the bias."""
    out, d_scale, d_bias = np.array(d), np.empty_like(scale), np.empty_like(scale)
    cdef floating[:, ::1] out_view = out
    cdef floating[::1] d_scale_view = d_scale, d_bias_view = d_bias
    kernels_for(d, isa).batch_norm_backward(
        &out_view[0, 0], &d_scale_view[0], &d_bias_view[0], &normed[0, 0], &inverse[0], &scale[0], d.shape[0],
        n_samples, d.shape[1], is_fixed, False)
    return out, d_scale, d_bias


def fold_norm(floating[::1] scale, floating[::1] bias, floating[::1] mean, floating[::1] variance,
              double epsilon, isa):
    """Return the scale and bias that normalise by the running mean and variance."""
    out_scale, out_bias = np.empty_like(scale), np.empty_like(bias)
    cdef floating[::1] scale_view = out_scale, bias_view = out_bias
    find_kernels(isa, DTYPE_F32 if floating is float else DTYPE_F64).fold_norm(
        &scale_view[0], &bias_view[0], &scale[0], &bias[0], &mean[0], &variance[0], scale.shape[0], epsilon)
    return out_scale, out_bias


def layer_norm_forward(floating[:, ::1] z, floating[::1] scale, floating[::1] bias, int64_t n_samples,
                       double epsilon, isa):
    """Return the outputs, the normed and the inverse deviations of the samples."""
    out, normed = np.array(z), np.full_like(z, np.nan)
    inverse = np.full(z.shape[1], np.nan, dtype=out.dtype)
    cdef floating[:, ::1] out_view = out, normed_view = normed
    cdef floating[::1] inverse_view = inverse
    kernels_for(z, isa).layer_norm_forward(
        &out_view[0, 0], &normed_view[0, 0], &inverse_view[0], &scale[0], &bias[0], z.shape[0], n_samples,
        z.shape[1], epsilon)
    return out[:, :n_samples], normed[:, :n_samples], inverse[:n_samples]


def layer_norm_backward(floating[:, ::1] d, floating[:, ::1] normed, floating[::1] inverse,
                        floating[::1] scale, int64_t n_samples, isa):
    """Return the gradient before it (padded), and those of the scale and the bias."""
    out, d_scale, d_bias = np.array(d), np.empty_like(scale), np.empty_like(scale)
    cdef floating[:, ::1] out_view = out
    cdef floating[::1] d_scale_view = d_scale, d_bias_view = d_bias
    cdef const kernels_t *kernels = kernels_for(d, isa)
    kernels.norm_sums(&d_scale_view[0], &d_bias_view[0], &d[0, 0], &normed[0, 0], d.shape[0], n_samples,
                      d.shape[1], False)
    kernels.layer_norm_backward(&out_view[0, 0], &normed[0, 0], &inverse[0], &scale[0], d.shape[0], n_samples,
                                d.shape[1])
    return out, d_scale, d_bias


def prelu_forward(floating[:, ::1] z, floating[::1] slope, int64_t n_samples, isa):
    """Return the outputs, and z as it is kept for the way back."""
    out, kept = np.array(z), np.full_like(z, np.nan)
    cdef floating[:, ::1] out_view = out, kept_view = kept
    kernels_for(z, isa).prelu_forward(&out_view[0, 0], &kept_view[0, 0], &slope[0], z.shape[0], n_samples,
                                      z.shape[1])
    return out[:, :n_samples], kept[:, :n_samples]


def prelu_backward(floating[:, ::1] d, floating[:, ::1] kept, floating[::1] slope, int64_t n_samples, isa):
    """Return the gradient before it (padded), and that of the slopes."""
    out, d_slope = np.array(d), np.empty_like(slope)
    cdef floating[:, ::1] out_view = out
    cdef floating[::1] d_slope_view = d_slope
    kernels_for(d, isa).prelu_backward(&out_view[0, 0], &d_slope_view[0], &kept[0, 0], &slope[0], d.shape[0],
                                       n_samples, d.shape[1], False)
    return out, d_slope


def dropout_forward(floating[:, ::1] y, int64_t n_samples, double rate, seed, step, stream, isa,
                    int64_t first_unit=0, int64_t first_sample=0):
    """Return the outputs that are left, the factors that made them, and the outputs as they were."""
    out, factors, undropped = np.array(y), np.full_like(y, np.nan), np.full_like(y, np.nan)
    cdef floating[:, ::1] out_view = out, factors_view = factors, undropped_view = undropped
    cdef random_t random = random_of(seed, step, stream)
    kernels_for(y, isa).dropout_forward(
        &out_view[0, 0], &factors_view[0, 0], &undropped_view[0, 0], &random, first_unit, first_sample,
        y.shape[0], n_samples, y.shape[1], rate)
    return out[:, :n_samples], factors[:, :n_samples], undropped[:, :n_samples]


def dropout_backward(floating[:, ::1] d, floating[:, ::1] factors, int64_t n_samples, isa):
    """Return the gradient of what was there before."""
    out = np.array(d)
    cdef floating[:, ::1] out_view = out
    kernels_for(d, isa).dropout_backward(&out_view[0, 0], &factors[0, 0], d.shape[0], n_samples, d.shape[1])
    return out[:, :n_samples]


def input_dropout(floating[:, ::1] x, int64_t n_features, double rate, seed, step, stream, isa,
                  int64_t first_sample=0):
    """Return the inputs that are left, (samples, stride)."""
    out = np.array(x)
    cdef floating[:, ::1] out_view = out
    cdef random_t random = random_of(seed, step, stream)
    kernels_for(x, isa).input_dropout(&out_view[0, 0], &random, first_sample, x.shape[0], n_features,
                                      x.shape[1], rate)
    return out


def input_noise(floating[:, ::1] x, int64_t n_features, double deviation, seed, step, stream, isa,
                int64_t first_sample=0):
    """Return the inputs with noise, (samples, stride)."""
    out = np.array(x)
    cdef floating[:, ::1] out_view = out
    cdef random_t random = random_of(seed, step, stream)
    kernels_for(x, isa).input_noise(&out_view[0, 0], &random, first_sample, x.shape[0], n_features,
                                    x.shape[1], deviation)
    return out
