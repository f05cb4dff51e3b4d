/* transpose.h: from features x samples to samples x features and back, in blocks that stay in registers. */

#ifndef VECTOR_TRANSPOSE_IS_DEFINED /* by the unit */
/* Transpose a block of VECTOR_LENGTH vectors in place. */
INLINE void vector_transpose(vector_t block[VECTOR_LENGTH])
{
    /* Zip the halves log2(VECTOR_LENGTH) times: a perfect shuffle of the elements. */
    UNROLL
    for (int length = VECTOR_LENGTH; length > 1; length /= 2) {
        vector_t zipped[VECTOR_LENGTH];
        UNROLL
        for (int i = 0; i < VECTOR_LENGTH / 2; i++) {
            zipped[2 * i] = vector_zip_low(block[i], block[i + VECTOR_LENGTH / 2]);
            zipped[2 * i + 1] = vector_zip_high(block[i], block[i + VECTOR_LENGTH / 2]);
        }
        UNROLL
        for (int i = 0; i < VECTOR_LENGTH; i++)
            block[i] = zipped[i];
    }
}
#endif

/* out (n_columns, out_stride) = x^T for x (n_rows, x_stride). Rows of out are written up to n_rows,
 * padded, and are zero beyond n_rows. Both strides are padded; out does not overlap x. */
static void transpose(void *out_, const void *x_, int64_t n_rows, int64_t n_columns, int64_t out_stride,
                      int64_t x_stride)
{
    real_t *restrict out = out_;
    const real_t *restrict x = x_;
    for (int64_t row = 0; row < whole_lanes(n_rows); row += VECTOR_LENGTH)
        for (int64_t column = 0; column < n_columns; column += VECTOR_LENGTH) {
            vector_t block[VECTOR_LENGTH];
            UNROLL
            for (int i = 0; i < VECTOR_LENGTH; i++)
                block[i] = row + i < n_rows ? vector_load(x + (row + i) * x_stride + column) : vector_zero();
            vector_transpose(block);
            for (int i = 0; i < VECTOR_LENGTH && column + i < n_columns; i++)
                vector_store(out + (column + i) * out_stride + row, block[i]);
        }
}
