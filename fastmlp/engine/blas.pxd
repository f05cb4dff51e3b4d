"""The three matrix operations over SciPy's BLAS, for the walk in walk.pyx."""

from fastmlp.engine.csrc cimport operations_t

cdef const operations_t *blas_operations() noexcept nogil
