"""Predictions, again and again; explained in prediction.pyx."""

cimport numpy as cnp
from libc.stdint cimport int64_t

from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport Walk, walk_t


cdef class Predictor:
    cdef:
        object plan, parameters, preparation
        list idle, held
        readonly object dtype
        readonly int64_t n_features, n_outputs
        int64_t itemsize
        readonly int64_t idle_bytes  # of the workspaces that wait in `idle`
        int type_number
        double work_per_row
        bint by_team, float64_only

    cdef bint can_read(self, source_t *source, cnp.ndarray array) noexcept
    cdef bint run(self, const source_t *source, int64_t n_rows, char *out, n_threads) except -1
    cdef bint run_alone(self, const source_t *source, int64_t n_rows, char *out) except -1
    cdef bint run_slabs(self, const source_t *source, int64_t n_rows, char *out, int64_t slab,
                        int n_walks) except -1
    cdef bint run_shared(self, const source_t *source, int64_t n_rows, char *out, int n_members) except -1
    cdef int point_at(self, walk_t *walk, const source_t *source) except -1
    cdef Walk take(self)
    cdef int give_back(self, Walk walk) except -1
