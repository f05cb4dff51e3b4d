"""Every compiled kernel as a Python function: for the parity tests, for benchmarks, for lessons.

Each takes the arrays of its twin in reference.py, feature-major, samples contiguous, as typed memoryviews,
and returns new arrays. ``isa`` chooses the instruction set (see `core.instruction_sets`).
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int32_t, int64_t

from fastmlp.engine.blas cimport blas_operations
from fastmlp.engine.core cimport borrow, fill_preparation, find_kernels
from fastmlp.engine.csrc cimport *

from fastmlp.engine.core import ACTIVATION_CODES, SOLVER_CODES
from fastmlp.engine.plan import padded


cdef dtype_t dtype_of(floating[:, ::1] x) noexcept:
    return DTYPE_F32 if floating is float else DTYPE_F64


def pad(x):
    """Return a (units, padded samples) copy of x, its padding NaN: no kernel may let it through."""
    out = np.full((x.shape[0], padded(x.shape[1])), np.nan, dtype=x.dtype)
    out[:, : x.shape[1]] = x
    return out


def gather_rows(X, const int64_t[::1] rows, preparation, dtype, isa):
    """Return the chosen rows of X, (rows, features), converted and prepared."""
    cdef source_t source
    cdef preparation_t prepared
    _alive = [borrow(&source, X), fill_preparation(&prepared, preparation, np.dtype(dtype))]
    out = np.empty((rows.shape[0], X.shape[1]), dtype=dtype)
    cdef size_t address = out.ctypes.data
    cdef const kernels_t *kernels = find_kernels(isa, DTYPE_F32 if out.dtype == np.float32 else DTYPE_F64)
    kernels.gather_rows(<void *>address, &source, &rows[0], &prepared, rows.shape[0], X.shape[1])
    return out


def gather_columns(X, const int64_t[::1] rows, preparation, dtype, isa):
    """Return the chosen rows of X as columns, (features, padded rows), zero in the padding."""
    cdef source_t source
    cdef preparation_t prepared
    _alive = [borrow(&source, X), fill_preparation(&prepared, preparation, np.dtype(dtype))]
    out = np.full((X.shape[1], padded(rows.shape[0])), np.nan, dtype=dtype)
    cdef size_t address = out.ctypes.data
    cdef const kernels_t *kernels = find_kernels(isa, DTYPE_F32 if out.dtype == np.float32 else DTYPE_F64)
    kernels.gather_columns(<void *>address, &source, &rows[0], &prepared, rows.shape[0], out.shape[1])
    return out


def scatter_rows(floating[:, ::1] x, int64_t n_samples, isa):
    """Return the first samples of x (units, stride) as rows."""
    out = np.empty((n_samples, x.shape[0]), dtype=np.asarray(x).dtype)
    cdef floating[:, ::1] view = out
    find_kernels(isa, dtype_of(x)).scatter_rows(&view[0, 0], &x[0, 0], x.shape[0], n_samples, x.shape[1])
    return out


def activation_forward(floating[:, ::1] z, floating[::1] bias, int64_t n_samples, activation, isa):
    """Return activation(z + bias)."""
    out = np.array(z)
    cdef floating[:, ::1] view = out
    find_kernels(isa, dtype_of(z)).activation_forward(
        &view[0, 0], &bias[0], z.shape[0], n_samples, z.shape[1], ACTIVATION_CODES[activation])
    return out[:, :n_samples]


def activation_backward(floating[:, ::1] d, floating[:, ::1] y, int64_t n_samples, activation, isa):
    """Return d * activation'(z), from y = activation(z)."""
    out = np.array(d)
    cdef floating[:, ::1] view = out
    find_kernels(isa, dtype_of(d)).activation_backward(
        &view[0, 0], &y[0, 0], d.shape[0], n_samples, d.shape[1], ACTIVATION_CODES[activation])
    return out[:, :n_samples]


def cross_entropy(floating[:, ::1] z, const int32_t[::1] labels, double weight, isa):
    """Return the losses (padded) and the gradient (padded) of softmax and cross-entropy."""
    losses, d = np.empty(z.shape[1], dtype=np.asarray(z).dtype), np.full_like(z, np.nan)
    cdef floating[::1] losses_view = losses
    cdef floating[:, ::1] d_view = d
    find_kernels(isa, dtype_of(z)).cross_entropy(
        &d_view[0, 0], &losses_view[0], &z[0, 0], &labels[0], z.shape[0], labels.shape[0], z.shape[1],
        weight)
    return losses[: labels.shape[0]], d


def binary_cross_entropy(floating[:, ::1] z, floating[:, ::1] targets, int64_t n_samples, double weight,
                         isa):
    """Return the losses and the gradient (padded) of logistic sigmoid and binary cross-entropy."""
    losses, d = np.empty(z.shape[1], dtype=np.asarray(z).dtype), np.full_like(z, np.nan)
    cdef floating[::1] losses_view = losses
    cdef floating[:, ::1] d_view = d
    find_kernels(isa, dtype_of(z)).binary_cross_entropy(
        &d_view[0, 0], &losses_view[0], &z[0, 0], &targets[0, 0], z.shape[0], n_samples, z.shape[1], weight)
    return losses[:n_samples], d


def squared_error(floating[:, ::1] y, floating[:, ::1] targets, int64_t n_samples, double weight, isa):
    """Return the losses and the gradient (padded) of half the squared error."""
    losses, d = np.empty(y.shape[1], dtype=np.asarray(y).dtype), np.full_like(y, np.nan)
    cdef floating[::1] losses_view = losses
    cdef floating[:, ::1] d_view = d
    find_kernels(isa, dtype_of(y)).squared_error(
        &d_view[0, 0], &losses_view[0], &y[0, 0], &targets[0, 0], y.shape[0], n_samples, y.shape[1], weight)
    return losses[:n_samples], d


def row_sums(floating[:, ::1] x, int64_t n_samples, isa):
    """Return the sum of each row of x over the samples."""
    out = np.empty(x.shape[0], dtype=np.asarray(x).dtype)
    cdef floating[::1] view = out
    find_kernels(isa, dtype_of(x)).row_sums(&view[0], &x[0, 0], x.shape[0], n_samples, x.shape[1], False)
    return out


def sum_of_squares(floating[:, ::1] x, isa):
    """Return the sum of the squares of all elements, in float64."""
    return find_kernels(isa, dtype_of(x)).sum_of_squares(&x[0, 0], x.shape[0] * x.shape[1])


cdef optimizer_t optimizer_from(options):
    cdef optimizer_t optimizer
    optimizer.solver = SOLVER_CODES[options["solver"]]
    optimizer.nesterov = options.get("nesterov", False)
    optimizer.learning_rate, optimizer.l2 = options["learning_rate"], options["l2"]
    optimizer.momentum = options.get("momentum", 0)
    optimizer.beta_1, optimizer.beta_2 = options.get("beta_1", 0), options.get("beta_2", 0)
    optimizer.epsilon = options.get("epsilon", 0)
    return optimizer


def sgd_step(floating[:, ::1] w, moments, floating[:, ::1] gradient, options, isa):
    """Change w and its velocity, if there is one, in place."""
    cdef optimizer_t optimizer = optimizer_from(options)
    cdef floating[:, ::1] velocity
    cdef void *address = NULL
    if moments:
        velocity = moments[0]
        address = &velocity[0, 0]
    find_kernels(isa, dtype_of(w)).sgd_step(
        &w[0, 0], address, &gradient[0, 0], w.shape[0] * w.shape[1], &optimizer)


def adam_step(floating[:, ::1] w, moments, floating[:, ::1] gradient, options, isa):
    """Change w and its two moments in place."""
    cdef optimizer_t optimizer = optimizer_from(options)
    cdef floating[:, ::1] m = moments[0], v = moments[1]
    find_kernels(isa, dtype_of(w)).adam_step(
        &w[0, 0], &m[0, 0], &v[0, 0], &gradient[0, 0], w.shape[0] * w.shape[1], &optimizer)


cdef step_t step_for(floating[:, ::1] x, int64_t n_samples, int64_t stride, isa) except *:
    cdef step_t step
    step.dtype = dtype_of(x)
    step.kernels = find_kernels(isa, step.dtype)
    step.n_samples, step.stride, step.accumulate = n_samples, stride, False
    return step


def linear_forward(floating[:, ::1] weight, floating[::1] bias, floating[:, ::1] x, int64_t n_samples,
                   activation, isa):
    """Return activation(W x + b) for x (n_in, stride)."""
    cdef step_t step = step_for(x, n_samples, x.shape[1], isa)
    cdef layer_t layer
    outputs = np.full((weight.shape[0], x.shape[1]), np.nan, dtype=np.asarray(x).dtype)
    cdef floating[:, ::1] view = outputs
    layer.n_out, layer.n_in = weight.shape[0], weight.shape[1]
    layer.activation, layer.inputs_batch_major = ACTIVATION_CODES[activation], False
    layer.weight, layer.bias, layer.inputs, layer.outputs = &weight[0, 0], &bias[0], &x[0, 0], &view[0, 0]
    blas_operations().linear_forward(&layer, &step)
    return outputs[:, :n_samples]


def linear_backward(floating[:, ::1] weight, floating[:, ::1] d_y, floating[:, ::1] x, int64_t n_samples,
                    input_activation, isa):
    """Return the gradient before the activation that made x, (n_in, n_samples)."""
    cdef step_t step = step_for(x, n_samples, x.shape[1], isa)
    cdef layer_t layer
    d_x = np.full_like(x, np.nan)
    cdef floating[:, ::1] view = d_x
    layer.n_out, layer.n_in = weight.shape[0], weight.shape[1]
    layer.input_activation, layer.inputs_batch_major = ACTIVATION_CODES[input_activation], False
    layer.weight, layer.inputs = &weight[0, 0], &x[0, 0]
    layer.d_outputs, layer.d_inputs = &d_y[0, 0], &view[0, 0]
    blas_operations().linear_backward(&layer, &step)
    return d_x[:, :n_samples]


def linear_update(floating[:, ::1] weight, floating[::1] bias, moments, floating[:, ::1] d_y,
                  floating[:, ::1] x, int64_t n_samples, options, isa):
    """Make the solver's step in place; ``moments`` holds a (weight, bias) pair for each of its moments."""
    cdef step_t step = step_for(x, n_samples, x.shape[1], isa)
    cdef layer_t layer
    cdef floating[:, ::1] d_weight = np.empty_like(weight), moment_weight
    cdef floating[::1] d_bias = np.empty_like(bias), moment_bias
    layer.n_out, layer.n_in, layer.inputs_batch_major = weight.shape[0], weight.shape[1], False
    layer.weight, layer.bias, layer.inputs = &weight[0, 0], &bias[0], &x[0, 0]
    layer.d_weight, layer.d_bias, layer.d_outputs = &d_weight[0, 0], &d_bias[0], &d_y[0, 0]
    layer.moment_weight[0] = layer.moment_bias[0] = NULL
    for k, (of_weight, of_bias) in enumerate(moments):
        moment_weight, moment_bias = of_weight, of_bias
        layer.moment_weight[<int>k], layer.moment_bias[<int>k] = &moment_weight[0, 0], &moment_bias[0]
    step.optimizer = optimizer_from(options)
    blas_operations().linear_update(&layer, &step)
