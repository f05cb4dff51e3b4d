"""The product over SciPy's BLAS, as an operation of the walk."""

from fastmlp.engine.csrc cimport operation_type_t

cdef const operation_type_t *blas_product() noexcept nogil
