"""The C core as Cython and Python see it: instruction sets, the codes of names, borrowed arrays.

This module alone is linked with csrc/; native.pyx and kernels.pyx reach the C core through it.
"""

import os

import numpy as np

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t

from fastmlp.engine.csrc cimport *

from fastmlp.engine.sparse_rows import SparseRows


ALONE.index, ALONE.count, ALONE.team = 0, 1, NULL


cdef dict codes_of(const char *(*name_of)(int) noexcept nogil):
    """Return the codes of what the C core names, by their names."""
    codes = {}
    while name_of(len(codes)) != NULL:
        codes[name_of(len(codes)).decode()] = len(codes)
    return codes


ACTIVATION_CODES = codes_of(fastmlp_activation_name)
LOSS_CODES = codes_of(fastmlp_loss_name)
SOLVER_CODES = codes_of(fastmlp_solver_name)
#: What the C core pads samples to; plan.py must agree.
PADDING = LANES


def instruction_sets():
    """Return the names of the instruction sets that this machine can run, the best one last."""
    return [fastmlp_isa_name(isa).decode() for isa in range(fastmlp_n_isas())
            if fastmlp_isa_available(isa)]


def instruction_set():
    """Return the instruction set in use: the best one, or the one that FASTMLP_ISA names."""
    available = instruction_sets()
    name = os.environ.get("FASTMLP_ISA") or available[len(available) - 1]
    if name not in available:
        raise ValueError(f"FASTMLP_ISA={name!r} is not available here; this machine has {available}.")
    return name


BFLOAT16_IS_MISSING = (
    "dtype='bfloat16' needs a processor with AVX512_BF16, and FASTMLP_ISA unset; choose 'float32'."
)


def has_bfloat16():
    """Return whether this machine has what products in bfloat16 need, and may use it."""
    return bool(fastmlp_has_bfloat16()) and instruction_set() == "avx512"


def compiler():
    """Return the name and version of the compiler that built the C core."""
    return fastmlp_compiler().decode()


def philox4x32(const uint32_t[::1] counter, const uint32_t[::1] key):
    """Return the four random words of one counter, uint32 (4,), under a key, uint32 (2,)."""
    if counter.shape[0] != 4 or key.shape[0] != 2:
        raise ValueError("Philox4x32 takes a counter of 4 words and a key of 2.")
    words = np.empty(4, dtype=np.uint32)
    cdef uint32_t[::1] out = words
    fastmlp_philox4x32(&out[0], &counter[0], &key[0])
    return words


def shuffle(int64_t[::1] order, uint64_t seed, uint64_t epoch):
    """Shuffle in place, by the random stream of this seed and epoch."""
    if order.shape[0]:
        with nogil:
            fastmlp_shuffle(&order[0], order.shape[0], seed, epoch)


def swap_place(int64_t i, int64_t n, uint64_t seed, uint64_t epoch):
    """Return where a shuffle of n elements finds what its swap i puts at n - 1 - i."""
    if not 0 <= i < n:
        raise ValueError(f"swap {i} is not one of {n} elements.")
    return fastmlp_swap_place(i, n, seed, epoch)


cdef size_t source_size(source_type_t type) noexcept nogil:
    return fastmlp_source_size(type)


cdef void augment(void *out, const source_t *source, const int64_t *rows, int64_t n_rows,
                  const augmentation_t *augmentation, const random_t *random,
                  int64_t first_position) noexcept nogil:
    fastmlp_augment(out, source, rows, n_rows, augmentation, random, first_position)


cdef double seconds() noexcept nogil:
    return fastmlp_seconds()


cdef uint64_t flush_denormals() noexcept nogil:
    return fastmlp_flush_denormals()


cdef void restore_denormals(uint64_t state) noexcept nogil:
    fastmlp_restore_denormals(state)


cdef int run_team(int n_threads, void (*work)(void *, const member_t *) noexcept nogil,
                  void *context) noexcept nogil:
    return fastmlp_run_team(n_threads, True, work, context)


cdef int run_awake(int n_threads, void (*work)(void *, const member_t *) noexcept nogil,
                   void *context) noexcept nogil:
    return fastmlp_run_team(n_threads, False, work, context)


cdef void barrier(const member_t *member) noexcept nogil:
    fastmlp_barrier(member)


cdef int64_t plan_forward(stage_t *stages, const operation_t *operations, int64_t n) noexcept nogil:
    return fastmlp_plan_forward(stages, operations, n)


cdef int64_t plan_backward(stage_t *stages, const operation_t *operations, int64_t n) noexcept nogil:
    return fastmlp_plan_backward(stages, operations, n)


cdef int64_t plan_refresh(stage_t *stages, const operation_t *operations, int64_t n) noexcept nogil:
    return fastmlp_plan_refresh(stages, operations, n)


cdef void run_stages(const stage_t *stages, int64_t n, batch_t *batch, const member_t *member) noexcept nogil:
    fastmlp_run_stages(stages, n, batch, member)


cdef isa_t find_isa(str name) except -1:
    for isa in range(fastmlp_n_isas()):
        if fastmlp_isa_name(isa).decode() == name and fastmlp_isa_available(isa):
            return isa
    raise ValueError(f"the instruction set {name!r} is not available here.")


cdef const kernels_t *find_kernels(str isa, dtype_t dtype) except NULL:
    return fastmlp_kernels(find_isa(isa), dtype)


cdef const operations_t *find_operations(str isa, dtype_t dtype) except NULL:
    return fastmlp_operations(find_isa(isa), dtype)


cdef const bf16_operations_t *find_bfloat16_operations() except NULL:
    if not has_bfloat16():
        raise ValueError(BFLOAT16_IS_MISSING)
    return fastmlp_bfloat16_operations()


cdef object borrow(source_t *source, array):
    """Point ``source`` at a (rows, columns) array; the caller keeps the returned view alive."""
    cdef const uint8_t[:, :] u8
    cdef const float[:, :] f32
    cdef const double[:, :] f64
    source.n_columns = array.shape[1]
    source.row_stride, source.column_stride = array.strides
    if array.dtype == np.uint8:
        u8 = array
        source.type, source.data = SOURCE_U8, <const char *>&u8[0, 0]
        return u8
    if array.dtype == np.float32:
        f32 = array
        source.type, source.data = SOURCE_F32, <const char *>&f32[0, 0]
        return f32
    if array.dtype == np.float64:
        f64 = array
        source.type, source.data = SOURCE_F64, <const char *>&f64[0, 0]
        return f64
    raise TypeError(f"the engine reads uint8, float32 and float64 in native byte order, not {array.dtype}.")


cdef object fill_preparation(preparation_t *out, preparation, int64_t n_columns, dtype):
    """Point ``out`` at (center, scale), a number per column each; the caller keeps what is returned alive."""
    cdef const double[::1] wide
    cdef const uint8_t[::1] narrow
    out.center = out.scale = NULL
    if preparation is None:
        return None
    alive = []
    for i, part in enumerate(preparation):
        wide = np.ascontiguousarray(part, dtype=np.float64)
        if wide.shape[0] != n_columns:
            raise ValueError(f"the preparation is for {wide.shape[0]} columns, but there are {n_columns}.")
        with np.errstate(over="ignore"):  # what is too large for the type is used for float64 alone
            narrow = np.asarray(wide).astype(dtype).view(np.uint8)
        if i == 0:
            out.center_f64, out.center = &wide[0], <const void *>&narrow[0]
        else:
            out.scale_f64, out.scale = &wide[0], <const void *>&narrow[0]
        alive += [wide, narrow]
    return alive


cdef object borrow_csr(csr_t *out, X, dtype):
    """Point ``out`` at sparse rows, their values in this type; the caller keeps what is returned alive."""
    rows = SparseRows.of(X, dtype)
    # At least one element each, for there to be an address.
    cdef const int32_t[::1] columns = rows.columns if len(rows.columns) else np.zeros(1, dtype=np.int32)
    cdef const int64_t[::1] starts = rows.starts
    cdef const uint8_t[::1] values = (rows.values if len(rows.values) else np.zeros(1, dtype)).view(np.uint8)
    out.values, out.columns, out.starts = &values[0], &columns[0], &starts[0]
    return columns, starts, values
