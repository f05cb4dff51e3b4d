"""What a layer does between its product and its outputs, and on the way back; explained in finish.pyx."""

from fastmlp.engine.csrc cimport *


cdef void finish(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil
cdef void unfinish(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil
cdef void fold(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil
