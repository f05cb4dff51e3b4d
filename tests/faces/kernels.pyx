"""Every compiled kernel as a Python function: for the parity tests, for benchmarks, for lessons.

Each takes the arrays of its twin in reference/, feature-major, samples contiguous, as typed memoryviews,
and returns new arrays. ``isa`` chooses the instruction set (see `core.instruction_sets`), ``operations`` who
multiplies, "blas" or "tile".
"""

import numpy as np

from cython cimport floating
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from fastmlp.engine.core cimport (
    augment as draw_images,
    borrow,
    borrow_csr,
    fill_preparation,
    find_kernels,
    find_operations,
)
from fastmlp.engine.csrc cimport *
from fastmlp.engine.operations cimport find_product

from fastmlp import activations
from fastmlp.engine.core import ACTIVATION_CODES, LOSS_CODES, SOLVER_CODES
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
    _alive = [borrow(&source, X), fill_preparation(&prepared, preparation, X.shape[1], np.dtype(dtype))]
    out = np.empty((rows.shape[0], X.shape[1]), dtype=dtype)
    cdef size_t address = out.ctypes.data
    cdef const kernels_t *kernels = find_kernels(isa, DTYPE_F32 if out.dtype == np.float32 else DTYPE_F64)
    kernels.gather_rows(<void *>address, &source, &rows[0], &prepared, rows.shape[0], X.shape[1])
    return out


def gather_columns(X, const int64_t[::1] rows, preparation, dtype, isa):
    """Return the chosen rows of X as columns, (features, padded rows), zero in the padding."""
    cdef source_t source
    cdef preparation_t prepared
    _alive = [borrow(&source, X), fill_preparation(&prepared, preparation, X.shape[1], np.dtype(dtype))]
    out = np.full((X.shape[1], padded(rows.shape[0])), np.nan, dtype=dtype)
    cdef size_t address = out.ctypes.data
    cdef const kernels_t *kernels = find_kernels(isa, DTYPE_F32 if out.dtype == np.float32 else DTYPE_F64)
    kernels.gather_columns(<void *>address, &source, &rows[0], &prepared, rows.shape[0], out.shape[1])
    return out


def augment(X, const int64_t[::1] rows, options, uint64_t seed, uint64_t step):
    """Return the chosen rows of X as images that are moved and mirrored at random."""
    cdef source_t source
    cdef augmentation_t augmentation
    cdef random_t random
    _alive = borrow(&source, X)
    augmentation.height, augmentation.width = options["height"], options["width"]
    augmentation.channels, augmentation.pixels = options["channels"], options["pixels"]
    augmentation.flip = options["flip"]
    fastmlp_set_step(&random, seed, step)
    out = np.empty((rows.shape[0], X.shape[1]), dtype=X.dtype)
    cdef size_t address = out.ctypes.data
    draw_images(<void *>address, &source, &rows[0], rows.shape[0], &augmentation, &random, 0)
    return out


def scatter_rows(floating[:, ::1] x, int64_t n_samples, isa):
    """Return the first samples of x (units, stride) as rows."""
    out = np.empty((n_samples, x.shape[0]), dtype=np.asarray(x).dtype)
    cdef floating[:, ::1] view = out
    find_kernels(isa, dtype_of(x)).scatter_rows(&view[0, 0], &x[0, 0], x.shape[0], n_samples, x.shape[1])
    return out


cdef void *address_of(floating[:, ::1] like, array) except? NULL:
    """Return where an array of the type of ``like`` begins; NULL for None."""
    cdef floating[:, ::1] view
    if array is None:
        return NULL
    view = array
    return &view[0, 0]


cdef activation_t activation_from(name):
    cdef activation_t activation
    kind, activation.parameter = activations.split(name)
    activation.kind = <activation_kind_t><int>ACTIVATION_CODES[kind]
    return activation


cdef block_t all_of(int64_t n_units, int64_t n_samples):
    cdef block_t block
    block.unit, block.n_units, block.sample, block.n_samples, block.member = 0, n_units, 0, n_samples, 0
    return block


def check_slopes(kind, slopes):
    """Refuse None where the way back needs what the way up left."""
    if slopes is None and kind in activations.WITH_SLOPES:
        raise ValueError(f"slopes=None, but {kind} needs those that the forward pass left in its slopes.")


def activation_forward(floating[:, ::1] z, floating[::1] bias, int64_t n_samples, activation, isa,
                       slopes=None):
    """Return activation(z + bias); leave activation'(z + bias) in ``slopes``, an array like z."""
    out = np.array(z)
    cdef floating[:, ::1] view = out
    find_kernels(isa, dtype_of(z)).activation_forward(
        &view[0, 0], address_of(z, slopes), NULL, &bias[0], z.shape[0], n_samples, z.shape[1],
        activation_from(activation))
    return out[:, :n_samples]


def activation_backward(floating[:, ::1] d, floating[:, ::1] y, int64_t n_samples, activation, isa,
                        slopes=None):
    """Return d * activation'(z), from y = activation(z) or from the slopes that forward left."""
    out = np.array(d)
    cdef floating[:, ::1] view = out
    check_slopes(activations.split(activation)[0], slopes)
    find_kernels(isa, dtype_of(d)).activation_backward(
        &view[0, 0], &y[0, 0], address_of(d, slopes), d.shape[0], n_samples, d.shape[1],
        activation_from(activation))
    return out[:, :n_samples]


cdef loss_gradient(name, floating[:, ::1] x, const void *targets, int64_t n_samples, double weight, isa,
                   numbers):
    losses, d = np.empty(x.shape[1], dtype=np.asarray(x).dtype), np.full_like(x, np.nan)
    cdef floating[::1] losses_view = losses
    cdef floating[:, ::1] d_view = d
    cdef double[::1] own = np.array(numbers, dtype=np.float64)
    cdef loss_t loss
    loss.kind = <loss_kind_t><int>LOSS_CODES[name]
    loss.numbers, loss.n_numbers = &own[0], own.shape[0]
    find_kernels(isa, dtype_of(x)).loss_gradient(
        &d_view[0, 0], &losses_view[0], &x[0, 0], targets, x.shape[0], n_samples, x.shape[1], weight, &loss)
    return losses[:n_samples], d


def cross_entropy(floating[:, ::1] z, const int32_t[::1] labels, double weight, isa, label_smoothing=0.0):
    """Return the losses and the gradient (padded) of softmax and cross-entropy."""
    return loss_gradient("cross_entropy", z, &labels[0], labels.shape[0], weight, isa, (label_smoothing,))


def summed_loss(name, floating[:, ::1] x, floating[:, ::1] targets, int64_t n_samples, double weight, isa,
                numbers=(0.0,)):
    """Return the losses and the gradient (padded) of a loss whose targets are a matrix, by its name.

    ``numbers`` are its own: the smoothing, delta or the quantiles.
    """
    return loss_gradient(name, x, &targets[0, 0], n_samples, weight, isa, numbers)


def soft_cross_entropy(z, targets, n_samples, weight, isa, label_smoothing=0.0):
    """Return the losses and the gradient (padded) of softmax and cross-entropy against probabilities."""
    return summed_loss("soft_cross_entropy", z, targets, n_samples, weight, isa, (label_smoothing,))


def binary_cross_entropy(z, targets, n_samples, weight, isa):
    """Return the losses and the gradient (padded) of logistic sigmoid and binary cross-entropy."""
    return summed_loss("binary_cross_entropy", z, targets, n_samples, weight, isa)


def log_likelihood(z, targets, n_samples, weight, isa):
    """Return the losses and the gradient (padded) of logistic sigmoid and the negative log likelihood."""
    return summed_loss("log_likelihood", z, targets, n_samples, weight, isa)


def squared_error(y, targets, n_samples, weight, isa):
    """Return the losses and the gradient (padded) of half the squared error."""
    return summed_loss("squared_error", y, targets, n_samples, weight, isa)


def absolute_error(y, targets, n_samples, weight, isa):
    """Return the losses and the gradient (padded) of the absolute error."""
    return summed_loss("absolute_error", y, targets, n_samples, weight, isa)


def huber(y, targets, n_samples, weight, isa, delta=1.0):
    """Return the losses and the gradient (padded) of Huber's loss."""
    return summed_loss("huber", y, targets, n_samples, weight, isa, (delta,))


def quantile(y, targets, n_samples, weight, isa, quantiles=(0.5,)):
    """Return the losses and the gradient (padded) of the pinball loss of every quantile."""
    return summed_loss("quantile", y, targets, n_samples, weight, isa, quantiles)


def poisson(x, targets, n_samples, weight, isa):
    """Return the losses and the gradient (padded) of Poisson's deviance, less what does not depend on x."""
    return summed_loss("poisson", x, targets, n_samples, weight, isa)


def weigh(floating[:, ::1] d, floating[::1] losses, floating[::1] weights, isa):
    """Return d (units, stride), padded as losses and weights are, and losses, times the samples' weights."""
    out, out_losses = np.array(d), np.array(losses)
    cdef floating[:, ::1] d_view = out
    cdef floating[::1] losses_view = out_losses
    find_kernels(isa, dtype_of(d)).weigh(
        &d_view[0, 0], &losses_view[0], &weights[0], d.shape[0], d.shape[1], d.shape[1])
    return out, out_losses


def row_sums(floating[:, ::1] x, int64_t n_samples, isa):
    """Return the sum of each row of x over the samples."""
    out = np.empty(x.shape[0], dtype=np.asarray(x).dtype)
    cdef floating[::1] view = out
    find_kernels(isa, dtype_of(x)).row_sums(&view[0], &x[0, 0], x.shape[0], n_samples, x.shape[1], False)
    return out


def sum_of_squares(floating[:, ::1] x, isa):
    """Return the sum of the squares of all elements, in float64."""
    return find_kernels(isa, dtype_of(x)).sum_of_squares(&x[0, 0], x.shape[0] * x.shape[1])


def is_finite(floating[:, ::1] x, isa):
    """Return whether no element of x, (rows, padded columns), is infinite or not a number."""
    return bool(find_kernels(isa, dtype_of(x)).is_finite(&x[0, 0], x.shape[0] * x.shape[1]))


cdef optimizer_t optimizer_from(options):
    cdef optimizer_t optimizer
    optimizer.solver = SOLVER_CODES[options["solver"]]
    optimizer.nesterov = options.get("nesterov", False)
    optimizer.learning_rate, optimizer.l2 = options["learning_rate"], options["l2"]
    optimizer.momentum = options.get("momentum", 0)
    optimizer.beta_1, optimizer.beta_2 = options.get("beta_1", 0), options.get("beta_2", 0)
    optimizer.epsilon = options.get("epsilon", 0)
    optimizer.l1, optimizer.shrink = options.get("l1", 0), options.get("shrink", 1)
    optimizer.scale, optimizer.clip = options.get("scale", 1), options.get("clip", 0)
    return optimizer


def solver_step(floating[:, ::1] w, moments, floating[:, ::1] gradient, options, isa):
    """Make the step of the solver that ``options`` names, in place."""
    cdef optimizer_t optimizer = optimizer_from(options)
    cdef floating[:, ::1] moment
    cdef void *addresses[2]
    addresses[0] = addresses[1] = NULL
    for k, array in enumerate(moments):
        moment = array
        addresses[<int>k] = &moment[0, 0]
    find_kernels(isa, dtype_of(w)).solver_step(
        &w[0, 0], addresses[0], addresses[1], &gradient[0, 0], w.shape[0], w.shape[1], w.shape[1],
        w.shape[1], &optimizer)


def average(floating[:, ::1] mean, floating[:, ::1] w, double rest, isa):
    """Move the mean by the share ``rest`` towards w, in place."""
    find_kernels(isa, dtype_of(w)).average(&mean[0, 0], &w[0, 0], w.shape[0] * w.shape[1], rest)


def sparse_forward(floating[:, ::1] weight, x, const int64_t[::1] rows, isa):
    """Return weight x^T for these rows of a CSR matrix, (n_units, padded samples)."""
    cdef:
        csr_t sparse
        object alive = borrow_csr(&sparse, x, x.dtype)  # no-cython-lint: held until the kernel is done
        floating[:, ::1] out
    array = np.full((weight.shape[0], padded(len(rows))), np.nan, dtype=x.dtype)
    out = array
    find_kernels(isa, dtype_of(weight)).sparse_forward(
        &out[0, 0], &weight[0, 0], &sparse, &rows[0], weight.shape[0], len(rows), out.shape[1],
        weight.shape[1])
    return array


def sparse_gradient(floating[:, ::1] d, x, const int64_t[::1] rows, isa):
    """Return d x for these rows of a CSR matrix, a row of d (n_units, n_samples) at a time."""
    cdef:
        csr_t sparse
        object alive = borrow_csr(&sparse, x, x.dtype)  # no-cython-lint: held until the kernel is done
        floating[:, ::1] out
        Py_ssize_t i
    array = np.zeros((d.shape[0], x.shape[1]), dtype=x.dtype)
    out = array
    for i in range(d.shape[0]):
        find_kernels(isa, dtype_of(d)).sparse_gradient(&out[i, 0], &d[i, 0], &sparse, &rows[0], len(rows))
    return array


def transpose(floating[:, ::1] x, int64_t n_samples, isa):
    """Return the first samples of x (units, stride) as rows, (samples, padded units)."""
    out = np.full((n_samples, padded(x.shape[0])), np.nan, dtype=np.asarray(x).dtype)
    cdef floating[:, ::1] view = out
    find_kernels(isa, dtype_of(x)).transpose(
        &view[0, 0], &x[0, 0], x.shape[0], n_samples, view.shape[1], x.shape[1])
    return out


def pad_rows(x):
    """Return a copy of x, (rows, columns), its rows padded with zeros as weights are."""
    out = np.zeros((x.shape[0], padded(x.shape[1])), dtype=x.dtype)
    out[:, : x.shape[1]] = x
    return out


cdef batch_t batch_for(floating[:, ::1] x, int64_t n_samples, isa) except *:
    cdef batch_t batch
    memset(&batch, 0, sizeof(batch))
    batch.dtype = dtype_of(x)
    batch.kernels = find_kernels(isa, batch.dtype)
    batch.n_samples, batch.stride = n_samples, x.shape[1]
    return batch


cdef linear_t product_for(floating[:, ::1] weight, floating[:, ::1] x) noexcept:
    cdef linear_t product
    memset(&product, 0, sizeof(product))
    product.n_out, product.n_in = weight.shape[0], x.shape[0]
    product.weight.value, product.weight.stride = &weight[0, 0], weight.shape[1]
    product.weight.is_penalised = True
    product.inputs = &x[0, 0]
    return product


def linear_forward(floating[:, ::1] weight, floating[::1] bias, floating[:, ::1] x, int64_t n_samples,
                   activation, isa, operations, slopes=None, scale=None):
    """Return activation(scale (W x) + b) for W (n_out, padded n_in) and x (n_in, stride).

    Leave the derivative of the activation in ``slopes``, (n_out, stride).
    """
    cdef batch_t batch = batch_for(x, n_samples, isa)
    cdef linear_t product = product_for(weight, x)
    cdef block_t block = all_of(product.n_out, n_samples)
    cdef floating[::1] scale_view
    outputs = np.full((weight.shape[0], x.shape[1]), np.nan, dtype=np.asarray(x).dtype)
    cdef floating[:, ::1] view = outputs
    # Softmax looks at other units and is an operation of its own.
    product.activation = activation_from("identity" if activation == "softmax" else activation)
    product.slopes, product.bias, product.outputs = address_of(x, slopes), &bias[0], &view[0, 0]
    if scale is not None:
        scale_view = scale
        product.scale = &scale_view[0]
    find_product(operations, find_operations(isa, batch.dtype)).forward.run(&product, &batch, &block)
    if activation == "softmax":
        batch.kernels.activation_forward(&view[0, 0], NULL, NULL, NULL, product.n_out, n_samples,
                                         batch.stride, activation_from(activation))
    return outputs[:, :n_samples]


def linear_backward(floating[:, ::1] weight, floating[:, ::1] d_y, floating[:, ::1] x, int64_t n_samples,
                    input_activation, isa, operations, input_slopes=None):
    """Return the gradient before the activation that made x, (n_in, n_samples)."""
    cdef batch_t batch = batch_for(x, n_samples, isa)
    cdef linear_t product = product_for(weight, x)
    cdef block_t block = all_of(product.n_in, n_samples)
    d_x = np.full_like(x, np.nan)
    cdef floating[:, ::1] view = d_x
    check_slopes(activations.split(input_activation)[0], input_slopes)
    kind = "identity" if input_activation == "softmax" else input_activation
    product.input_activation = activation_from(kind)
    product.input_slopes = address_of(x, input_slopes)
    product.d_outputs, product.d_inputs = &d_y[0, 0], &view[0, 0]
    find_product(operations, find_operations(isa, batch.dtype)).backward.run(&product, &batch, &block)
    if input_activation == "softmax":
        batch.kernels.activation_backward(&view[0, 0], &x[0, 0], NULL, product.n_in, n_samples, batch.stride,
                                          activation_from(input_activation))
    return d_x[:, :n_samples]


def linear_update(floating[:, ::1] weight, floating[::1] bias, moments, floating[:, ::1] d_y,
                  floating[:, ::1] x, int64_t n_samples, options, isa, operations):
    """Make the solver's step in place; ``moments`` holds a (weight, bias) pair for each of its moments."""
    cdef batch_t batch = batch_for(x, n_samples, isa)
    cdef linear_t product = product_for(weight, x)
    cdef bias_t own
    cdef block_t block = all_of(product.n_out, n_samples)
    cdef floating[:, ::1] d_weight = np.zeros_like(weight), moment_weight
    cdef floating[::1] d_bias = np.empty_like(bias), moment_bias
    cdef floating[:, ::1] x_rows = transpose(x, n_samples, isa)
    memset(&own, 0, sizeof(own))
    product.inputs_rows, product.d_outputs = &x_rows[0, 0], &d_y[0, 0]
    product.weight.gradient = &d_weight[0, 0]
    own.bias.value, own.bias.gradient, own.bias.stride, own.d_outputs = &bias[0], &d_bias[0], 1, &d_y[0, 0]
    for k, (of_weight, of_bias) in enumerate(moments):
        moment_weight, moment_bias = of_weight, of_bias
        product.weight.moments[<int>k], own.bias.moments[<int>k] = &moment_weight[0, 0], &moment_bias[0]
    batch.optimizer = optimizer_from(options)
    find_product(operations, find_operations(isa, batch.dtype)).update.run(&product, &batch, &block)
    find_operations(isa, batch.dtype).bias.update.run(&own, &batch, &block)
