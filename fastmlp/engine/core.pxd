"""What walk.pyx, native.pyx and kernels.pyx share of the C core; core.pyx has the docstrings."""

from libc.stdint cimport uint64_t

from fastmlp.engine.csrc cimport dtype_t, kernels_t, member_t, operations_t, preparation_t, source_t

cdef const kernels_t *find_kernels(str isa, dtype_t dtype) except NULL
cdef const operations_t *find_operations(str name, str isa, dtype_t dtype) except NULL
cdef object borrow(source_t *source, array)
cdef object fill_preparation(preparation_t *out, preparation, dtype)
cdef double seconds() noexcept nogil  # of a monotonic clock
cdef uint64_t flush_denormals() noexcept nogil
cdef void restore_denormals(uint64_t state) noexcept nogil
cdef int run_team(int n_threads, void (*work)(void *, const member_t *) noexcept nogil,
                  void *context) noexcept nogil
cdef int run_awake(int n_threads, void (*work)(void *, const member_t *) noexcept nogil,
                   void *context) noexcept nogil  # only threads that an earlier call left
cdef void barrier(const member_t *member) noexcept nogil
