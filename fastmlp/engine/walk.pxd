"""The walk over a network's operations; walk.pyx has the explanations."""

from libc.stdint cimport int64_t

from fastmlp.engine.csrc cimport *
from fastmlp.engine.operations cimport Operations

ctypedef struct output_t:
    # What a layer makes, (n_out, stride).
    const void *values
    int64_t n_out

ctypedef struct walk_t:
    gather_t gather
    objective_t objective
    int64_t n_features, n_layers
    output_t *outputs               # of each layer
    const parameters_t *parameters  # of each layer
    double *penalties               # of each unit
    void *d_inputs                  # the gradient of the batch, or NULL
    bint last_is_logits             # the last activation is part of the loss
    # What every member of a team runs in each pass. The first n_reading stages read the batch.
    stage_t *stages
    stage_t *forward
    stage_t *loss
    stage_t *backward
    stage_t *refresh
    int64_t n_reading, n_forward, n_backward, n_refresh


cdef class Walk:
    cdef:
        walk_t walk
        batch_t batch
        Operations operations
        size_t n_bytes  # of the workspace
        list keep_alive

    cdef int set_inputs(self, plan, layout, X, preparation, bint has_loss) except -1
    cdef int set_loss(self, plan, layout, loss, options, targets, preparation) except -1
    cdef int plan_stages(self) except -1


cdef bint forward(const walk_t *walk, batch_t *batch, const member_t *member, const int64_t *rows,
                  int64_t n_samples) noexcept nogil
cdef double loss_gradient(const walk_t *walk, batch_t *batch, const member_t *member,
                          double weight) noexcept nogil
cdef double weight_of_batch(const walk_t *walk, const int64_t *rows, int64_t n_samples) noexcept nogil
cdef void backward(const walk_t *walk, batch_t *batch, const member_t *member) noexcept nogil
cdef void refresh(const walk_t *walk, batch_t *batch, const member_t *member) noexcept nogil
cdef void write_outputs(const walk_t *walk, const batch_t *batch, const size_t *addresses,
                        int64_t start) noexcept nogil
cdef void write_last_outputs(const walk_t *walk, const batch_t *batch, char *out) noexcept nogil
