"""The first layer of a batch of sparse rows, in place of the operations: it reads the rows itself."""

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.string cimport memset

from fastmlp.engine.csrc cimport *
from fastmlp.engine.shares cimport at, block_t, itemsize_of, own_units
from fastmlp.engine.walk cimport walk_t

from fastmlp.engine.sparse_rows import SparseRows


cdef object borrow_csr(csr_t *out, X, dtype):
    """Point ``out`` at sparse rows, their values in this type; the caller keeps what is returned alive."""
    rows = SparseRows.of(X, dtype)
    # At least one element each, for there to be an address.
    cdef const int32_t[::1] columns = rows.columns if len(rows.columns) else np.zeros(1, dtype=np.int32)
    cdef const int64_t[::1] starts = rows.starts
    cdef const uint8_t[::1] values = (rows.values if len(rows.values) else np.zeros(1, dtype)).view(np.uint8)
    out.values, out.columns, out.starts = &values[0], &columns[0], &starts[0]
    return columns, starts, values


cdef void sparse_forward(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil:
    """outputs = activation(weight inputs + bias), of the member's units."""
    cdef:
        layer_t *layer = &walk.layers[0]
        size_t itemsize = itemsize_of(step)
        block_t block = own_units(layer, step, member)
        size_t skip = <size_t>block.unit * itemsize
    step.kernels.sparse_forward(
        at(layer.outputs, block.skip), at(layer.weight, skip * layer.weight_stride), &walk.sparse, step.rows,
        block.n_units, step.n_samples, step.stride, layer.weight_stride)
    step.kernels.activation_forward(
        at(layer.outputs, block.skip), at(layer.slopes, block.skip), at(layer.scale, skip),
        at(layer.bias, skip), block.n_units, step.n_samples, step.stride, layer.activation,
        layer.activation_parameter)


cdef void sparse_update(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil:
    """The gradient of the member's units, and the solver's step on all of their weights, whose moments go on
    where a column is empty."""
    cdef:
        layer_t *layer = &walk.layers[0]
        size_t itemsize = itemsize_of(step), row_bytes = <size_t>layer.weight_stride * itemsize
        block_t block = own_units(layer, step, member)
        char *own = <char *>layer.d_weight + <size_t>block.unit * row_bytes
        char *gradient
        size_t skip
        int64_t i
    for i in range(block.n_units):
        # One row, of zeros again when it is done, serves all units if nobody wants the gradient: it stays in
        # the caches.
        gradient = own + (<size_t>i * row_bytes if step.accumulate else 0)
        step.kernels.sparse_gradient(
            gradient, at(layer.d_outputs, block.skip + <size_t>(i * step.stride) * itemsize), &walk.sparse,
            step.rows, step.n_samples)
        if step.accumulate:
            continue
        skip = <size_t>(block.unit + i) * row_bytes
        step.kernels.solver_step(
            at(layer.weight, skip), at(layer.moment_weight[0], skip), at(layer.moment_weight[1], skip),
            gradient, 1, layer.weight_stride, 0, 0, &step.optimizer)
        memset(gradient, 0, row_bytes)
