"""The reading of a batch: rows of the user's data into the first layer's inputs.

Each member of a team reads strips of samples of its own, and changes them as it reads: images are moved and
mirrored, noise is added, inputs are dropped. The transposition that tiles want comes while a strip is in the
first caches.
"""

from libc.stdint cimport int64_t

from fastmlp.engine.core cimport augment as draw_images, source_size
from fastmlp.engine.csrc cimport *
from fastmlp.engine.shares cimport itemsize_of, strip_begin, strip_end
from fastmlp.engine.walk cimport walk_t

cdef enum:
    BLOCK_COLUMNS = 256  # 16 rows of them are 16 KB in float32


cdef bint gather(const walk_t *walk, const step_t *step, const member_t *member,
                 const int64_t *rows) noexcept nogil:
    """Read the member's samples into the first layer's inputs, sample by sample and, for tiles, transposed.

    Return False if the walk checks its inputs and they are not all finite.
    """
    cdef:
        layer_t *first = &walk.layers[0]
        size_t itemsize = itemsize_of(step)
        int64_t start = strip_begin(step, member), end = strip_end(step, member), n
        char *inputs_rows = <char *>first.inputs_rows
        source_t augmented
        bint is_finite = True
    if walk.in_place:
        return transpose_in_place(walk, step, start, end)
    while start < end:
        # One strip at a time: it is transposed while it is in the first caches.
        n = min(<int64_t>LANES, end - start)
        if walk.keeps_rows:
            inputs_rows = <char *>first.inputs_rows + <size_t>(start * first.weight_stride) * itemsize
        if walk.augmented != NULL:
            augment(&augmented, walk, step, member, rows, start, n)
            step.kernels.gather_rows(inputs_rows, &augmented, walk.in_order, &walk.inputs_preparation, n,
                                     first.weight_stride)
        else:
            step.kernels.gather_rows(inputs_rows, &walk.inputs, rows + start, &walk.inputs_preparation, n,
                                     first.weight_stride)
        disturb(walk, step, inputs_rows, start, n)
        if first.inputs != NULL and walk.operations.inputs_changed == NULL:
            step.kernels.transpose(<char *>first.inputs + <size_t>start * itemsize, inputs_rows, n,
                                   first.n_in, step.stride, first.weight_stride)
        if walk.checks_inputs:
            is_finite &= step.kernels.is_finite(inputs_rows, n * first.weight_stride)
        start += n
    if walk.operations.inputs_changed != NULL:
        walk.operations.inputs_changed(first, step, member)
    return is_finite


cdef void augment(source_t *out, const walk_t *walk, const step_t *step, const member_t *member,
                  const int64_t *rows, int64_t start, int64_t n) noexcept nogil:
    """Write n samples of the batch, changed, into the member's room for a strip, and point ``out`` at it."""
    out[0] = walk.inputs
    out.column_stride = source_size(walk.inputs.type)
    out.row_stride = walk.inputs.n_columns * out.column_stride
    out.data = walk.augmented + member.index * LANES * out.row_stride
    draw_images(<void *>out.data, &walk.inputs, rows + start, n, &walk.augmentation, &step.random, start)


cdef void disturb(const walk_t *walk, const step_t *step, char *inputs_rows, int64_t start,
                  int64_t n) noexcept nogil:
    """Add noise to n gathered samples, of which ``start`` is the first, and drop inputs."""
    cdef layer_t *first = &walk.layers[0]
    cdef random_t random = step.random
    if walk.input_noise > 0:
        random.stream = STREAM_INPUT_NOISE
        step.kernels.input_noise(inputs_rows, &random, start, n, first.n_in, first.weight_stride,
                                 walk.input_noise)
    if walk.input_dropout > 0:
        random.stream = STREAM_INPUT_DROPOUT
        step.kernels.input_dropout(inputs_rows, &random, start, n, first.n_in, first.weight_stride,
                                   walk.input_dropout)


cdef bint transpose_in_place(const walk_t *walk, const step_t *step, int64_t start,
                             int64_t end) noexcept nogil:
    """Read samples into the first layer's inputs, feature by feature, straight from the user's array.

    Block by block, so that the check finds them in the first cache (784-50-50-10, 1000 rows: a quarter less).
    """
    cdef:
        layer_t *first = &walk.layers[0]
        size_t itemsize = itemsize_of(step)
        int64_t row_stride = walk.inputs.row_stride
        int64_t n, column, n_columns, i
        const char *block
        bint is_finite = True
    while start < end:
        n = min(<int64_t>LANES, end - start)
        column = 0
        while column < first.n_in:
            n_columns = min(<int64_t>BLOCK_COLUMNS, first.n_in - column)
            block = walk.inputs.data + start * row_stride + <size_t>column * itemsize
            step.kernels.transpose(<char *>first.inputs + <size_t>(column * step.stride + start) * itemsize,
                                   block, n, n_columns, step.stride, row_stride // <int64_t>itemsize)
            if walk.checks_inputs:
                for i in range(n):
                    is_finite &= step.kernels.is_finite(block + i * row_stride, n_columns)
            column += BLOCK_COLUMNS
        start += n
    return is_finite


cdef void look_ahead(prefetch_t *ahead, const walk_t *walk, const step_t *step, const member_t *member,
                     const int64_t *rows, int64_t n_samples) noexcept nogil:
    """Point ``ahead`` at the member's share of the next batch."""
    cdef step_t next_step = step[0]
    cdef int64_t start, end, row_bytes = walk.inputs.n_columns * walk.inputs.column_stride
    next_step.n_samples = n_samples
    start, end = strip_begin(&next_step, member), strip_end(&next_step, member)
    ahead.source, ahead.rows, ahead.n_rows = &walk.inputs, rows + start, end - start
    ahead.row = ahead.byte = 0
    ahead.n_lines = 0
    if 0 < walk.inputs.column_stride <= 8:
        ahead.n_lines = ahead.n_rows * (row_bytes / 64 + 1)
