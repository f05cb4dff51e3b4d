"""Predictions, again and again: workspaces are kept from call to call, and a plain array takes a short cut.

What `native.forward` does for every layer, with losses and for any batch, is here for outputs alone. One row
of a small network takes about as long as a call in Python.
"""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int64_t

from fastmlp.engine.core cimport run_team, seconds
from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport Walk, forward, walk_t, write_outputs

from fastmlp.threads import count_threads

cnp.import_array()

cdef enum:
    SLAB = 256  # samples at once: products run at full speed, in little memory
    MAX_IDLE = 64  # workspaces kept
    MAX_THREADS = 64

# Multiplications and additions below which a second thread costs more than it does.
cdef double WORK_OF_A_THREAD = 1.5e7
cdef double SLICE_SECONDS = 0.05  # between two looks at signals such as Ctrl-C

cdef int64_t IN_ORDER[SLAB]
cdef int64_t _i
for _i in range(SLAB):
    IN_ORDER[_i] = _i

cdef member_t ALONE
ALONE.index, ALONE.count = 0, 1


ctypedef struct task_t:
    walk_t **walks  # one for each member
    const step_t *step
    const char *data
    char *out
    size_t *addresses  # for each member one per layer, all NULL but the last
    size_t out_row_bytes
    int64_t n_rows, slab, n_layers
    int64_t first_slab, end_slab
    bint is_finite


cdef void predict_slabs(void *context, const member_t *member) noexcept nogil:
    cdef:
        task_t *task = <task_t *>context
        walk_t *walk = task.walks[member.index]
        step_t step = task.step[0]
        int64_t slab = task.first_slab + member.index, start
        size_t *addresses = task.addresses + member.index * task.n_layers
    while slab < task.end_slab:
        start = slab * task.slab
        walk.inputs.data = task.data + start * walk.inputs.row_stride
        if not forward(walk, &step, &ALONE, IN_ORDER, min(task.slab, task.n_rows - start)):
            task.is_finite = False
            return
        addresses[task.n_layers - 1] = <size_t>task.out + <size_t>start * task.out_row_bytes
        write_outputs(walk, &step, addresses, 0)
        slab += member.count


cdef class Predictor:
    """The outputs of one network for one array after another; any number of threads may call it."""

    cdef:
        object plan, parameters, preparation
        list idle
        int64_t n_features, n_outputs, n_layers
        int type_number
        double work_per_row
        bint by_team

    def __init__(self, plan, parameters, preparation):
        self.plan, self.parameters, self.preparation = plan, parameters, preparation
        self.idle = []
        self.n_features, self.n_outputs, self.n_layers = plan.n_features, plan.n_outputs, len(plan.layers)
        self.type_number = cnp.NPY_FLOAT if plan.dtype == np.float32 else cnp.NPY_DOUBLE
        self.work_per_row = sum([layer.n_in * layer.n_out for layer in plan.layers])
        self.by_team = plan.operations == "tile"

    def predict(self, X, n_threads=None):
        """Return the outputs, (n_samples, n_outputs); None if X is no plain array of finite numbers."""
        cdef:
            cnp.ndarray array, outputs
            source_type_t source_type
            cnp.npy_intp shape[2]
            int64_t n_rows, slab
            int n_walks = 1, number
        if type(X) is not np.ndarray:
            return None
        array = X
        number = cnp.PyArray_TYPE(array)
        if number == cnp.NPY_UINT8:
            source_type = SOURCE_U8
        elif number == cnp.NPY_FLOAT:
            source_type = SOURCE_F32
        elif number == cnp.NPY_DOUBLE:
            source_type = SOURCE_F64
        else:
            return None
        if (cnp.PyArray_NDIM(array) != 2 or cnp.PyArray_DIM(array, 1) != self.n_features
                or cnp.PyArray_DIM(array, 0) < 1 or not cnp.PyArray_ISNOTSWAPPED(array)):
            return None
        n_rows = cnp.PyArray_DIM(array, 0)
        slab = min(<int64_t>SLAB, n_rows)
        if self.by_team and n_rows > LANES and n_rows * self.work_per_row > 2 * WORK_OF_A_THREAD:
            n_walks = min(<int>count_threads(n_threads), <int>MAX_THREADS,
                          <int>(n_rows * self.work_per_row / WORK_OF_A_THREAD),
                          <int>((n_rows + LANES - 1) / LANES))
            # As many slabs as threads, or more of full size.
            slab = min(slab, LANES * ((n_rows + LANES * n_walks - 1) / (LANES * n_walks)))
        shape[0], shape[1] = n_rows, self.n_outputs
        outputs = cnp.PyArray_EMPTY(2, shape, self.type_number, 0)
        return outputs if self.run(array, source_type, outputs, slab, n_walks) else None

    cdef bint run(self, cnp.ndarray array, source_type_t source_type, cnp.ndarray outputs, int64_t slab,
                  int n_walks) except -1:
        cdef:
            list walks = [self.take() for _ in range(n_walks)]
            Walk walk
            task_t task
            step_t step
            walk_t *one
            size_t few_addresses[MAX_THREADS]
            size_t[::1] addresses
            walk_t *walk_of[MAX_THREADS]
            int64_t n_slabs = (cnp.PyArray_DIM(array, 0) + slab - 1) / slab, per_slice = 1
            int i
            double begun
        for i in range(n_walks):
            walk = walks[i]
            walk_of[i] = &walk.walk
            one = walk_of[i]
            one.inputs.type = source_type
            one.inputs.n_columns = self.n_features
            one.inputs.row_stride = cnp.PyArray_STRIDE(array, 0)
            one.inputs.column_stride = cnp.PyArray_STRIDE(array, 1)
            one.in_place = self.is_in_place(one, array, source_type)
        step = walk.step
        step.stride = row_stride_of(slab)
        task.walks, task.step, task.data = walk_of, &step, cnp.PyArray_BYTES(array)
        task.out = cnp.PyArray_BYTES(outputs)
        task.out_row_bytes = self.n_outputs * cnp.PyArray_ITEMSIZE(outputs)
        task.n_rows, task.slab, task.n_layers = cnp.PyArray_DIM(array, 0), slab, self.n_layers
        task.is_finite = True
        if n_walks * self.n_layers <= MAX_THREADS:
            for i in range(n_walks * self.n_layers):
                few_addresses[i] = 0
            task.addresses = few_addresses
        else:
            addresses = np.zeros(n_walks * self.n_layers, dtype=np.uintp)
            task.addresses = &addresses[0]
        task.first_slab = 0
        try:
            while task.first_slab < n_slabs and task.is_finite:
                task.end_slab = min(task.first_slab + n_walks * per_slice, n_slabs)
                begun = seconds()
                with nogil:
                    run_team(n_walks, predict_slabs, &task)
                if seconds() - begun < SLICE_SECONDS:
                    per_slice *= 4
                task.first_slab = task.end_slab
                if task.first_slab < n_slabs:
                    PyErr_CheckSignals()
        finally:
            if len(self.idle) + n_walks <= MAX_IDLE:
                self.idle += walks
        return task.is_finite

    cdef bint is_in_place(self, walk_t *walk, cnp.ndarray array, source_type_t source_type) noexcept:
        """Return whether the tiles' kernels can read the array as it is, in whole vectors."""
        cdef int64_t itemsize = cnp.PyArray_ITEMSIZE(array), row_stride = cnp.PyArray_STRIDE(array, 0)
        return (self.by_team and cnp.PyArray_ISALIGNED(array) and cnp.PyArray_TYPE(array) == self.type_number
                and walk.inputs_preparation.center == NULL and self.n_features % LANES == 0
                and cnp.PyArray_STRIDE(array, 1) == itemsize and row_stride % itemsize == 0)

    cdef Walk take(self):
        """Return a workspace that nobody uses: with the GIL held, nobody comes between."""
        cdef Walk walk
        if self.idle:
            return self.idle.pop()
        nothing = np.zeros((1, self.n_features), dtype=np.uint8)
        walk = Walk(self.plan, self.parameters, nothing, self.preparation, SLAB)
        walk.walk.checks_inputs = True
        return walk


cdef inline int64_t row_stride_of(int64_t n) noexcept:
    """plan.row_stride, without a call in Python."""
    cdef int64_t padded = (n + LANES - 1) / LANES * LANES
    return padded + LANES if padded % 256 == 0 else padded
