/* losses.inc.c: each sample's loss and the gradient, in one pass over strips of LANES samples. */

/* Beyond the last sample the gradient is zero, whatever the padding held. */
INLINE void NAME(clear_padding)(REAL *d_x, int64_t n_rows, int64_t n_samples, int64_t stride)
{
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = n_samples; i < whole_lanes(n_samples); i++)
            d_x[j * stride + i] = 0;
}

/* Softmax and cross-entropy from the logits: loss = log(sum_j e^(x_j - top)) + top - x_label,
 * d_x = weight (softmax(x) - onehot(label)). */
KERNEL void NAME(cross_entropy)(void *d_x_, void *losses_, const void *x_, const int32_t *labels,
                                int64_t n_rows, int64_t n_samples, int64_t stride, double weight)
{
    REAL *restrict d_x = d_x_, *restrict losses = losses_;
    const REAL *restrict x = x_;
    for (int64_t i = 0; i < n_samples; i += LANES) {
        REAL top[LANES], sum[LANES] = {0}, factor[LANES];
        for (int k = 0; k < LANES; k++)
            top[k] = x[i + k];
        for (int64_t j = 1; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                top[k] = x[j * stride + i + k] > top[k] ? x[j * stride + i + k] : top[k];
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const REAL e = NAME(exp_nonpositive)(x[j * stride + i + k] - top[k]);
                d_x[j * stride + i + k] = e;
                sum[k] += e;
            }
        for (int k = 0; k < LANES; k++) {
            losses[i + k] = NAME(log_positive)(sum[k]) + top[k];
            factor[k] = (REAL)weight / sum[k];
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                d_x[j * stride + i + k] *= factor[k];
    }
    for (int64_t i = 0; i < n_samples; i++) {
        losses[i] -= x[labels[i] * stride + i];
        d_x[labels[i] * stride + i] -= (REAL)weight;
    }
    NAME(clear_padding)(d_x, n_rows, n_samples, stride);
}

/* Logistic sigmoid and binary cross-entropy from the logits, summed over the outputs:
 * loss = max(x, 0) - x t + log(1 + e^-|x|), d_x = weight (logistic(x) - t). */
KERNEL void NAME(binary_cross_entropy)(void *d_x_, void *losses_, const void *x_, const void *targets_,
                                       int64_t n_rows, int64_t n_samples, int64_t stride, double weight)
{
    REAL *restrict d_x = d_x_, *restrict losses = losses_;
    const REAL *restrict x = x_, *restrict targets = targets_;
    const int64_t n = whole_lanes(n_samples);
    for (int64_t i = 0; i < n; i++)
        losses[i] = 0;
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = 0; i < n; i++) {
            const REAL z = x[j * stride + i], t = targets[j * stride + i];
            const REAL e = NAME(exp_nonpositive)(-FABS(z));
            const REAL positive = z < 0 ? (REAL)0 : z;
            losses[i] += FMA(-z, t, positive) + NAME(log_positive)(1 + e);
            d_x[j * stride + i] = ((z < 0 ? e : (REAL)1) / (1 + e) - t) * (REAL)weight;
        }
    NAME(clear_padding)(d_x, n_rows, n_samples, stride);
}

/* Half the squared error, summed over the outputs: loss = sum (x - t)^2 / 2, d_x = weight (x - t). */
KERNEL void NAME(squared_error)(void *d_x_, void *losses_, const void *x_, const void *targets_,
                                int64_t n_rows, int64_t n_samples, int64_t stride, double weight)
{
    REAL *restrict d_x = d_x_, *restrict losses = losses_;
    const REAL *restrict x = x_, *restrict targets = targets_;
    const int64_t n = whole_lanes(n_samples);
    for (int64_t i = 0; i < n; i++)
        losses[i] = 0;
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = 0; i < n; i++) {
            const REAL error = x[j * stride + i] - targets[j * stride + i];
            losses[i] = FMA((REAL)0.5 * error, error, losses[i]);
            d_x[j * stride + i] = error * (REAL)weight;
        }
    NAME(clear_padding)(d_x, n_rows, n_samples, stride);
}
