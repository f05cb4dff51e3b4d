"""One training step, as native.pyx runs it; walk.pyx has the explanations."""

from libc.stdint cimport int32_t, int64_t

from fastmlp.engine.csrc cimport *

ctypedef struct walk_t:
    layer_t *layers
    bf16_layer_t *forms  # of each layer, for products in bfloat16
    Py_ssize_t n_layers
    const operations_t *operations
    source_t inputs, targets
    csr_t sparse  # in place of `inputs`; values NULL: they are dense
    augmentation_t augmentation
    char *augmented  # room for a strip of rows for each member; NULL: inputs are taken as they are
    const int64_t *in_order  # 0, 1, 2, ...: the rows of a strip
    preparation_t inputs_preparation, targets_preparation
    const int32_t *labels
    void *batch_targets
    source_t sample_weight  # a number for each row of the inputs; data NULL: all are 1
    void *batch_weights
    void *losses
    double *penalties  # of each unit
    loss_t loss
    const double *loss_numbers  # the smoothing, delta or quantiles
    int64_t n_loss_numbers
    bint last_is_logits
    bint learns  # there is a gradient: batch normalisation is by the batch
    Py_ssize_t first_trained  # the lowest layer that is not frozen
    double input_noise, input_dropout
    bint keeps_rows  # of the whole batch, sample by sample; else of one strip at a time
    bint checks_inputs
    bint in_place  # the inputs are as the kernels read them, row after row: nothing to convert


cdef class Walk:
    cdef:
        walk_t walk
        step_t step
        list keep_alive

    cdef char *writable(self, array) except NULL
    cdef char *readable(self, array) except NULL
    cdef int set_inputs(self, X, dtype) except -1
    cdef int set_loss(self, loss, options, targets, preparation, dtype) except -1
    cdef int place_vectors(self, layer_t *layer, layer_plan, char *parameters, size_t itemsize) except -1
    cdef int place_finish(self, Py_ssize_t i, layer_plan, layout, char *memory, size_t itemsize) except -1
    cdef int place_learning(self, plan, gradient, moments, size_t itemsize) except -1
    cdef int place_forms(self, Py_ssize_t i, char *memory, places) except -1


cdef bint forward(const walk_t *walk, step_t *step, const member_t *member, const int64_t *rows,
                  int64_t n_samples) noexcept nogil
cdef double loss_gradient(const walk_t *walk, const step_t *step, const member_t *member,
                          const int64_t *rows, double weight) noexcept nogil
cdef double weight_of_batch(const walk_t *walk, const int64_t *rows, int64_t n_samples) noexcept nogil
cdef void backward(const walk_t *walk, const step_t *step, const member_t *member) noexcept nogil
cdef void write_outputs(const walk_t *walk, const step_t *step, const size_t *addresses,
                        int64_t start) noexcept nogil
