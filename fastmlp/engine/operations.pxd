"""The operations of a network; operations.pyx has the explanations."""

from libc.stdint cimport int64_t

from fastmlp.engine.csrc cimport *


cdef const operation_type_t *find_product(str name, const operations_t *kinds) except NULL


cdef class Memory:
    cdef list views

    cdef char *readable(self, array) except NULL
    cdef char *writable(self, array) except NULL


cdef class Operations:
    cdef:
        readonly Memory memory
        operation_t *list        # in the order of the forward pass
        int64_t n
        int64_t first_trained    # the operation below which nothing learns
        linear_t **products      # of each layer
        parameters_t *parameters  # of each layer
        char *structs            # of the operations, one behind the other
        size_t structs_used, structs_end
        bint last_is_logits
        # Where these begin; all but the first two may be NULL.
        char *workspace
        char *values
        char *gradient
        char *moments[2]
        size_t itemsize
        const operations_t *kinds
        const operation_type_t *product_kind
        operation_type_t sparse_kind
        const bf16_operations_t *bf16
        object plan, layout
        bint learns, has_loss, training, to_inputs

    cdef void *new(self, size_t size) except NULL
    cdef int add(self, const operation_type_t *kind, const void *own, Py_ssize_t layer) noexcept
    cdef char *place(self, int64_t offset) noexcept
    cdef learned_t learned(self, int64_t offset, int64_t stride, bint is_penalised) noexcept
    cdef int learn(self, Py_ssize_t i, const learned_t *vector) except -1
    cdef learned_t vector(self, Py_ssize_t i, name) noexcept
    cdef int add_layer(self, Py_ssize_t i, csr_t *sparse, bint ends_at_logits) except -1
    cdef linear_t *new_product(self, Py_ssize_t i, csr_t *sparse) except NULL
    cdef int add_inputs(self, Py_ssize_t i, linear_t *product) except -1
    cdef int add_bias(self, Py_ssize_t i, linear_t *product) except -1
    cdef norm_t *new_norm(self, Py_ssize_t i, linear_t *product) except NULL
    cdef int add_folded_norm(self, Py_ssize_t i, linear_t *product) except -1
    cdef int add_norm(self, Py_ssize_t i, linear_t *product) except -1
    cdef activation_operation_t *new_activation(self, Py_ssize_t i, linear_t *product,
                                                activation_t activation) except NULL
    cdef int add_activation(self, Py_ssize_t i, linear_t *product, activation_t activation) except -1
    cdef int add_last_activation(self, Py_ssize_t i, linear_t *product, activation_t activation) except -1
    cdef int add_prelu(self, Py_ssize_t i, linear_t *product) except -1
    cdef int add_dropout(self, Py_ssize_t i, linear_t *product) except -1
    cdef int place_copies(self, Py_ssize_t i, bf16_linear_t *product, bint has_more) except -1
