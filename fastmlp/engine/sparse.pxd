"""The first layer of a batch of sparse rows; explained in sparse.pyx."""

from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport walk_t


cdef object borrow_csr(csr_t *out, X, dtype)
cdef void sparse_forward(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil
cdef void sparse_update(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil
