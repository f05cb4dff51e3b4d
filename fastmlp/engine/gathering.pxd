"""The reading of a batch; explained in gathering.pyx."""

from libc.stdint cimport int64_t

from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport walk_t


cdef bint gather(const walk_t *walk, const step_t *step, const member_t *member,
                 const int64_t *rows) noexcept nogil
cdef void look_ahead(prefetch_t *ahead, const walk_t *walk, const step_t *step, const member_t *member,
                     const int64_t *rows, int64_t n_samples) noexcept nogil
