"""What the other modules share of the C core; core.pyx has the docstrings."""

from libc.stdint cimport int64_t, uint64_t

from fastmlp.engine.csrc cimport *

cdef member_t ALONE  # a team of one
cdef const kernels_t *find_kernels(str isa, dtype_t dtype) except NULL
cdef const operations_t *find_operations(str isa, dtype_t dtype) except NULL
cdef const bf16_operations_t *find_bfloat16_operations() except NULL
cdef int64_t plan_forward(stage_t *stages, const operation_t *operations, int64_t n) noexcept nogil
cdef int64_t plan_backward(stage_t *stages, const operation_t *operations, int64_t n) noexcept nogil
cdef int64_t plan_refresh(stage_t *stages, const operation_t *operations, int64_t n) noexcept nogil
cdef void run_stages(const stage_t *stages, int64_t n, batch_t *batch, const member_t *member) noexcept nogil
cdef object borrow(source_t *source, array)
cdef object borrow_csr(csr_t *out, X, dtype)
cdef object fill_preparation(preparation_t *out, preparation, int64_t n_columns, dtype)
cdef size_t source_size(source_type_t type) noexcept nogil
cdef void augment(void *out, const source_t *source, const int64_t *rows, int64_t n_rows,
                  const augmentation_t *augmentation, const random_t *random,
                  int64_t first_position) noexcept nogil
cdef double seconds() noexcept nogil  # of a monotonic clock
cdef uint64_t flush_denormals() noexcept nogil
cdef void restore_denormals(uint64_t state) noexcept nogil
cdef int run_team(int n_threads, void (*work)(void *, const member_t *) noexcept nogil,
                  void *context) noexcept nogil
cdef int run_awake(int n_threads, void (*work)(void *, const member_t *) noexcept nogil,
                   void *context) noexcept nogil  # only threads that an earlier call left
cdef void barrier(const member_t *member) noexcept nogil
