"""The penalties and the steps that need the whole gradient; explained in update.pyx."""

from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport walk_t


cdef void penalise_weights(const walk_t *walk, const batch_t *batch, const member_t *member,
                           double of_squares, double of_magnitudes) noexcept nogil
cdef void clear_gradient(const walk_t *walk, const batch_t *batch, const member_t *member) noexcept nogil
cdef double gradient_norm(const walk_t *walk, const batch_t *batch, const member_t *member) noexcept nogil
cdef void step_all(const walk_t *walk, batch_t *batch, const member_t *member) noexcept nogil
cdef double sum_penalties(const walk_t *walk) noexcept nogil
