"""The penalties on the weights, the norm of the whole gradient, and the solver's step once it is known.

Mostly parameters make their step within the backward walk, operation by operation; here is what needs the
whole gradient before. Each member of a team looks after its units. Frozen layers are left out.
"""

from libc.math cimport sqrt
from libc.stdint cimport int64_t

from fastmlp.engine.core cimport barrier
from fastmlp.engine.csrc cimport *
from fastmlp.engine.walk cimport refresh, walk_t


cdef void penalise_weights(const walk_t *walk, const batch_t *batch, const member_t *member,
                           double of_squares, double of_magnitudes) noexcept nogil:
    """Leave the penalty on each unit's weights in ``penalties``."""
    cdef int64_t i, begin, first_of_layer = 0
    cdef const parameters_t *layer
    for i in range(walk.n_layers):
        layer = &walk.parameters[i]
        begin = share_begin(layer.n_units, member)
        if layer.is_trainable:  # where it is not, there are zeros
            batch.kernels.penalise(walk.penalties + first_of_layer, layer, begin,
                                   share_end(layer.n_units, member) - begin, of_squares, of_magnitudes)
        first_of_layer += layer.n_units


cdef double sum_penalties(const walk_t *walk) noexcept nogil:
    """Return the penalty on all weights."""
    cdef double total = 0
    cdef int64_t i, unit, n_units = 0
    for i in range(walk.n_layers):
        n_units += walk.parameters[i].n_units
    for unit in range(n_units):
        total += walk.penalties[unit]
    return total


cdef void clear_gradient(const walk_t *walk, const batch_t *batch, const member_t *member) noexcept nogil:
    """Make the gradient zero, for operations that add to it."""
    cdef int64_t i, begin
    cdef const parameters_t *layer
    for i in range(walk.n_layers):
        layer = &walk.parameters[i]
        begin = share_begin(layer.n_units, member)
        batch.kernels.clear_gradient(layer, begin, share_end(layer.n_units, member) - begin)


cdef double gradient_norm(const walk_t *walk, const batch_t *batch, const member_t *member) noexcept nogil:
    """Return the norm of the whole gradient, summed unit by unit in one order, to every member."""
    cdef int64_t i, begin, first_of_layer = 0
    cdef const parameters_t *layer
    barrier(member)  # all have read the penalties, whose place the sums take
    for i in range(walk.n_layers):
        layer = &walk.parameters[i]
        begin = share_begin(layer.n_units, member)
        if layer.is_trainable:
            batch.kernels.gradient_squares(walk.penalties + first_of_layer, layer, begin,
                                           share_end(layer.n_units, member) - begin)
        first_of_layer += layer.n_units
    barrier(member)
    return sqrt(sum_penalties(walk))


cdef void step_all(const walk_t *walk, batch_t *batch, const member_t *member) noexcept nogil:
    """Make the solver's step, by the gradient that was gathered."""
    cdef int64_t i, begin
    cdef const parameters_t *layer
    for i in range(walk.n_layers):
        layer = &walk.parameters[i]
        begin = share_begin(layer.n_units, member)
        if layer.is_trainable:
            batch.kernels.step_parameters(layer, begin, share_end(layer.n_units, member) - begin,
                                          &batch.optimizer)
    barrier(member)  # nobody reads the sums of squares any more, nor old weights
    refresh(walk, batch, member)
