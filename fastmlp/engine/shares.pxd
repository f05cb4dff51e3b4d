"""What of a batch and of a layer belongs to a member of a team."""

from libc.stdint cimport int64_t

from fastmlp.engine.csrc cimport *

ctypedef struct block_t:
    # Some units of a layer, some samples of a batch, and how many bytes from the beginning of a
    # (units, samples) buffer they begin.
    int64_t unit, n_units, sample, n_samples
    size_t skip


cdef inline size_t itemsize_of(const step_t *step) noexcept nogil:
    return sizeof(float) if step.dtype == DTYPE_F32 else sizeof(double)


cdef inline int64_t strip_begin(const step_t *step, const member_t *member) noexcept nogil:
    """The first sample of a member's share, in whole strips of LANES."""
    return min(LANES * share_begin((step.n_samples + LANES - 1) / LANES, member), step.n_samples)


cdef inline int64_t strip_end(const step_t *step, const member_t *member) noexcept nogil:
    return min(LANES * share_end((step.n_samples + LANES - 1) / LANES, member), step.n_samples)


cdef inline block_t own_units(const layer_t *layer, const step_t *step,
                              const member_t *member) noexcept nogil:
    """The member's units, of all samples."""
    cdef block_t block
    block.unit = share_begin(layer.n_out, member)
    block.n_units = share_end(layer.n_out, member) - block.unit
    block.sample, block.n_samples = 0, step.n_samples
    block.skip = <size_t>(block.unit * step.stride) * itemsize_of(step)
    return block


cdef inline block_t own_strips(const layer_t *layer, const step_t *step,
                               const member_t *member) noexcept nogil:
    """All units, of the member's samples."""
    cdef block_t block
    block.unit, block.n_units = 0, layer.n_out
    block.sample = strip_begin(step, member)
    block.n_samples = strip_end(step, member) - block.sample
    block.skip = <size_t>block.sample * itemsize_of(step)
    return block


cdef inline void *at(const void *begin, size_t skip) noexcept nogil:
    """So many bytes behind; NULL stays NULL."""
    return NULL if begin == NULL else <char *>begin + skip
