/* norms.inc.c: batch and layer normalisation, and the parametric ReLU: what a layer does with its sums
 * before its activation, by vectors that are learned.
 *
 * With n = (z - mean) / sqrt(variance + epsilon) both give y = scale n + bias: batch normalisation
 * (S. Ioffe, C. Szegedy, 2015) with mean and variance of each unit over the batch, layer normalisation
 * (J. L. Ba, J. R. Kiros, G. E. Hinton, 2016) of each sample over the units. On the way back
 *   d_scale = sum_samples d n, d_bias = sum_samples d,
 *   d_z = (g - mean(g) - n mean(g n)) / sqrt(variance + epsilon) with g = scale d, means as on the way up.
 */

/* Sums over a row's samples as row_sums takes them, of x or of x y. */
INLINE real_t row_sum_of(const real_t *restrict x, const real_t *restrict y, int64_t n_samples)
{
    enum { N = LANES / VECTOR_LENGTH };
    const int64_t whole = n_samples & ~(int64_t)(LANES - 1);
    vector_t sum[N];
    UNROLL
    for (int v = 0; v < N; v++)
        sum[v] = vector_zero();
    for (int64_t i = 0; i < whole; i += LANES) {
        UNROLL
        for (int v = 0; v < N; v++) {
            const vector_t value = vector_load(x + i + v * VECTOR_LENGTH);
            if (y)
                sum[v] = vector_fma(value, vector_load(y + i + v * VECTOR_LENGTH), sum[v]);
            else
                sum[v] = sum[v] + value;
        }
    }
    if (whole < n_samples) {
        real_t rest_x[LANES] = {0}, rest_y[LANES] = {0};
        for (int64_t i = whole; i < n_samples; i++) {
            rest_x[i - whole] = x[i];
            rest_y[i - whole] = y ? y[i] : 0;
        }
        UNROLL
        for (int v = 0; v < N; v++) {
            const vector_t value = vector_load(rest_x + v * VECTOR_LENGTH);
            if (y)
                sum[v] = vector_fma(value, vector_load(rest_y + v * VECTOR_LENGTH), sum[v]);
            else
                sum[v] = sum[v] + value;
        }
    }
    return add_lanes(sum);
}

static void batch_norm_forward(void *z_, void *normed_, void *inverse_, void *mean_, void *variance_,
                               const void *scale_, const void *bias_, int64_t n_rows, int64_t n_samples,
                               int64_t stride, double epsilon, double momentum, int is_fixed)
{
    real_t *inverse = inverse_, *running_mean = mean_, *running_variance = variance_;
    const real_t *scale = scale_, *bias = bias_;
    const real_t n = (real_t)n_samples;
    for (int64_t j = 0; j < n_rows; j++) {
        real_t *restrict z = (real_t *)z_ + j * stride;
        real_t *restrict normed = (real_t *)normed_ + j * stride;
        real_t mean = running_mean[j], variance = running_variance[j];
        if (!is_fixed) {
            mean = row_sum_of(z, NULL, n_samples) / n;
            for (int64_t i = 0; i < whole_lanes(n_samples); i++)
                normed[i] = z[i] - mean;
            const real_t squares = row_sum_of(normed, normed, n_samples);
            variance = squares / n;
            if (momentum > 0) {
                const real_t towards = (real_t)momentum;
                running_mean[j] += towards * (mean - running_mean[j]);
                if (n_samples > 1) /* the unbiased estimate; of one sample there is none */
                    running_variance[j] += towards * (squares / (n - 1) - running_variance[j]);
            }
        } else {
            for (int64_t i = 0; i < whole_lanes(n_samples); i++)
                normed[i] = z[i] - mean;
        }
        const real_t factor = 1 / real_sqrt(variance + (real_t)epsilon);
        inverse[j] = factor;
        for (int64_t i = 0; i < whole_lanes(n_samples); i++) {
            const real_t value = normed[i] * factor;
            normed[i] = value;
            z[i] = real_fma(scale[j], value, bias[j]);
        }
    }
}

static void norm_sums(void *d_scale_, void *d_bias_, const void *d_, const void *normed_, int64_t n_rows,
                      int64_t n_samples, int64_t stride, int accumulate)
{
    real_t *d_scale = d_scale_, *d_bias = d_bias_;
    for (int64_t j = 0; j < n_rows; j++) {
        const real_t *d = (const real_t *)d_ + j * stride, *normed = (const real_t *)normed_ + j * stride;
        const real_t of_scale = row_sum_of(d, normed, n_samples), of_bias = row_sum_of(d, NULL, n_samples);
        d_scale[j] = accumulate ? d_scale[j] + of_scale : of_scale;
        d_bias[j] = accumulate ? d_bias[j] + of_bias : of_bias;
    }
}

static void batch_norm_backward(void *d_, void *d_scale_, void *d_bias_, const void *normed_,
                                const void *inverse_, const void *scale_, int64_t n_rows, int64_t n_samples,
                                int64_t stride, int is_fixed, int accumulate)
{
    real_t *d_scale = d_scale_, *d_bias = d_bias_;
    const real_t *inverse = inverse_, *scale = scale_;
    for (int64_t j = 0; j < n_rows; j++) {
        real_t *restrict d = (real_t *)d_ + j * stride;
        const real_t *restrict normed = (const real_t *)normed_ + j * stride;
        const real_t of_scale = row_sum_of(d, normed, n_samples), of_bias = row_sum_of(d, NULL, n_samples);
        d_scale[j] = accumulate ? d_scale[j] + of_scale : of_scale;
        d_bias[j] = accumulate ? d_bias[j] + of_bias : of_bias;
        const real_t factor = scale[j] * inverse[j];
        const real_t mean = is_fixed ? 0 : of_bias / (real_t)n_samples,
                     slope = is_fixed ? 0 : of_scale / (real_t)n_samples;
        for (int64_t i = 0; i < whole_lanes(n_samples); i++)
            d[i] = factor * real_fma(-slope, normed[i], d[i] - mean);
        clear_padding(d, 1, n_samples, stride);
    }
}

/* What a prediction multiplies a unit's product by and adds to it: its normalisation by the running mean and
 * variance. */
static void fold_norm(void *out_scale_, void *out_bias_, const void *scale_, const void *bias_,
                      const void *mean_, const void *variance_, int64_t n, double epsilon)
{
    real_t *restrict out_scale = out_scale_, *restrict out_bias = out_bias_;
    const real_t *restrict scale = scale_, *restrict bias = bias_, *restrict mean = mean_;
    const real_t *restrict variance = variance_;
    for (int64_t j = 0; j < n; j++) {
        const real_t factor = scale[j] / real_sqrt(variance[j] + (real_t)epsilon);
        out_scale[j] = factor;
        out_bias[j] = real_fma(-factor, mean[j], bias[j]);
    }
}

/* A strip of LANES samples at a time, whose sums over the units stay in registers. */
static void layer_norm_forward(void *z_, void *normed_, void *inverse_, const void *scale_, const void *bias_,
                               int64_t n_rows, int64_t n_samples, int64_t stride, double epsilon)
{
    const real_t *scale = scale_, *bias = bias_;
    for (int64_t i = 0; i < n_samples; i += LANES) {
        real_t *restrict z = (real_t *)z_ + i;
        real_t *restrict normed = normed_ ? (real_t *)normed_ + i : NULL;
        real_t mean[LANES] = {0}, factor[LANES] = {0};
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                mean[k] += z[j * stride + k];
        for (int k = 0; k < LANES; k++)
            mean[k] /= (real_t)n_rows;
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t centered = z[j * stride + k] - mean[k];
                factor[k] = real_fma(centered, centered, factor[k]);
            }
        for (int k = 0; k < LANES; k++)
            factor[k] = 1 / real_sqrt(factor[k] / (real_t)n_rows + (real_t)epsilon);
        if (normed) { /* on the way back they are asked for */
            memcpy((real_t *)inverse_ + i, factor, sizeof factor);
            for (int64_t j = 0; j < n_rows; j++)
                for (int k = 0; k < LANES; k++)
                    normed[j * stride + k] = (z[j * stride + k] - mean[k]) * factor[k];
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                z[j * stride + k] = real_fma(scale[j], (z[j * stride + k] - mean[k]) * factor[k], bias[j]);
    }
}

static void layer_norm_backward(void *d_, const void *normed_, const void *inverse_, const void *scale_,
                                int64_t n_rows, int64_t n_samples, int64_t stride)
{
    const real_t *scale = scale_;
    for (int64_t i = 0; i < n_samples; i += LANES) {
        real_t *restrict d = (real_t *)d_ + i;
        const real_t *restrict normed = (const real_t *)normed_ + i, *restrict inverse =
                                                                         (const real_t *)inverse_ + i;
        real_t mean[LANES] = {0}, slope[LANES] = {0};
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t g = scale[j] * d[j * stride + k];
                mean[k] += g;
                slope[k] = real_fma(g, normed[j * stride + k], slope[k]);
            }
        for (int k = 0; k < LANES; k++) {
            mean[k] /= (real_t)n_rows;
            slope[k] /= (real_t)n_rows;
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t g = scale[j] * d[j * stride + k];
                const real_t value = inverse[k] * real_fma(-slope[k], normed[j * stride + k], g - mean[k]);
                d[j * stride + k] = i + k < n_samples ? value : (real_t)0;
            }
    }
}

/* PReLU (K. He et al. 2015), a slope below zero for every unit; what came in is kept for the way back. */
static void prelu_forward(void *z_, void *kept_, const void *slope_, int64_t n_rows, int64_t n_samples,
                          int64_t stride)
{
    const real_t *slope = slope_;
    for (int64_t j = 0; j < n_rows; j++) {
        real_t *restrict z = (real_t *)z_ + j * stride;
        if (kept_)
            memcpy((real_t *)kept_ + j * stride, z, (size_t)whole_lanes(n_samples) * sizeof *z);
        const real_t below = slope[j];
        for (int64_t i = 0; i < whole_lanes(n_samples); i++)
            z[i] *= z[i] > 0 ? (real_t)1 : below;
    }
}

/* LANES of it, whose parts of the slope's gradient are added to `sum`. */
INLINE void prelu_lanes(real_t *restrict d, real_t *restrict sum, const real_t *restrict kept, real_t slope)
{
    for (int k = 0; k < LANES; k++) {
        const real_t taken = kept[k] > 0 ? (real_t)0 : kept[k], factor = kept[k] > 0 ? (real_t)1 : slope;
        sum[k] = real_fma(d[k], taken, sum[k]);
        d[k] *= factor;
    }
}

static void prelu_backward(void *d_, void *d_slope_, const void *kept_, const void *slope_, int64_t n_rows,
                           int64_t n_samples, int64_t stride, int accumulate)
{
    real_t *d_slope = d_slope_;
    const real_t *slope = slope_;
    for (int64_t j = 0; j < n_rows; j++) {
        real_t *restrict d = (real_t *)d_ + j * stride;
        const real_t *restrict kept = (const real_t *)kept_ + j * stride;
        const real_t below = slope[j];
        real_t sum[LANES] = {0}; /* in LANES partial sums, as row_sums */
        const int64_t whole = n_samples & ~(int64_t)(LANES - 1);
        for (int64_t i = 0; i < whole; i += LANES)
            prelu_lanes(d + i, sum, kept + i, below);
        if (whole < n_samples) {
            real_t rest[LANES] = {0}, rest_kept[LANES] = {0};
            for (int64_t i = whole; i < n_samples; i++) {
                rest[i - whole] = d[i];
                rest_kept[i - whole] = kept[i];
            }
            prelu_lanes(rest, sum, rest_kept, below);
            memcpy(d + whole, rest, sizeof rest);
        }
        for (int half = LANES / 2; half >= 1; half /= 2)
            for (int k = 0; k < half; k++)
                sum[k] += sum[k + half];
        d_slope[j] = accumulate ? d_slope[j] + sum[0] : sum[0];
    }
}
