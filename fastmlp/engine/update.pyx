"""The solver's step on what a layer learns, the penalties on its weights, and the norm of the whole gradient.

The weights mostly make their step within `linear_update`, tile by tile; here are the vectors' steps, and
those of everything at once where the whole gradient has to be known before. Frozen layers are left out.
"""

from libc.math cimport sqrt
from libc.stdint cimport int64_t
from libc.string cimport memset

from fastmlp.engine.core cimport barrier
from fastmlp.engine.csrc cimport *
from fastmlp.engine.shares cimport at, itemsize_of
from fastmlp.engine.walk cimport walk_t


cdef void update_vectors(const layer_t *layer, const step_t *step, const member_t *member) noexcept nogil:
    """The gradient of the biases of the member's units, and the solver's step on all vectors, not penalised.

    The other vectors' gradients, and with a normalisation that of the biases, are there already.
    """
    cdef:
        int64_t begin = share_begin(layer.n_out, member), n = share_end(layer.n_out, member) - begin
        size_t skip = <size_t>begin * itemsize_of(step)
    if layer.norm == NORM_NONE:
        step.kernels.row_sums(at(layer.d_vectors, skip), at(layer.d_outputs, skip * step.stride), n,
                              step.n_samples, step.stride, step.accumulate)
    if not step.accumulate:
        step_vectors(layer, step, begin, n)


cdef void step_vectors(const layer_t *layer, const step_t *step, int64_t begin, int64_t n) noexcept nogil:
    """Make the solver's step on the vectors of so many units."""
    cdef optimizer_t optimizer = step.optimizer
    cdef int64_t i
    optimizer.l2, optimizer.l1, optimizer.shrink = 0, 0, 1
    for i in range(layer.n_vectors):
        step_slice(step, layer.vectors, layer.moment_vectors, layer.d_vectors,
                   begin + i * layer.vector_stride, n, &optimizer)


cdef void change_weights(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil:
    """Tell the operations that somebody else may have changed the weights."""
    cdef Py_ssize_t i
    if walk.operations.weights_changed != NULL:
        for i in range(walk.n_layers):
            walk.operations.weights_changed(&walk.layers[i], step, member)
        barrier(member)


cdef void penalise_weights(const walk_t *walk, const step_t *step, const member_t *member, double of_squares,
                           double of_magnitudes) noexcept nogil:
    """Leave the penalty on each unit's weights in ``penalties``: the member's own units."""
    cdef:
        Py_ssize_t i
        int64_t unit, first_of_layer = 0
        layer_t *layer
        size_t row_bytes
        char *row
        double penalty
    for i in range(walk.n_layers):
        layer = &walk.layers[i]
        if not layer.is_trainable:
            first_of_layer += layer.n_out  # where there are zeros
            continue
        row_bytes = <size_t>layer.weight_stride * itemsize_of(step)
        for unit in range(share_begin(layer.n_out, member), share_end(layer.n_out, member)):
            row = <char *>layer.weight + <size_t>unit * row_bytes
            penalty = 0
            if of_squares != 0:
                penalty += of_squares * step.kernels.sum_of_squares(row, layer.weight_stride)
            if of_magnitudes != 0:
                penalty += of_magnitudes * step.kernels.sum_of_magnitudes(row, layer.weight_stride)
            walk.penalties[first_of_layer + unit] = penalty
        first_of_layer += layer.n_out


cdef double sum_penalties(const walk_t *walk) noexcept nogil:
    """Return the penalty on all weights."""
    cdef double total = 0
    cdef Py_ssize_t i
    cdef int64_t unit, n_units = 0
    for i in range(walk.n_layers):
        n_units += walk.layers[i].n_out
    for unit in range(n_units):
        total += walk.penalties[unit]
    return total


cdef void clear_gradient(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil:
    """Make the gradient of the member's units zero, for products that add to it."""
    cdef:
        Py_ssize_t i
        layer_t *layer
        int64_t begin, n, k
        size_t itemsize = itemsize_of(step)
    for i in range(walk.n_layers):
        layer = &walk.layers[i]
        begin = share_begin(layer.n_out, member)
        n = share_end(layer.n_out, member) - begin
        memset(<char *>layer.d_weight + <size_t>(begin * layer.weight_stride) * itemsize, 0,
               <size_t>(n * layer.weight_stride) * itemsize)
        for k in range(layer.n_vectors):
            memset(<char *>layer.d_vectors + <size_t>(begin + k * layer.vector_stride) * itemsize, 0,
                   <size_t>n * itemsize)


cdef double gradient_norm(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil:
    """Return the norm of the whole gradient, summed unit by unit in one order, to every member."""
    cdef:
        Py_ssize_t i
        layer_t *layer
        int64_t unit, k, first_of_layer = 0
        size_t itemsize = itemsize_of(step)
        double squares
    barrier(member)  # all have read the penalties, whose place the sums take
    for i in range(walk.n_layers):
        layer = &walk.layers[i]
        if not layer.is_trainable:
            first_of_layer += layer.n_out
            continue
        for unit in range(share_begin(layer.n_out, member), share_end(layer.n_out, member)):
            squares = step.kernels.sum_of_squares(
                <char *>layer.d_weight + <size_t>(unit * layer.weight_stride) * itemsize, layer.weight_stride)
            for k in range(layer.n_vectors):
                squares += step.kernels.sum_of_squares(
                    <char *>layer.d_vectors + <size_t>(unit + k * layer.vector_stride) * itemsize, 1)
            walk.penalties[first_of_layer + unit] = squares
        first_of_layer += layer.n_out
    barrier(member)
    return sqrt(sum_penalties(walk))


cdef void step_all(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil:
    """Make the solver's step on the member's units, by the gradient that was gathered."""
    cdef:
        Py_ssize_t i
        layer_t *layer
        int64_t begin, n
    for i in range(walk.n_layers):
        layer = &walk.layers[i]
        if not layer.is_trainable:
            continue
        begin = share_begin(layer.n_out, member)
        n = share_end(layer.n_out, member) - begin
        step_slice(step, layer.weight, layer.moment_weight, layer.d_weight, begin * layer.weight_stride,
                   n * layer.weight_stride, &step.optimizer)
        step_vectors(layer, step, begin, n)
    barrier(member)  # nobody reads the sums of squares any more, nor old weights
    change_weights(walk, step, member)


cdef void step_slice(const step_t *step, void *w, void *const *moments, const void *gradient, int64_t begin,
                     int64_t n, const optimizer_t *optimizer) noexcept nogil:
    cdef size_t skip = <size_t>begin * itemsize_of(step)
    cdef char *moment_1 = <char *>moments[0]
    cdef char *moment_2 = <char *>moments[1]
    step.kernels.solver_step(<char *>w + skip, NULL if moment_1 == NULL else moment_1 + skip,
                             NULL if moment_2 == NULL else moment_2 + skip, <const char *>gradient + skip, 1,
                             n, 0, 0, optimizer)
