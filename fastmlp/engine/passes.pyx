"""Passes over a whole data set by the walk of walk.pyx: outputs and losses, gradients, a look for NaN.

A slice of a pass is one ``nogil`` call, made by a team of threads that ends with it.
"""

import numpy as np

from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t, uint8_t

from fastmlp.engine.core cimport ALONE, barrier, find_kernels, run_team, seconds
from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport (
    Walk,
    backward,
    forward as walk_forward,
    loss_gradient,
    walk_t,
    weight_of_batch,
    write_outputs,
)

from fastmlp.engine import core, given, plan as plan_module

cdef double SLICE_SECONDS = 0.05  # between two looks at signals such as Ctrl-C

cdef int64_t SLAB = plan_module.SLAB


cdef void apply_last_activation(const walk_t *walk, const batch_t *batch) noexcept nogil:
    """Turn the logits that a loss left in the last layer's outputs into its real outputs."""
    cdef const objective_t *objective = &walk.objective
    cdef activation_t activation
    if walk.last_is_logits:
        activation.kind = (
            ACTIVATION_SOFTMAX if objective.loss.kind in (LOSS_CROSS_ENTROPY, LOSS_SOFT_CROSS_ENTROPY)
            else ACTIVATION_LOGISTIC)
        activation.parameter = 0
        batch.kernels.activation_forward(<void *>objective.outputs, NULL, NULL, NULL, objective.n_outputs,
                                         batch.n_samples, batch.stride, activation)


ctypedef struct prediction_t:
    # A slice of a prediction: slabs are dealt out in turns, each member has a walk of its own.
    const walk_t **walks
    const batch_t *batch
    const int64_t *rows
    const size_t *outs
    int64_t n_rows, first_slab, end_slab
    bint with_loss
    double *losses  # of each slab


cdef void forward_slabs(void *context, const member_t *member) noexcept nogil:
    cdef:
        prediction_t *prediction = <prediction_t *>context
        const walk_t *walk = prediction.walks[member.index]
        batch_t batch = prediction.batch[0]
        int64_t slab = prediction.first_slab + member.index, start
    while slab < prediction.end_slab:
        start = slab * SLAB
        walk_forward(walk, &batch, &ALONE, prediction.rows + start,
                     min(SLAB, prediction.n_rows - start))
        if prediction.with_loss:
            prediction.losses[slab] = loss_gradient(walk, &batch, &ALONE, 1.0)
            apply_last_activation(walk, &batch)
        write_outputs(walk, &batch, prediction.outs, start)
        slab += member.count


def forward(plan, parameters, X, preparation, outs, *, loss=None, loss_options=None, targets=None,
            targets_preparation=None, sample_weight=None, n_threads=1):
    """Run X through the layers; write the outputs of those that ``outs`` has an array for.

    With a loss and targets, also return the mean loss, weighted if there are weights.
    """
    X, targets, sample_weight = given.samples(plan, X, targets, sample_weight, loss=loss,
                                              loss_options=loss_options)
    preparation, targets_preparation = given.preparation(preparation), given.preparation(targets_preparation)
    given.check_vectors(plan, parameters)
    cdef int64_t n_slabs = (X.shape[0] + SLAB - 1) // SLAB, slabs_per_slice = 1
    cdef int n_walks = 1 if plan.operations == "blas" else max(1, min(<int64_t>n_threads, n_slabs)), i
    cdef Walk walk
    cdef list walks = [Walk(plan, parameters, X, preparation, min(X.shape[0], SLAB), loss=loss,
                            loss_options=loss_options, targets=targets,
                            targets_preparation=targets_preparation, sample_weight=sample_weight)
                       for _ in range(n_walks)]
    cdef const int64_t[::1] rows = given.all_rows(X.shape[0])
    cdef double[::1] losses = np.zeros(n_slabs)
    cdef prediction_t prediction
    cdef double begun
    # Addresses are in no array, which Python code could find and write to.
    cdef size_t *addresses = <size_t *>PyMem_Calloc(len(outs), sizeof(size_t))
    cdef walk_t **walk_addresses = <walk_t **>PyMem_Calloc(n_walks, sizeof(walk_t *))
    try:
        if addresses == NULL or walk_addresses == NULL:
            raise MemoryError
        for i in range(n_walks):
            walk = walks[i]
            walk_addresses[i] = &walk.walk
        for k, out in enumerate(outs):
            if out is not None:
                addresses[<int>k] = <size_t>walk.operations.memory.writable(out.reshape(-1))
        prediction.walks, prediction.batch = <const walk_t **>walk_addresses, &walk.batch
        prediction.rows, prediction.n_rows, prediction.outs = &rows[0], X.shape[0], addresses
        prediction.with_loss, prediction.losses = loss is not None, &losses[0]
        prediction.first_slab = 0
        while prediction.first_slab < n_slabs:
            prediction.end_slab = min(prediction.first_slab + n_walks * slabs_per_slice, n_slabs)
            begun = seconds()
            with nogil:
                run_team(n_walks, forward_slabs, &prediction)
            if seconds() - begun < SLICE_SECONDS:
                slabs_per_slice *= 2
            prediction.first_slab = prediction.end_slab
            PyErr_CheckSignals()
    finally:
        PyMem_Free(addresses)
        PyMem_Free(walk_addresses)
    if loss is None:
        return None
    return sum(losses) / weight_of_batch(&walk.walk, &rows[0], X.shape[0])


ctypedef struct gradient_pass_t:
    # A pass over all rows that gathers the gradient of their mean loss: slabs one after the other, each by
    # the whole team, so that every sum keeps its order.
    const walk_t *walk
    const batch_t *batch
    const int64_t *rows
    char *d_inputs  # NULL if nobody asks
    int64_t n_rows, slab, start
    double loss_sum, total_weight, stop_at
    # See slice_t in native.pyx.
    bint stop[2]


cdef void gather_gradient(void *context, const member_t *member) noexcept nogil:
    """Go through slabs until the rows or the time are over."""
    cdef:
        gradient_pass_t *shared = <gradient_pass_t *>context
        const walk_t *walk = shared.walk
        int64_t n_features = walk.n_features
        batch_t batch = shared.batch[0]
        int64_t start = shared.start, n, begin
        double loss_sum = shared.loss_sum
        size_t itemsize = sizeof(float) if batch.dtype == DTYPE_F32 else sizeof(double)
        size_t row_bytes = <size_t>n_features * itemsize
        bint *stop
    while start < shared.n_rows:
        stop = &shared.stop[start / shared.slab % 2]
        if member.index == 0:
            stop[0] = seconds() >= shared.stop_at
        n = min(shared.slab, shared.n_rows - start)
        walk_forward(walk, &batch, member, shared.rows + start, n)
        loss_sum += loss_gradient(walk, &batch, member, 1.0 / shared.total_weight)
        backward(walk, &batch, member)
        begin = strip_begin(batch.n_samples, member)
        if shared.d_inputs != NULL:
            batch.kernels.scatter_rows(
                shared.d_inputs + <size_t>(start + begin) * row_bytes,
                <char *>walk.d_inputs + <size_t>begin * itemsize, n_features,
                strip_end(batch.n_samples, member) - begin, batch.stride)
        start += n
        barrier(member)  # the next slab overwrites what others may still be reading
        if stop[0]:
            break
    if member.index == 0:
        shared.start, shared.loss_sum = start, loss_sum


def gradients(plan, parameters, X, preparation, d_parameters, d_inputs, *, loss, targets,
              loss_options=None, targets_preparation=None, sample_weight=None, rows=None, n_threads=1,
              is_checked=False):
    """Return the mean loss, weighted if there are weights; write its gradient with respect to the parameters
    (a vector like them) and, unless ``d_inputs`` is None, to the prepared inputs, (n_samples, n_features).

    With ``rows``, of these rows of X only. The bits do not depend on the number of threads. ``is_checked``:
    X, targets, weights and rows are as given.samples and given.rows have returned them.
    """
    if not is_checked:
        X, targets, sample_weight = given.samples(plan, X, targets, sample_weight, loss=loss,
                                                  loss_options=loss_options)
        rows = given.all_rows(X.shape[0]) if rows is None else given.rows(rows, X.shape[0])
    preparation, targets_preparation = given.preparation(preparation), given.preparation(targets_preparation)
    given.check_vectors(plan, parameters, d_parameters)
    cdef const int64_t[::1] order = rows
    # Batch normalisation is by all the rows, as one batch.
    by_batch = any([layer.norm == "batch" for layer in plan.layers])
    cdef int64_t slab = len(order) if by_batch else min(<int64_t>len(order), SLAB)
    cdef Walk walk = Walk(plan, parameters, X, preparation, slab, loss=loss, loss_options=loss_options,
                          targets=targets, targets_preparation=targets_preparation,
                          sample_weight=sample_weight, gradient=d_parameters,
                          d_inputs=d_inputs is not None)
    cdef gradient_pass_t whole
    cdef int n_members = 1 if plan.operations == "blas" else n_threads
    d_parameters[:] = 0
    walk.batch.accumulate = True
    whole.walk, whole.batch, whole.rows, whole.n_rows = &walk.walk, &walk.batch, &order[0], len(order)
    whole.d_inputs = NULL if d_inputs is None else walk.operations.memory.writable(d_inputs.reshape(-1))
    whole.slab, whole.start, whole.loss_sum = slab, 0, 0
    whole.total_weight = weight_of_batch(&walk.walk, &order[0], len(order))
    while whole.start < whole.n_rows:
        whole.stop_at = seconds() + SLICE_SECONDS
        with nogil:
            run_team(n_members, gather_gradient, &whole)
        PyErr_CheckSignals()
    return whole.loss_sum / whole.total_weight


ctypedef struct scan_t:
    const kernels_t *kernels
    const char *x
    size_t itemsize
    int64_t n_groups  # of LANES values
    flag_t not_finite


cdef void scan(void *context, const member_t *member) noexcept nogil:
    cdef scan_t *task = <scan_t *>context
    cdef int64_t begin = LANES * share_begin(task.n_groups, member)
    cdef int64_t end = LANES * share_end(task.n_groups, member)
    if not task.kernels.is_finite(task.x + <size_t>begin * task.itemsize, end - begin):
        flag_raise(&task.not_finite)


def is_finite(X, n_threads):
    """Return whether a C-contiguous float32 or float64 array holds neither NaN nor infinity."""
    cdef scan_t task
    cdef const uint8_t[::1] view = X.reshape(-1).view(np.uint8)
    cdef int64_t n = X.size, rest = n % LANES
    task.kernels = find_kernels(core.instruction_set(), DTYPE_F32 if X.dtype == np.float32 else DTYPE_F64)
    task.x, task.itemsize, task.n_groups = <const char *>&view[0], X.itemsize, n // LANES
    flag_clear(&task.not_finite)
    # A million values take longer than the start of a thread.
    cdef int n_members = min(<int>n_threads, <int>(n // 1000000) + 1)
    with nogil:
        run_team(n_members, scan, &task)
    return not flag_is_raised(&task.not_finite) and bool(np.isfinite(X.reshape(-1)[n - rest:]).all())
