/* sums.inc.c: sums in one fixed order on every instruction set: LANES partial sums, then a tree. */

KERNEL void NAME(row_sums)(void *out_, const void *x_, int64_t n_rows, int64_t n_samples, int64_t stride,
                           int accumulate)
{
    REAL *restrict out = out_;
    const REAL *restrict x = x_;
    const int64_t whole = n_samples & ~(int64_t)(LANES - 1);
    for (int64_t j = 0; j < n_rows; j++) {
        const REAL *restrict row = x + j * stride;
        REAL lane[LANES] = {0};
        for (int64_t i = 0; i < whole; i += LANES)
            for (int k = 0; k < LANES; k++)
                lane[k] += row[i + k];
        for (int64_t i = whole; i < n_samples; i++)
            lane[i - whole] += row[i];
        for (int half = LANES / 2; half >= 1; half /= 2)
            for (int k = 0; k < half; k++)
                lane[k] += lane[k + half];
        out[j] = accumulate ? out[j] + lane[0] : lane[0];
    }
}

KERNEL double NAME(sum)(const void *x_, int64_t n)
{
    const REAL *restrict x = x_;
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)x[i];
    return total;
}

KERNEL double NAME(sum_of_squares)(const void *x_, int64_t n)
{
    const REAL *restrict x = x_;
    const int64_t whole = n & ~(int64_t)(LANES - 1);
    double lane[LANES] = {0};
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++)
            lane[k] = FMA_F64((double)x[i + k], (double)x[i + k], lane[k]);
    for (int64_t i = whole; i < n; i++)
        lane[i - whole] = FMA_F64((double)x[i], (double)x[i], lane[i - whole]);
    for (int half = LANES / 2; half >= 1; half /= 2)
        for (int k = 0; k < half; k++)
            lane[k] += lane[k + half];
    return lane[0];
}
