/* losses.inc.c: each sample's loss and the gradient, in one pass over strips of LANES samples. */

/* Beyond the last sample the gradient is zero, whatever the padding held. */
INLINE void NAME(clear_padding)(REAL *d_x, int64_t n_rows, int64_t n_samples, int64_t stride)
{
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = n_samples; i < whole_lanes(n_samples); i++)
            d_x[j * stride + i] = 0;
}

/* For a strip: its largest logits, e = e^(x - top), and their sum over the rows. */
INLINE void NAME(exp_strip)(REAL *restrict e, REAL *restrict top, REAL *restrict sum, const REAL *restrict x,
                            int64_t n_rows, int64_t stride)
{
    for (int k = 0; k < LANES; k++) {
        top[k] = x[k];
        sum[k] = 0;
    }
    for (int64_t j = 1; j < n_rows; j++)
        for (int k = 0; k < LANES; k++)
            top[k] = x[j * stride + k] > top[k] ? x[j * stride + k] : top[k];
    for (int64_t j = 0; j < n_rows; j++)
        for (int k = 0; k < LANES; k++) {
            e[j * stride + k] = NAME(exp_nonpositive)(x[j * stride + k] - top[k]);
            sum[k] += e[j * stride + k];
        }
}

/* Softmax and cross-entropy from the logits. The target is t = (1 - label_smoothing) onehot(label) +
 * label_smoothing / n_rows: loss = log(sum_j e^(x_j - top)) - sum_j t_j (x_j - top),
 * d_x = weight (softmax(x) - t). */
KERNEL void NAME(cross_entropy)(void *d_x_, void *losses_, const void *x_, const int32_t *labels,
                                int64_t n_rows, int64_t n_samples, int64_t stride, double weight,
                                double label_smoothing)
{
    REAL *restrict d_x = d_x_, *restrict losses = losses_;
    const REAL *restrict x = x_;
    const REAL rest = (REAL)(1 - label_smoothing), share = (REAL)(label_smoothing / (double)n_rows);
    for (int64_t i = 0; i < n_samples; i += LANES) {
        REAL top[LANES], sum[LANES], factor[LANES], smooth[LANES] = {0};
        NAME(exp_strip)(d_x + i, top, sum, x + i, n_rows, stride);
        if (label_smoothing > 0)
            for (int64_t j = 0; j < n_rows; j++)
                for (int k = 0; k < LANES; k++)
                    smooth[k] = FMA(share, x[j * stride + i + k] - top[k], smooth[k]);
        for (int k = 0; k < LANES; k++) {
            /* NaN has a logarithm here; less itself it stays what it is, and all else is 0. */
            losses[i + k] = NAME(log_positive)(sum[k]) - smooth[k] + (sum[k] - sum[k]);
            factor[k] = (REAL)weight / sum[k];
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                d_x[j * stride + i + k] = FMA(d_x[j * stride + i + k], factor[k], -share * (REAL)weight);
        for (int64_t k = 0; k < LANES && i + k < n_samples; k++) {
            const int64_t at = labels[i + k] * stride + i + k;
            losses[i + k] -= rest * (x[at] - top[k]);
            d_x[at] -= rest * (REAL)weight;
        }
    }
    NAME(clear_padding)(d_x, n_rows, n_samples, stride);
}

/* The same for targets that are probabilities u: t = (1 - label_smoothing) u + label_smoothing / n_rows. Their
 * sum, which rounding keeps from being 1, is part of both formulas: the gradient is that of the loss. */
KERNEL void NAME(soft_cross_entropy)(void *d_x_, void *losses_, const void *x_, const void *targets_,
                                     int64_t n_rows, int64_t n_samples, int64_t stride, double weight,
                                     double label_smoothing)
{
    REAL *restrict d_x = d_x_, *restrict losses = losses_;
    const REAL *restrict x = x_, *restrict targets = targets_;
    const REAL rest = (REAL)(1 - label_smoothing), share = (REAL)(label_smoothing / (double)n_rows);
    for (int64_t i = 0; i < n_samples; i += LANES) {
        REAL top[LANES], sum[LANES], factor[LANES], total[LANES] = {0}, dot[LANES] = {0};
        NAME(exp_strip)(d_x + i, top, sum, x + i, n_rows, stride);
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const REAL t = FMA(rest, targets[j * stride + i + k], share);
                total[k] += t;
                dot[k] = FMA(t, x[j * stride + i + k] - top[k], dot[k]);
            }
        for (int k = 0; k < LANES; k++) {
            losses[i + k] = FMA(total[k], NAME(log_positive)(sum[k]), -dot[k]);
            factor[k] = total[k] / sum[k];
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const REAL t = FMA(rest, targets[j * stride + i + k], share);
                d_x[j * stride + i + k] = FMA(d_x[j * stride + i + k], factor[k], -t) * (REAL)weight;
            }
    }
    NAME(clear_padding)(d_x, n_rows, n_samples, stride);
}

/* What one output x with the target t adds to the sum of its sample's losses; its slope is stored. `number`
 * is the loss's own. NaN goes on into the loss, which ends the training. */
INLINE REAL NAME(add_loss)(REAL sum, REAL x, REAL t, REAL number, REAL *slope, const loss_t loss)
{
    const REAL error = x - t;
    switch (loss) {
    case LOSS_BINARY_CROSS_ENTROPY: {
        const REAL e = NAME(exp_nonpositive)(-FABS(x));
        const REAL positive = x < 0 ? (REAL)0 : x;
        *slope = (x < 0 ? e : (REAL)1) / (1 + e) - t;
        return sum + (FMA(-x, t, positive) + NAME(log_positive)(1 + e));
    }
    case LOSS_LOG_LIKELIHOOD: {
        const REAL e = NAME(exp_nonpositive)(-FABS(x));
        const REAL negative = x > 0 ? (REAL)0 : -x;
        *slope = -t * ((x > 0 ? e : (REAL)1) / (1 + e));
        return FMA(t, negative + NAME(log_positive)(1 + e), sum);
    }
    case LOSS_SQUARED_ERROR:
        *slope = error;
        return FMA((REAL)0.5 * error, error, sum);
    case LOSS_ABSOLUTE_ERROR:
        *slope = error > 0 ? (REAL)1 : error < 0 ? (REAL)-1 : (REAL)0;
        return sum + FABS(error);
    case LOSS_HUBER: {
        const REAL clipped = error > number ? number : error < -number ? -number : error;
        *slope = clipped;
        return FMA(clipped, FMA((REAL)-0.5, clipped, error), sum);
    }
    case LOSS_QUANTILE: {
        const REAL side = error > 0 ? 1 - number : -number;
        *slope = error == 0 ? (REAL)0 : side;
        return FMA(side, error, sum);
    }
    default: { /* LOSS_POISSON; e^x is infinite a little before its time, where 1 / e^x is no normal number */
        const REAL e = NAME(exp_nonpositive)(-FABS(x));
        const REAL mean = x > 0 ? 1 / e : e;
        *slope = mean - t;
        return sum + FMA(-t, x, mean);
    }
    }
}

/* A loss that is a sum over the outputs. Each target has n_numbers outputs, one for each number. */
INLINE void NAME(sum_losses)(void *d_x_, void *losses_, const void *x_, const void *targets_,
                             const double *numbers, int64_t n_rows, int64_t n_numbers, int64_t n_samples,
                             int64_t stride, double weight, const loss_t loss)
{
    REAL *restrict d_x = d_x_, *restrict losses = losses_;
    const REAL *restrict x = x_, *restrict targets = targets_;
    const int64_t n = whole_lanes(n_samples);
    for (int64_t i = 0; i < n; i++)
        losses[i] = 0;
    for (int64_t j = 0; j < n_rows; j++) {
        const REAL number = numbers ? (REAL)numbers[j % n_numbers] : 0;
        const REAL *restrict t = targets + j / n_numbers * stride;
        for (int64_t i = 0; i < n; i++) {
            REAL slope;
            losses[i] = NAME(add_loss)(losses[i], x[j * stride + i], t[i], number, &slope, loss);
            d_x[j * stride + i] = slope * (REAL)weight;
        }
    }
    NAME(clear_padding)(d_x, n_rows, n_samples, stride);
}

/* The losses without numbers, one kernel each. */
#define SUMMED_LOSS(name, loss)                                                                             \
    KERNEL void NAME(name)(void *d_x, void *losses, const void *x, const void *targets, int64_t n_rows,     \
                           int64_t n_samples, int64_t stride, double weight)                                \
    {                                                                                                       \
        NAME(sum_losses)(d_x, losses, x, targets, NULL, n_rows, 1, n_samples, stride, weight, loss);        \
    }
SUMMED_LOSS(binary_cross_entropy, LOSS_BINARY_CROSS_ENTROPY)
SUMMED_LOSS(log_likelihood, LOSS_LOG_LIKELIHOOD)
SUMMED_LOSS(squared_error, LOSS_SQUARED_ERROR)
SUMMED_LOSS(absolute_error, LOSS_ABSOLUTE_ERROR)
SUMMED_LOSS(poisson, LOSS_POISSON)

KERNEL void NAME(huber)(void *d_x, void *losses, const void *x, const void *targets, int64_t n_rows,
                        int64_t n_samples, int64_t stride, double weight, double delta)
{
    NAME(sum_losses)(d_x, losses, x, targets, &delta, n_rows, 1, n_samples, stride, weight, LOSS_HUBER);
}

KERNEL void NAME(quantile)(void *d_x, void *losses, const void *x, const void *targets,
                           const double *quantiles, int64_t n_rows, int64_t n_quantiles, int64_t n_samples,
                           int64_t stride, double weight)
{
    NAME(sum_losses)(d_x, losses, x, targets, quantiles, n_rows, n_quantiles, n_samples, stride, weight,
                     LOSS_QUANTILE);
}

/* The samples' losses, and their columns of the gradient d (n_rows, stride), times their weights. */
KERNEL void NAME(weigh)(void *d_, void *losses_, const void *weights_, int64_t n_rows, int64_t n_samples,
                        int64_t stride)
{
    REAL *restrict d = d_, *restrict losses = losses_;
    const REAL *restrict weights = weights_;
    const int64_t n = whole_lanes(n_samples);
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = 0; i < n; i++)
            d[j * stride + i] *= weights[i];
    for (int64_t i = 0; i < n; i++)
        losses[i] *= weights[i];
}
