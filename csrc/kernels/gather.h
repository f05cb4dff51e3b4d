/* gather.h: rows of the user's matrix into the batch, converted and standardised on the way, so
 * that 60,000 uint8 images stay 47 MB; and results back out. */

/* One element as the type it is prepared in: double for float64, the compute type for the others.
 * memcpy, because a user's array may be unaligned. `type` is a constant wherever this is inlined. */
INLINE real_t load_element(const char *at, int64_t column, const preparation_t *preparation,
                           const source_type_t type)
{
    real_t x;
    if (type == SOURCE_F64) {
        double wide;
        memcpy(&wide, at, sizeof wide);
        if (preparation->center)
            wide = (wide - preparation->center_f64[column]) * preparation->scale_f64[column];
        return (real_t)wide;
    }
    if (type == SOURCE_F32) {
        float narrow;
        memcpy(&narrow, at, sizeof narrow);
        x = (real_t)narrow;
    } else {
        x = (real_t) * (const uint8_t *)at;
    }
    if (preparation->center)
        x = (x - ((const real_t *)preparation->center)[column]) *
            ((const real_t *)preparation->scale)[column];
    return x;
}

/* Ask for the next lines of a member's share of the next batch. By address: a line may reach beyond the data. */
INLINE void prefetch_lines(prefetch_t *ahead, int64_t n_lines)
{
    const source_t *source = ahead->source;
    const int64_t row_bytes = source->n_columns * source->column_stride;
    for (; n_lines > 0 && ahead->row < ahead->n_rows; n_lines--) {
        const char *row = source->data + ahead->rows[ahead->row] * source->row_stride;
        __builtin_prefetch((const void *)((uintptr_t)row + (uintptr_t)ahead->byte), 0, 2);
        ahead->byte += 64;
        if (ahead->byte >= row_bytes + 63) { /* a row begins anywhere in a line */
            ahead->byte = 0;
            ahead->row++;
        }
    }
}

INLINE void gather_rows_of(real_t *restrict out, const source_t *source, const int64_t *rows,
                           const preparation_t preparation, int64_t n_rows, int64_t stride,
                           const source_type_t type, const ptrdiff_t column_stride)
{
    const int64_t n_columns = source->n_columns;
    for (int64_t i = 0; i < n_rows; i++) {
        const char *row = source->data + rows[i] * source->row_stride;
        real_t *out_row = out + i * stride;
        /* A shuffled row is cold, unless it was fetched during the last update (see prefetch_t): begin to
         * fetch the next one now (128 rows of 784 floats from 60,000: 33 us without, 26 with). */
        if (i + 1 < n_rows && column_stride > 0 && column_stride <= 64) {
            const char *next = source->data + rows[i + 1] * source->row_stride;
            for (int64_t byte = 0; byte < n_columns * column_stride; byte += 64)
                __builtin_prefetch(next + byte);
        }
        if (preparation.center) /* decided outside the inner loop, which then vectorises */
            for (int64_t j = 0; j < n_columns; j++)
                out_row[j] = load_element(row + j * column_stride, j, &preparation, type);
        else
            for (int64_t j = 0; j < n_columns; j++)
                out_row[j] = load_element(row + j * column_stride, j, &(preparation_t){0}, type);
    }
}

static void gather_rows(void *out, const source_t *source, const int64_t *rows,
                        const preparation_t *preparation, int64_t n_rows, int64_t stride)
{
    const ptrdiff_t step = source->column_stride;
    switch (source->type) { /* the common strides are constants, for loops of plain vector loads */
    case SOURCE_U8:
        if (step == 1)
            gather_rows_of(out, source, rows, *preparation, n_rows, stride, SOURCE_U8, 1);
        else
            gather_rows_of(out, source, rows, *preparation, n_rows, stride, SOURCE_U8, step);
        break;
    case SOURCE_F32:
        if (step == sizeof(float))
            gather_rows_of(out, source, rows, *preparation, n_rows, stride, SOURCE_F32, sizeof(float));
        else
            gather_rows_of(out, source, rows, *preparation, n_rows, stride, SOURCE_F32, step);
        break;
    case SOURCE_F64:
        if (step == sizeof(double))
            gather_rows_of(out, source, rows, *preparation, n_rows, stride, SOURCE_F64, sizeof(double));
        else
            gather_rows_of(out, source, rows, *preparation, n_rows, stride, SOURCE_F64, step);
        break;
    }
}

INLINE void gather_columns_of(real_t *restrict out, const source_t *source, const int64_t *rows,
                              const preparation_t *preparation, int64_t n_rows, int64_t stride,
                              const source_type_t type)
{
    for (int64_t j = 0; j < source->n_columns; j++) {
        const char *column = source->data + j * source->column_stride;
        for (int64_t i = 0; i < n_rows; i++)
            out[j * stride + i] = load_element(column + rows[i] * source->row_stride, j, preparation, type);
        for (int64_t i = n_rows; i < whole_lanes(n_rows); i++)
            out[j * stride + i] = 0;
    }
}

static void gather_columns(void *out, const source_t *source, const int64_t *rows,
                           const preparation_t *preparation, int64_t n_rows, int64_t stride)
{
    switch (source->type) {
    case SOURCE_U8:
        gather_columns_of(out, source, rows, preparation, n_rows, stride, SOURCE_U8);
        break;
    case SOURCE_F32:
        gather_columns_of(out, source, rows, preparation, n_rows, stride, SOURCE_F32);
        break;
    case SOURCE_F64:
        gather_columns_of(out, source, rows, preparation, n_rows, stride, SOURCE_F64);
        break;
    }
}

static void scatter_rows(void *out_, const void *x_, int64_t n_rows, int64_t n_samples, int64_t stride)
{
    real_t *restrict out = out_;
    const real_t *restrict x = x_;
    for (int64_t i = 0; i < n_samples; i++)
        for (int64_t j = 0; j < n_rows; j++)
            out[i * n_rows + j] = x[j * stride + i];
}

/* Write n samples of the batch, from `start` on, changed as images, into the member's rows of a strip, and point
 * `out` at them. */
INLINE void augment_strip(source_t *out, const gather_t *gather, const batch_t *batch, const block_t *block,
                          int64_t start, int64_t n)
{
    *out = gather->source;
    out->column_stride = (ptrdiff_t)fastmlp_source_size(gather->source.type);
    out->row_stride = gather->source.n_columns * out->column_stride;
    char *strip = (char *)gather->augmented + block->member * LANES * out->row_stride;
    fastmlp_augment(strip, &gather->source, batch->rows + start, n, &gather->augmentation, &batch->random,
                    start);
    out->data = strip;
}

/* Add noise to n gathered samples, of which `start` is the first, and drop inputs. */
INLINE void disturb(real_t *rows, const gather_t *gather, const batch_t *batch, int64_t start, int64_t n)
{
    random_t random = batch->random;
    if (gather->noise > 0) {
        random.stream = STREAM_INPUT_NOISE;
        input_noise(rows, &random, start, n, gather->n_features, gather->row_stride, gather->noise);
    }
    if (gather->dropout > 0) {
        random.stream = STREAM_INPUT_DROPOUT;
        input_dropout(rows, &random, start, n, gather->n_features, gather->row_stride, gather->dropout);
    }
}

/* Transpose n samples straight from the user's array, block by block, so that the check finds them in the first cache
 * (784-50-50-10, 1000 rows: a quarter less); return whether they are finite, or are not checked. */
INLINE int gather_in_place(const gather_t *gather, const batch_t *batch, int64_t start, int64_t n)
{
    enum { BLOCK_COLUMNS = 256 }; /* 16 rows of them are 16 KB in float32 */
    const int64_t row_stride = gather->source.row_stride / (int64_t)sizeof(real_t);
    const real_t *x = (const real_t *)(const void *)gather->source.data + start * row_stride;
    int all_finite = 1;
    for (int64_t column = 0; column < gather->n_features; column += BLOCK_COLUMNS) {
        const int64_t rest = gather->n_features - column;
        const int64_t n_columns = rest < BLOCK_COLUMNS ? rest : BLOCK_COLUMNS;
        transpose((real_t *)gather->columns + column * batch->stride + start, x + column, n, n_columns,
                  batch->stride, row_stride);
        if (gather->is_checked)
            for (int64_t i = 0; i < n; i++)
                all_finite &= is_finite(x + i * row_stride + column, n_columns);
    }
    return all_finite;
}

/* The operation at the beginning: each member's strips, one at a time, which is transposed while it is in the first
 * caches. */
static void gather_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const gather_t *gather = operation;
    const int64_t end = block->sample + block->n_samples;
    int all_finite = 1;
    for (int64_t start = block->sample; start < end; start += LANES) {
        const int64_t n = end - start < LANES ? end - start : LANES;
        if (gather->in_place) {
            all_finite &= gather_in_place(gather, batch, start, n);
            continue;
        }
        real_t *rows = (real_t *)gather->rows + (gather->keeps_rows ? start * gather->row_stride : 0);
        if (gather->augmented) {
            source_t augmented;
            augment_strip(&augmented, gather, batch, block, start, n);
            gather_rows(rows, &augmented, gather->in_order, &gather->preparation, n, gather->row_stride);
        } else {
            gather_rows(rows, &gather->source, batch->rows + start, &gather->preparation, n,
                        gather->row_stride);
        }
        disturb(rows, gather, batch, start, n);
        if (gather->columns)
            transpose((real_t *)gather->columns + start, rows, n, gather->n_features, batch->stride,
                      gather->row_stride);
        if (gather->is_checked)
            all_finite &= is_finite(rows, n * gather->row_stride);
    }
    batch->is_finite = all_finite;
}

static const operation_type_t gather_operation = {
    .forward = {gather_forward, BY_STRIPS, READS_NONE, 1},
};

/* A product's update wants its inputs sample by sample: each member transposes its strips. */
static void transposition_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const transposition_t *own = operation;
    transpose((real_t *)own->rows + block->sample * own->row_stride,
              (const real_t *)own->inputs + block->sample, own->n, block->n_samples, own->row_stride,
              batch->stride);
}

static const operation_type_t transposition_operation = {
    .forward = {transposition_forward, BY_STRIPS, READS_ALL},
};
