/* transpose.inc.c: from features x samples to samples x features and back, in blocks that stay in registers. */

/* Transpose a block of VECTOR_LENGTH vectors in place. */
INLINE void NAME(transpose_block)(VECTOR block[VECTOR_LENGTH])
{
#ifdef TRANSPOSE
    TRANSPOSE(block);
#else
    /* Zip the halves log2(VECTOR_LENGTH) times: a perfect shuffle of the elements. */
    UNROLL
    for (int length = VECTOR_LENGTH; length > 1; length /= 2) {
        VECTOR zipped[VECTOR_LENGTH];
        UNROLL
        for (int i = 0; i < VECTOR_LENGTH / 2; i++) {
            zipped[2 * i] = VECTOR_ZIP_LOW(block[i], block[i + VECTOR_LENGTH / 2]);
            zipped[2 * i + 1] = VECTOR_ZIP_HIGH(block[i], block[i + VECTOR_LENGTH / 2]);
        }
        UNROLL
        for (int i = 0; i < VECTOR_LENGTH; i++)
            block[i] = zipped[i];
    }
#endif
}

/* out (n_columns, out_stride) = x^T for x (n_rows, x_stride). Rows of out are written up to n_rows,
 * padded, and are zero beyond n_rows. Both strides are padded; out does not overlap x. */
KERNEL void NAME(transpose)(void *out_, const void *x_, int64_t n_rows, int64_t n_columns,
                            int64_t out_stride, int64_t x_stride)
{
    REAL *restrict out = out_;
    const REAL *restrict x = x_;
    for (int64_t row = 0; row < whole_lanes(n_rows); row += VECTOR_LENGTH)
        for (int64_t column = 0; column < n_columns; column += VECTOR_LENGTH) {
            VECTOR block[VECTOR_LENGTH];
            UNROLL
            for (int i = 0; i < VECTOR_LENGTH; i++)
                block[i] = row + i < n_rows ? VECTOR_LOAD(x + (row + i) * x_stride + column) : VECTOR_ZERO;
            NAME(transpose_block)(block);
            for (int i = 0; i < VECTOR_LENGTH && column + i < n_columns; i++)
                VECTOR_STORE(out + (column + i) * out_stride + row, block[i]);
        }
}
