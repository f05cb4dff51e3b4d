"""The walk of a training step over a network's operations, compiled; reference/walk.py is its twin.

Design. A `Walk` has the list of operations of a plan over one data set, and works out once in what order
their passes run (csrc/program.c). From then on everything is C structs, which any thread may read. The
functions below are called by every member of a team (csrc/team.h), each for its share; a barrier stands where
the next operation reads what others wrote. Nothing here allocates, or touches a Python object, after a `Walk`
is made.
"""

import numpy as np

from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int32_t, int64_t

from fastmlp.engine.core cimport (
    barrier,
    borrow,
    borrow_csr,
    fill_preparation,
    find_kernels,
    plan_backward,
    plan_forward,
    plan_refresh,
    run_stages,
)
from fastmlp.engine.csrc cimport *
from fastmlp.engine.operations cimport Operations

from fastmlp.engine import core
from fastmlp.engine.core import LOSS_CODES
from fastmlp.engine.plan import aligned_zeros, plan_workspace
from fastmlp.engine.sparse_rows import is_sparse
from fastmlp.layers import NORM_MOMENTUM

# The last layer's activation is part of these losses, which begin at the logits.
FROM_LOGITS = {"cross_entropy", "binary_cross_entropy", "log_likelihood"}


cdef class Walk:
    """The operations of one plan over one data set; arguments as in engine/reference/walk.py."""

    def __cinit__(self, plan, *args, **kwargs):
        self.keep_alive = []

    def __dealloc__(self):
        PyMem_Free(self.walk.stages)
        PyMem_Free(self.walk.outputs)

    def __init__(self, plan, parameters, X, preparation, batch_size, *, loss=None, loss_options=None,
                 targets=None, targets_preparation=None, sample_weight=None, gradient=None, moments=(),
                 d_inputs=False, training=False):
        cdef csr_t sparse
        self.batch.dtype = DTYPE_F32 if plan.dtype == np.float32 else DTYPE_F64
        isa = core.instruction_set()
        self.batch.kernels = find_kernels(isa, self.batch.dtype)
        self.batch.accumulate, self.batch.ahead = False, NULL
        self.batch.norm_momentum = NORM_MOMENTUM if training else 0
        layout = plan_workspace(plan, batch_size, backward=loss is not None, d_inputs=d_inputs,
                                training=training, sparse=is_sparse(X))
        self.batch.stride, self.n_bytes = layout.stride, layout.size * plan.dtype.itemsize
        self.walk.last_is_logits = loss in FROM_LOGITS
        sparse.values = NULL
        if is_sparse(X):
            self.keep_alive.append(borrow_csr(&sparse, X, plan.dtype))
        self.operations = Operations(
            plan, layout, isa, aligned_zeros(layout.size, plan.dtype), parameters, gradient, moments,
            gather=<size_t>&self.walk.gather if sparse.values == NULL else 0,
            sparse=0 if sparse.values == NULL else <size_t>&sparse, ends_at_logits=self.walk.last_is_logits,
            has_loss=loss is not None, training=training, to_inputs=d_inputs)
        self.walk.parameters, self.walk.n_layers = self.operations.parameters, len(plan.layers)
        self.walk.n_features, self.walk.d_inputs = plan.n_features, self.operations.products[0].d_inputs
        self.walk.penalties = <double *>self.operations.memory.writable(
            aligned_zeros(sum([layer.n_out for layer in plan.layers]), np.float64))
        if sparse.values == NULL:
            self.set_inputs(plan, layout, X, preparation, loss is not None)
        if loss is not None:
            self.set_loss(plan, layout, loss, loss_options or {}, targets, targets_preparation)
        if sample_weight is not None:
            self.keep_alive.append(borrow(&self.walk.objective.sample_weight, sample_weight[:, None]))
            self.walk.objective.batch_weights = self.operations.memory.writable(
                aligned_zeros(layout.stride, plan.dtype))
        self.plan_stages()

    cdef int set_inputs(self, plan, layout, X, preparation, bint has_loss) except -1:
        """Point the reading of a batch at the data and at the first product's inputs."""
        cdef gather_t *gather = &self.walk.gather
        cdef linear_t *first = self.operations.products[0]
        self.keep_alive.append(borrow(&gather.source, X))
        self.keep_alive.append(
            fill_preparation(&gather.preparation, preparation, plan.n_features, plan.dtype))
        gather.n_features, gather.row_stride = first.n_in, first.weight.stride
        gather.rows = <void *>first.inputs_rows
        gather.columns = <void *>first.inputs if plan.operations == "tile" else NULL
        gather.keeps_rows = has_loss or plan.operations == "blas"
        return 0

    cdef int set_loss(self, plan, layout, loss, options, targets, preparation) except -1:
        """Point the loss at its targets, its numbers and the last layer's outputs."""
        cdef objective_t *objective = &self.walk.objective
        cdef linear_t *last = self.operations.products[self.walk.n_layers - 1]
        if loss in ("huber", "quantile") and not options:
            raise TypeError(f"loss={loss!r} needs its numbers as loss_options.")
        cdef double[::1] numbers = np.array(
            [number for value in options.values() for number in np.ravel(value)] or [0.0])
        self.keep_alive.append(numbers)
        if loss == "cross_entropy" and np.ndim(targets) == 2:
            loss = "soft_cross_entropy"
        objective.loss.kind = <loss_kind_t><int>LOSS_CODES[loss]
        objective.loss.numbers, objective.loss.n_numbers = &numbers[0], len(numbers)
        objective.n_outputs = last.n_out
        objective.outputs, objective.d_outputs = last.outputs, last.d_outputs
        objective.batch_targets = self.operations.place(layout.targets)
        objective.losses = self.operations.place(layout.losses)
        if objective.loss.kind == LOSS_CROSS_ENTROPY:
            objective.labels = <const int32_t *>self.operations.memory.readable(targets)
        else:
            self.keep_alive.append(borrow(&objective.targets, targets))
            self.keep_alive.append(fill_preparation(
                &objective.preparation, preparation, objective.targets.n_columns, plan.dtype))
        return 0

    cdef int plan_stages(self) except -1:
        """Work out what runs in each pass, and in what order."""
        cdef operation_t ends
        cdef operation_t *list = self.operations.list
        cdef int64_t n = self.operations.n, first = self.operations.first_trained
        self.walk.stages = <stage_t *>PyMem_Calloc(4 * n + 2, sizeof(stage_t))
        self.walk.outputs = <output_t *>PyMem_Calloc(self.walk.n_layers, sizeof(output_t))
        if self.walk.stages == NULL or self.walk.outputs == NULL:
            raise MemoryError
        for i in range(self.walk.n_layers):
            self.walk.outputs[i].values = self.operations.products[i].outputs
            self.walk.outputs[i].n_out = self.operations.products[i].n_out
        self.walk.n_reading = 0 if self.walk.gather.rows == NULL else 1
        self.walk.forward = self.walk.stages
        self.walk.n_forward = plan_forward(self.walk.forward, list, n)
        self.walk.backward = self.walk.forward + self.walk.n_forward
        self.walk.n_backward = plan_backward(self.walk.backward, list + first, n - first)
        self.walk.refresh = self.walk.backward + self.walk.n_backward
        self.walk.n_refresh = plan_refresh(self.walk.refresh, list, n)
        self.walk.loss = self.walk.refresh + self.walk.n_refresh
        ends.type, ends.self, ends.n_units = self.operations.kinds.loss, &self.walk.objective, 0
        plan_forward(self.walk.loss, &ends, 1)
        return 0


cdef bint forward(const walk_t *walk, batch_t *batch, const member_t *member, const int64_t *rows,
                  int64_t n_samples) noexcept nogil:
    """Read the rows and run the operations forward; the outputs can be read when it returns.

    Return False if inputs are checked and the member's are not finite; who is alone then does not go on.
    """
    batch.n_samples, batch.rows, batch.is_finite = n_samples, rows, True
    run_stages(walk.forward, walk.n_reading, batch, member)
    if not batch.is_finite and member.count == 1:
        return False
    run_stages(walk.forward + walk.n_reading, walk.n_forward - walk.n_reading, batch, member)
    barrier(member)
    return batch.is_finite


cdef double weight_of_batch(const walk_t *walk, const int64_t *rows, int64_t n_samples) noexcept nogil:
    """Return the sum of the samples' weights; without weights, how many they are."""
    cdef const double *weights = <const double *>walk.objective.sample_weight.data
    cdef double total = 0
    cdef int64_t i
    if weights == NULL:
        return n_samples
    for i in range(n_samples):
        total += weights[rows[i]]
    return total


cdef double loss_gradient(const walk_t *walk, batch_t *batch, const member_t *member,
                          double weight) noexcept nogil:
    """Return the sum of the samples' losses, each times its own weight, and leave the gradient of ``weight``
    times it in the last layer's d_outputs."""
    batch.weight = weight
    run_stages(walk.loss, 1, batch, member)
    barrier(member)
    return batch.kernels.sum(walk.objective.losses, batch.n_samples)  # each member for itself, in one order


cdef void backward(const walk_t *walk, batch_t *batch, const member_t *member) noexcept nogil:
    """Run the operations backward, each of which passes its gradient on, and the updates."""
    run_stages(walk.backward, walk.n_backward, batch, member)


cdef void refresh(const walk_t *walk, batch_t *batch, const member_t *member) noexcept nogil:
    """Let operations know that somebody else may have changed the parameters."""
    if walk.n_refresh:
        run_stages(walk.refresh, walk.n_refresh, batch, member)
        barrier(member)


cdef void write_outputs(const walk_t *walk, const batch_t *batch, const size_t *addresses,
                        int64_t start) noexcept nogil:
    """Copy the outputs of each layer whose array has an address into it, from row ``start`` on."""
    cdef int64_t i, n_out
    cdef size_t itemsize = sizeof(float) if batch.dtype == DTYPE_F32 else sizeof(double)
    for i in range(walk.n_layers):
        n_out = walk.outputs[i].n_out
        if addresses[i]:
            batch.kernels.scatter_rows(<char *>addresses[i] + <size_t>(start * n_out) * itemsize,
                                       walk.outputs[i].values, n_out, batch.n_samples, batch.stride)


cdef void write_last_outputs(const walk_t *walk, const batch_t *batch, char *out) noexcept nogil:
    """Copy the last layer's outputs to ``out``, row after row."""
    cdef const output_t *last = &walk.outputs[walk.n_layers - 1]
    batch.kernels.scatter_rows(out, last.values, last.n_out, batch.n_samples, batch.stride)
