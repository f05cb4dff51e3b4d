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
INLINE REAL NAME(row_sum_of)(const REAL *restrict x, const REAL *restrict y, int64_t n_samples)
{
    enum { N = LANES / VECTOR_LENGTH };
    const int64_t whole = n_samples & ~(int64_t)(LANES - 1);
    VECTOR sum[N];
    UNROLL
    for (int v = 0; v < N; v++)
        sum[v] = VECTOR_ZERO;
    for (int64_t i = 0; i < whole; i += LANES)
        UNROLL
        for (int v = 0; v < N; v++) {
            const VECTOR value = VECTOR_LOAD(x + i + v * VECTOR_LENGTH);
            if (y)
                sum[v] = VECTOR_FMA(value, VECTOR_LOAD(y + i + v * VECTOR_LENGTH), sum[v]);
            else
                sum[v] = sum[v] + value;
        }
    if (whole < n_samples) {
        REAL rest_x[LANES] = {0}, rest_y[LANES] = {0};
        for (int64_t i = whole; i < n_samples; i++) {
            rest_x[i - whole] = x[i];
            rest_y[i - whole] = y ? y[i] : 0;
        }
        UNROLL
        for (int v = 0; v < N; v++) {
            const VECTOR value = VECTOR_LOAD(rest_x + v * VECTOR_LENGTH);
            if (y)
                sum[v] = VECTOR_FMA(value, VECTOR_LOAD(rest_y + v * VECTOR_LENGTH), sum[v]);
            else
                sum[v] = sum[v] + value;
        }
    }
    return NAME(add_lanes)(sum);
}

KERNEL void NAME(batch_norm_forward)(void *z_, void *normed_, void *inverse_, void *mean_, void *variance_,
                                     const void *scale_, const void *bias_, int64_t n_rows, int64_t n_samples,
                                     int64_t stride, double epsilon, double momentum, int is_fixed)
{
    REAL *inverse = inverse_, *running_mean = mean_, *running_variance = variance_;
    const REAL *scale = scale_, *bias = bias_;
    const REAL n = (REAL)n_samples;
    for (int64_t j = 0; j < n_rows; j++) {
        REAL *restrict z = (REAL *)z_ + j * stride;
        REAL *restrict normed = (REAL *)normed_ + j * stride;
        REAL mean = running_mean[j], variance = running_variance[j];
        if (!is_fixed) {
            mean = NAME(row_sum_of)(z, NULL, n_samples) / n;
            for (int64_t i = 0; i < whole_lanes(n_samples); i++)
                normed[i] = z[i] - mean;
            const REAL squares = NAME(row_sum_of)(normed, normed, n_samples);
            variance = squares / n;
            if (momentum > 0) {
                const REAL towards = (REAL)momentum;
                running_mean[j] += towards * (mean - running_mean[j]);
                if (n_samples > 1) /* the unbiased estimate; of one sample there is none */
                    running_variance[j] += towards * (squares / (n - 1) - running_variance[j]);
            }
        } else {
            for (int64_t i = 0; i < whole_lanes(n_samples); i++)
                normed[i] = z[i] - mean;
        }
        const REAL factor = 1 / SQRT(variance + (REAL)epsilon);
        inverse[j] = factor;
        for (int64_t i = 0; i < whole_lanes(n_samples); i++) {
            const REAL value = normed[i] * factor;
            normed[i] = value;
            z[i] = FMA(scale[j], value, bias[j]);
        }
    }
}

KERNEL void NAME(norm_sums)(void *d_scale_, void *d_bias_, const void *d_, const void *normed_, int64_t n_rows,
                            int64_t n_samples, int64_t stride, int accumulate)
{
    REAL *d_scale = d_scale_, *d_bias = d_bias_;
    for (int64_t j = 0; j < n_rows; j++) {
        const REAL *d = (const REAL *)d_ + j * stride, *normed = (const REAL *)normed_ + j * stride;
        const REAL of_scale = NAME(row_sum_of)(d, normed, n_samples), of_bias = NAME(row_sum_of)(d, NULL, n_samples);
        d_scale[j] = accumulate ? d_scale[j] + of_scale : of_scale;
        d_bias[j] = accumulate ? d_bias[j] + of_bias : of_bias;
    }
}

KERNEL void NAME(batch_norm_backward)(void *d_, void *d_scale_, void *d_bias_, const void *normed_,
                                      const void *inverse_, const void *scale_, int64_t n_rows,
                                      int64_t n_samples, int64_t stride, int is_fixed, int accumulate)
{
    REAL *d_scale = d_scale_, *d_bias = d_bias_;
    const REAL *inverse = inverse_, *scale = scale_;
    for (int64_t j = 0; j < n_rows; j++) {
        REAL *restrict d = (REAL *)d_ + j * stride;
        const REAL *restrict normed = (const REAL *)normed_ + j * stride;
        const REAL of_scale = NAME(row_sum_of)(d, normed, n_samples), of_bias = NAME(row_sum_of)(d, NULL, n_samples);
        d_scale[j] = accumulate ? d_scale[j] + of_scale : of_scale;
        d_bias[j] = accumulate ? d_bias[j] + of_bias : of_bias;
        const REAL factor = scale[j] * inverse[j];
        const REAL mean = is_fixed ? 0 : of_bias / (REAL)n_samples, slope = is_fixed ? 0 : of_scale / (REAL)n_samples;
        for (int64_t i = 0; i < whole_lanes(n_samples); i++)
            d[i] = factor * FMA(-slope, normed[i], d[i] - mean);
        NAME(clear_padding)(d, 1, n_samples, stride);
    }
}

/* What a prediction multiplies a unit's product by and adds to it: its normalisation by the running mean and
 * variance. */
KERNEL void NAME(fold_norm)(void *out_scale_, void *out_bias_, const void *scale_, const void *bias_,
                            const void *mean_, const void *variance_, int64_t n, double epsilon)
{
    REAL *restrict out_scale = out_scale_, *restrict out_bias = out_bias_;
    const REAL *restrict scale = scale_, *restrict bias = bias_, *restrict mean = mean_;
    const REAL *restrict variance = variance_;
    for (int64_t j = 0; j < n; j++) {
        const REAL factor = scale[j] / SQRT(variance[j] + (REAL)epsilon);
        out_scale[j] = factor;
        out_bias[j] = FMA(-factor, mean[j], bias[j]);
    }
}

/* A strip of LANES samples at a time, whose sums over the units stay in registers. */
KERNEL void NAME(layer_norm_forward)(void *z_, void *normed_, void *inverse_, const void *scale_,
                                     const void *bias_, int64_t n_rows, int64_t n_samples, int64_t stride,
                                     double epsilon)
{
    const REAL *scale = scale_, *bias = bias_;
    for (int64_t i = 0; i < n_samples; i += LANES) {
        REAL *restrict z = (REAL *)z_ + i;
        REAL *restrict normed = normed_ ? (REAL *)normed_ + i : NULL;
        REAL mean[LANES] = {0}, factor[LANES] = {0};
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                mean[k] += z[j * stride + k];
        for (int k = 0; k < LANES; k++)
            mean[k] /= (REAL)n_rows;
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const REAL centered = z[j * stride + k] - mean[k];
                factor[k] = FMA(centered, centered, factor[k]);
            }
        for (int k = 0; k < LANES; k++)
            factor[k] = 1 / SQRT(factor[k] / (REAL)n_rows + (REAL)epsilon);
        if (normed) { /* on the way back they are asked for */
            memcpy((REAL *)inverse_ + i, factor, sizeof factor);
            for (int64_t j = 0; j < n_rows; j++)
                for (int k = 0; k < LANES; k++)
                    normed[j * stride + k] = (z[j * stride + k] - mean[k]) * factor[k];
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                z[j * stride + k] = FMA(scale[j], (z[j * stride + k] - mean[k]) * factor[k], bias[j]);
    }
}

KERNEL void NAME(layer_norm_backward)(void *d_, const void *normed_, const void *inverse_, const void *scale_,
                                      int64_t n_rows, int64_t n_samples, int64_t stride)
{
    const REAL *scale = scale_;
    for (int64_t i = 0; i < n_samples; i += LANES) {
        REAL *restrict d = (REAL *)d_ + i;
        const REAL *restrict normed = (const REAL *)normed_ + i, *restrict inverse = (const REAL *)inverse_ + i;
        REAL mean[LANES] = {0}, slope[LANES] = {0};
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const REAL g = scale[j] * d[j * stride + k];
                mean[k] += g;
                slope[k] = FMA(g, normed[j * stride + k], slope[k]);
            }
        for (int k = 0; k < LANES; k++) {
            mean[k] /= (REAL)n_rows;
            slope[k] /= (REAL)n_rows;
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const REAL g = scale[j] * d[j * stride + k];
                const REAL value = inverse[k] * FMA(-slope[k], normed[j * stride + k], g - mean[k]);
                d[j * stride + k] = i + k < n_samples ? value : (REAL)0;
            }
    }
}

/* PReLU (K. He et al. 2015), a slope below zero for every unit; what came in is kept for the way back. */
KERNEL void NAME(prelu_forward)(void *z_, void *kept_, const void *slope_, int64_t n_rows, int64_t n_samples,
                                int64_t stride)
{
    const REAL *slope = slope_;
    for (int64_t j = 0; j < n_rows; j++) {
        REAL *restrict z = (REAL *)z_ + j * stride;
        if (kept_)
            memcpy((REAL *)kept_ + j * stride, z, (size_t)whole_lanes(n_samples) * sizeof *z);
        const REAL below = slope[j];
        for (int64_t i = 0; i < whole_lanes(n_samples); i++)
            z[i] *= z[i] > 0 ? (REAL)1 : below;
    }
}

/* LANES of it, whose parts of the slope's gradient are added to `sum`. */
INLINE void NAME(prelu_lanes)(REAL *restrict d, REAL *restrict sum, const REAL *restrict kept, REAL slope)
{
    for (int k = 0; k < LANES; k++) {
        const REAL taken = kept[k] > 0 ? (REAL)0 : kept[k], factor = kept[k] > 0 ? (REAL)1 : slope;
        sum[k] = FMA(d[k], taken, sum[k]);
        d[k] *= factor;
    }
}

KERNEL void NAME(prelu_backward)(void *d_, void *d_slope_, const void *kept_, const void *slope_, int64_t n_rows,
                                 int64_t n_samples, int64_t stride, int accumulate)
{
    REAL *d_slope = d_slope_;
    const REAL *slope = slope_;
    for (int64_t j = 0; j < n_rows; j++) {
        REAL *restrict d = (REAL *)d_ + j * stride;
        const REAL *restrict kept = (const REAL *)kept_ + j * stride;
        const REAL below = slope[j];
        REAL sum[LANES] = {0}; /* in LANES partial sums, as row_sums */
        const int64_t whole = n_samples & ~(int64_t)(LANES - 1);
        for (int64_t i = 0; i < whole; i += LANES)
            NAME(prelu_lanes)(d + i, sum, kept + i, below);
        if (whole < n_samples) {
            REAL rest[LANES] = {0}, rest_kept[LANES] = {0};
            for (int64_t i = whole; i < n_samples; i++) {
                rest[i - whole] = d[i];
                rest_kept[i - whole] = kept[i];
            }
            NAME(prelu_lanes)(rest, sum, rest_kept, below);
            memcpy(d + whole, rest, sizeof rest);
        }
        for (int half = LANES / 2; half >= 1; half /= 2)
            for (int k = 0; k < half; k++)
                sum[k] += sum[k + half];
        d_slope[j] = accumulate ? d_slope[j] + sum[0] : sum[0];
    }
}
