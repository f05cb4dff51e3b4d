"""Predictions, again and again: workspaces are kept from call to call, and a plain array takes a short cut.

What `passes.forward` does for every layer, with losses and for any batch, is here for outputs alone. One row
of a small network takes about as long as a call in Python.
"""

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from cpython.mem cimport PyMem_Calloc, PyMem_Free
from libc.stdint cimport int64_t

from fastmlp.engine.core cimport ALONE, run_awake, run_team, seconds
from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport Walk, forward, walk_t, write_last_outputs

from fastmlp._support.threads import count_threads
from fastmlp.engine import given, plan as plan_module

cnp.import_array()

# Workspaces are kept from call to call, in up to so many bytes for a network.
IDLE_BYTES = 64 << 20

cdef int64_t SLAB = plan_module.SLAB
# The rows of a slab, and plan.row_stride of so many: a call of Python takes as long as a row.
cdef int64_t *IN_ORDER = <int64_t *>PyMem_Calloc(SLAB, sizeof(int64_t))
cdef int64_t *STRIDES = <int64_t *>PyMem_Calloc(SLAB + 1, sizeof(int64_t))
if IN_ORDER == NULL or STRIDES == NULL:
    raise MemoryError
cdef int64_t _i
for _i in range(SLAB):
    IN_ORDER[_i], STRIDES[_i + 1] = _i, plan_module.row_stride(_i + 1)

# Multiplications and additions below which starting a second thread costs more than it does, and those for
# which one that is awake is worth its barriers: some 8 us of them.
cdef double WORK_OF_A_THREAD = 1.5e7
cdef double SHARED_WORK = 1e6
cdef double SLICE_SECONDS = 0.05  # between two looks at signals such as Ctrl-C

# A few rows are shared by units: each thread then reads its part of the weights only, and that is what takes
# the time.
cdef int64_t SHARED_ROWS = plan_module.SHARED_ROWS

cdef enum:
    # One row takes as long as so many at full speed.
    ROWS_OF_READING = 9
    # Threads are started for small predictions once so many have followed each other this closely.
    CALLS_OF_A_BURST = 8
cdef double BURST_SECONDS = 50e-6

cdef double last_shared = 0  # when the last such prediction ended
cdef int burst = 0           # how many followed each other; the GIL guards both


ctypedef struct task_t:
    walk_t **walks  # one for each member
    const batch_t *batch
    const char *data
    char *out
    size_t out_row_bytes
    int64_t n_rows, slab
    int64_t first_slab, end_slab
    flag_t not_finite


cdef void predict_slabs(void *context, const member_t *member) noexcept nogil:
    """Predict every slab that is the member's turn."""
    cdef:
        task_t *task = <task_t *>context
        walk_t *walk = task.walks[member.index]
        batch_t batch = task.batch[0]
        int64_t slab = task.first_slab + member.index, start
    while slab < task.end_slab:
        start = slab * task.slab
        walk.gather.source.data = task.data + start * walk.gather.source.row_stride
        if not forward(walk, &batch, &ALONE, IN_ORDER, min(task.slab, task.n_rows - start)):
            flag_raise(&task.not_finite)
            return
        write_last_outputs(walk, &batch, task.out + <size_t>start * task.out_row_bytes)
        slab += member.count


ctypedef struct shared_t:
    # One batch, of which each member makes its units.
    walk_t *walk
    const batch_t *batch
    char *out
    int64_t n_rows
    flag_t not_finite


cdef void predict_units(void *context, const member_t *member) noexcept nogil:
    cdef:
        shared_t *task = <shared_t *>context
        batch_t batch = task.batch[0]
    if not forward(task.walk, &batch, member, IN_ORDER, task.n_rows):
        flag_raise(&task.not_finite)
    elif member.index == 0:
        write_last_outputs(task.walk, &batch, task.out)


cdef class Predictor:
    """The outputs of one network for one array after another; any number of threads may call it."""

    def __init__(self, plan, parameters, preparation, float64_only=False):
        given.check_vectors(plan, parameters)
        self.plan, self.parameters, self.preparation = plan, parameters, given.preparation(preparation)
        self.held = given.hold(parameters)
        self.float64_only = float64_only
        self.idle = []
        self.idle_bytes = 0
        self.n_features, self.n_outputs = plan.n_features, plan.n_outputs
        self.dtype, self.itemsize = plan.dtype, plan.dtype.itemsize
        self.type_number = cnp.NPY_FLOAT if plan.dtype == np.float32 else cnp.NPY_DOUBLE
        self.work_per_row = sum([layer.n_in * layer.n_out for layer in plan.layers])
        self.by_team = plan.operations == "tile"

    def predict(self, X, n_threads=None):
        """Return the outputs, (n_samples, n_outputs); None if X is no plain array of finite numbers."""
        cdef:
            cnp.ndarray outputs
            cnp.npy_intp shape[2]
            source_t source
        if type(X) is not np.ndarray or cnp.PyArray_NDIM(<cnp.ndarray>X) != 2:
            return None
        shape[0], shape[1] = cnp.PyArray_DIM(<cnp.ndarray>X, 0), self.n_outputs
        if shape[0] < 1 or not self.can_read(&source, <cnp.ndarray>X):
            return None
        outputs = cnp.PyArray_EMPTY(2, shape, self.type_number, 0)
        return outputs if self.run(&source, shape[0], cnp.PyArray_BYTES(outputs), n_threads) else None

    cdef bint can_read(self, source_t *source, cnp.ndarray array) noexcept:
        """Point ``source`` at a row or at rows; return False if they are not as the kernels read them."""
        cdef int number = cnp.PyArray_TYPE(array), columns = cnp.PyArray_NDIM(array) - 1
        if self.float64_only and number != cnp.NPY_DOUBLE:  # see Preparation.can_prepare_in
            return False
        if number == cnp.NPY_UINT8:
            source.type = SOURCE_U8
        elif number == cnp.NPY_FLOAT:
            source.type = SOURCE_F32
        elif number == cnp.NPY_DOUBLE:
            source.type = SOURCE_F64
        else:
            return False
        if cnp.PyArray_DIM(array, columns) != self.n_features or not cnp.PyArray_ISNOTSWAPPED(array):
            return False
        source.data, source.n_columns = cnp.PyArray_BYTES(array), self.n_features
        source.row_stride = cnp.PyArray_STRIDE(array, 0) if columns else 0
        source.column_stride = cnp.PyArray_STRIDE(array, columns)
        return True

    cdef bint run(self, const source_t *source, int64_t n_rows, char *out, n_threads) except -1:
        """Write the outputs, one row after the other; return False if the inputs are not finite."""
        cdef int64_t slab
        cdef int n_walks
        if (self.by_team and n_rows <= SHARED_ROWS
                and self.work_per_row * max(n_rows, <int64_t>ROWS_OF_READING) >= SHARED_WORK):
            return self.run_shared(source, n_rows, out, count_threads(n_threads))
        if self.by_team and n_rows > LANES and n_rows * self.work_per_row > 2 * WORK_OF_A_THREAD:
            n_walks = <int>min(<int64_t>max(1, count_threads(n_threads)), (n_rows + LANES - 1) / LANES)
            if n_rows * self.work_per_row < n_walks * WORK_OF_A_THREAD:
                n_walks = <int>(n_rows * self.work_per_row / WORK_OF_A_THREAD)
            # As many slabs as threads, or more of full size.
            slab = min(SLAB, LANES * ((n_rows + LANES * n_walks - 1) / (LANES * n_walks)))
            return self.run_slabs(source, n_rows, out, slab, n_walks)
        if n_rows <= SLAB:
            return self.run_alone(source, n_rows, out)
        return self.run_slabs(source, n_rows, out, SLAB, 1)

    cdef bint run_alone(self, const source_t *source, int64_t n_rows, char *out) except -1:
        """Predict one slab: no team, nothing to share."""
        cdef:
            Walk walk = self.take()
            batch_t batch = walk.batch
            bint is_finite
        self.point_at(&walk.walk, source)
        batch.stride = STRIDES[n_rows]
        with nogil:
            is_finite = forward(&walk.walk, &batch, &ALONE, IN_ORDER, n_rows)
            if is_finite:
                write_last_outputs(&walk.walk, &batch, out)
        self.give_back(walk)
        return is_finite

    cdef bint run_slabs(self, const source_t *source, int64_t n_rows, char *out, int64_t slab,
                        int n_walks) except -1:
        """Predict slab after slab, or side by side, each thread with a workspace of its own."""
        cdef:
            list walks = [self.take() for _ in range(n_walks)]
            Walk walk
            task_t task
            batch_t batch
            walk_t **addresses = <walk_t **>PyMem_Calloc(n_walks, sizeof(walk_t *))
            int64_t n_slabs = (n_rows + slab - 1) / slab, per_slice = 1
            int i
            double begun
        if addresses == NULL:
            raise MemoryError
        for i in range(n_walks):
            walk = walks[i]
            addresses[i] = &walk.walk
            self.point_at(&walk.walk, source)
        batch = walk.batch
        batch.stride = STRIDES[slab]
        task.walks, task.batch, task.data, task.out = addresses, &batch, source.data, out
        task.out_row_bytes = self.n_outputs * self.itemsize
        task.n_rows, task.slab, task.first_slab = n_rows, slab, 0
        flag_clear(&task.not_finite)
        try:
            while task.first_slab < n_slabs and not flag_is_raised(&task.not_finite):
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
            PyMem_Free(addresses)
            for walk in walks:
                self.give_back(walk)
        return not flag_is_raised(&task.not_finite)

    cdef bint run_shared(self, const source_t *source, int64_t n_rows, char *out, int n_members) except -1:
        """Predict a few rows, each thread its units of every layer."""
        global last_shared, burst
        cdef:
            Walk walk = self.take()
            shared_t task
            batch_t batch = walk.batch
        self.point_at(&walk.walk, source)
        # The members read their strips at the same time, each into rows of its own.
        walk.walk.gather.keeps_rows = True
        batch.stride = STRIDES[n_rows]
        task.walk, task.batch, task.n_rows, task.out = &walk.walk, &batch, n_rows, out
        flag_clear(&task.not_finite)
        burst = burst + 1 if seconds() - last_shared < BURST_SECONDS else 0
        if n_rows * self.work_per_row > 2 * WORK_OF_A_THREAD or burst >= CALLS_OF_A_BURST:
            with nogil:
                run_team(n_members, predict_units, &task)
        else:
            with nogil:
                run_awake(n_members, predict_units, &task)
        last_shared = seconds()
        walk.walk.gather.keeps_rows = False  # a slab has more rows than there is room for
        self.give_back(walk)
        return not flag_is_raised(&task.not_finite)

    cdef int point_at(self, walk_t *walk, const source_t *source) except -1:
        """Let a walk read these rows: as they are, if the tiles' kernels can, in whole vectors."""
        cdef int64_t itemsize = self.itemsize
        walk.gather.source = source[0]
        walk.gather.in_place = (
            self.by_team and source.type == (SOURCE_F32 if itemsize == sizeof(float) else SOURCE_F64)
            and <size_t>source.data % itemsize == 0 and walk.gather.preparation.center == NULL
            and self.n_features % LANES == 0 and source.column_stride == itemsize
            and source.row_stride % itemsize == 0)
        return 0

    cdef Walk take(self):
        """Return a workspace that nobody uses: with the GIL held, nobody comes between."""
        cdef Walk walk
        if self.idle:
            walk = self.idle.pop()
            self.idle_bytes -= walk.n_bytes
            return walk
        nothing = np.zeros((1, self.n_features), dtype=np.uint8)
        walk = Walk(self.plan, self.parameters, nothing, self.preparation, SLAB)
        walk.walk.gather.is_checked = True
        return walk

    cdef int give_back(self, Walk walk) except -1:
        """Keep a workspace for the next call, unless those that wait take too much memory."""
        if self.idle_bytes + walk.n_bytes <= IDLE_BYTES:
            self.idle.append(walk)
            self.idle_bytes += walk.n_bytes
        return 0
