/* sums.h: sums in one fixed order on every instruction set: LANES partial sums, then a tree. */

/* LANES partial sums added in a tree: the upper half to the lower, four times. */
INLINE real_t add_lanes(const vector_t *partial)
{
    enum { N = LANES / VECTOR_LENGTH };
    vector_t sum[N];
    UNROLL
    for (int v = 0; v < N; v++)
        sum[v] = partial[v];
    UNROLL
    for (int half = N / 2; half >= 1; half /= 2) {
        UNROLL
        for (int v = 0; v < half; v++)
            sum[v] = sum[v] + sum[v + half];
    }
    real_t lane[VECTOR_LENGTH];
    vector_store(lane, sum[0]);
    UNROLL
    for (int half = VECTOR_LENGTH / 2; half >= 1; half /= 2) {
        UNROLL
        for (int k = 0; k < half; k++)
            lane[k] += lane[k + half];
    }
    return lane[0];
}

static void row_sums(void *out_, const void *x_, int64_t n_rows, int64_t n_samples, int64_t stride,
                     int accumulate)
{
    real_t *restrict out = out_;
    const real_t *restrict x = x_;
    enum { N = LANES / VECTOR_LENGTH };
    const int64_t whole = n_samples & ~(int64_t)(LANES - 1);
    for (int64_t j = 0; j < n_rows; j++) {
        const real_t *restrict row = x + j * stride;
        if (n_samples == 1) { /* learning online: no tree for one */
            out[j] = accumulate ? out[j] + row[0] : row[0];
            continue;
        }
        vector_t sum[N];
        UNROLL
        for (int v = 0; v < N; v++)
            sum[v] = vector_zero();
        for (int64_t i = 0; i < whole; i += LANES) {
            UNROLL
            for (int v = 0; v < N; v++)
                sum[v] = sum[v] + vector_load(row + i + v * VECTOR_LENGTH);
        }
        if (whole < n_samples) {
            real_t rest[LANES] = {0};
            for (int64_t i = whole; i < n_samples; i++)
                rest[i - whole] = row[i];
            UNROLL
            for (int v = 0; v < N; v++)
                sum[v] = sum[v] + vector_load(rest + v * VECTOR_LENGTH);
        }
        const real_t total = add_lanes(sum);
        out[j] = accumulate ? out[j] + total : total;
    }
}

static double sum(const void *x_, int64_t n)
{
    const real_t *restrict x = x_;
    double total = 0;
    for (int64_t i = 0; i < n; i++)
        total += (double)x[i];
    return total;
}

/* The sum of x^2, or of |x| = x sign(x), in LANES partial sums. */
INLINE double sum_of_products(const real_t *restrict x, int64_t n, const int with_sign)
{
    const int64_t whole = n & ~(int64_t)(LANES - 1);
    double lane[LANES] = {0};
    for (int64_t i = 0; i < whole; i += LANES)
        for (int k = 0; k < LANES; k++) {
            const double value = (double)x[i + k];
            lane[k] = double_fma(value, with_sign ? __builtin_copysign(1.0, value) : value, lane[k]);
        }
    for (int64_t i = whole; i < n; i++) {
        const double value = (double)x[i];
        lane[i - whole] =
            double_fma(value, with_sign ? __builtin_copysign(1.0, value) : value, lane[i - whole]);
    }
    for (int half = LANES / 2; half >= 1; half /= 2)
        for (int k = 0; k < half; k++)
            lane[k] += lane[k + half];
    return lane[0];
}

static double sum_of_squares(const void *x, int64_t n) { return sum_of_products(x, n, 0); }

static double sum_of_magnitudes(const void *x, int64_t n) { return sum_of_products(x, n, 1); }

/* Whether none of n values, padded to LANES, is infinite or not a number: zero times such a one is not zero. */
static int is_finite(const void *x_, int64_t n)
{
    const real_t *restrict x = x_;
    vector_t sum = vector_zero();
    for (int64_t i = 0; i < whole_lanes(n); i += VECTOR_LENGTH)
        sum = vector_fma(vector_load(x + i), vector_zero(), sum);
    real_t lane[VECTOR_LENGTH], total = 0;
    vector_store(lane, sum);
    for (int k = 0; k < VECTOR_LENGTH; k++)
        total += lane[k];
    return total == 0;
}

/* Beyond the last sample the gradient is zero, whatever the padding held. */
INLINE void clear_padding(real_t *d_x, int64_t n_rows, int64_t n_samples, int64_t stride)
{
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = n_samples; i < whole_lanes(n_samples); i++)
            d_x[j * stride + i] = 0;
}
