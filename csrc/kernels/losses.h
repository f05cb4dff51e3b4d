/* losses.inc.c: each sample's loss and the gradient, in one pass over strips of LANES samples. */

/* Beyond the last sample the gradient is zero, whatever the padding held. */
INLINE void clear_padding(real_t *d_x, int64_t n_rows, int64_t n_samples, int64_t stride)
{
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = n_samples; i < whole_lanes(n_samples); i++)
            d_x[j * stride + i] = 0;
}

/* For a strip: its largest logits, e = e^(x - top), and their sum over the rows. */
INLINE void exp_strip(real_t *restrict e, real_t *restrict top, real_t *restrict sum,
                      const real_t *restrict x, int64_t n_rows, int64_t stride)
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
            e[j * stride + k] = exp_nonpositive(x[j * stride + k] - top[k]);
            sum[k] += e[j * stride + k];
        }
}

/* Softmax and cross-entropy from the logits. The target is t = (1 - label_smoothing) onehot(label) +
 * label_smoothing / n_rows: loss = log(sum_j e^(x_j - top)) - sum_j t_j (x_j - top),
 * d_x = weight (softmax(x) - t). */
static void cross_entropy(void *d_x_, void *losses_, const void *x_, const int32_t *labels, int64_t n_rows,
                          int64_t n_samples, int64_t stride, double weight, double label_smoothing)
{
    real_t *restrict d_x = d_x_, *restrict losses = losses_;
    const real_t *restrict x = x_;
    const real_t rest = (real_t)(1 - label_smoothing), share = (real_t)(label_smoothing / (double)n_rows);
    for (int64_t i = 0; i < n_samples; i += LANES) {
        real_t top[LANES], sum[LANES], factor[LANES], smooth[LANES] = {0};
        exp_strip(d_x + i, top, sum, x + i, n_rows, stride);
        if (label_smoothing > 0)
            for (int64_t j = 0; j < n_rows; j++)
                for (int k = 0; k < LANES; k++)
                    smooth[k] = real_fma(share, x[j * stride + i + k] - top[k], smooth[k]);
        for (int k = 0; k < LANES; k++) {
            /* NaN has a logarithm here; less itself it stays what it is, and all else is 0. */
            losses[i + k] = log_positive(sum[k]) - smooth[k] + (sum[k] - sum[k]);
            factor[k] = (real_t)weight / sum[k];
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++)
                d_x[j * stride + i + k] =
                    real_fma(d_x[j * stride + i + k], factor[k], -share * (real_t)weight);
        for (int64_t k = 0; k < LANES && i + k < n_samples; k++) {
            const int64_t at = labels[i + k] * stride + i + k;
            losses[i + k] -= rest * (x[at] - top[k]);
            d_x[at] -= rest * (real_t)weight;
        }
    }
    clear_padding(d_x, n_rows, n_samples, stride);
}

/* The same for targets that are probabilities u: t = (1 - label_smoothing) u + label_smoothing / n_rows. Their
 * sum, which rounding keeps from being 1, is part of both formulas: the gradient is that of the loss. */
static void soft_cross_entropy(void *d_x_, void *losses_, const void *x_, const void *targets_,
                               int64_t n_rows, int64_t n_samples, int64_t stride, double weight,
                               double label_smoothing)
{
    real_t *restrict d_x = d_x_, *restrict losses = losses_;
    const real_t *restrict x = x_, *restrict targets = targets_;
    const real_t rest = (real_t)(1 - label_smoothing), share = (real_t)(label_smoothing / (double)n_rows);
    for (int64_t i = 0; i < n_samples; i += LANES) {
        real_t top[LANES], sum[LANES], factor[LANES], total[LANES] = {0}, dot[LANES] = {0};
        exp_strip(d_x + i, top, sum, x + i, n_rows, stride);
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t t = real_fma(rest, targets[j * stride + i + k], share);
                total[k] += t;
                dot[k] = real_fma(t, x[j * stride + i + k] - top[k], dot[k]);
            }
        for (int k = 0; k < LANES; k++) {
            losses[i + k] = real_fma(total[k], log_positive(sum[k]), -dot[k]);
            factor[k] = total[k] / sum[k];
        }
        for (int64_t j = 0; j < n_rows; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t t = real_fma(rest, targets[j * stride + i + k], share);
                d_x[j * stride + i + k] = real_fma(d_x[j * stride + i + k], factor[k], -t) * (real_t)weight;
            }
    }
    clear_padding(d_x, n_rows, n_samples, stride);
}

/* What one output x with the target t adds to the sum of its sample's losses; its slope is stored. `number`
 * is the loss's own. NaN goes on into the loss, which ends the training. */
INLINE real_t add_loss(real_t sum, real_t x, real_t t, real_t number, real_t *slope, const loss_kind_t kind)
{
    const real_t error = x - t;
    switch (kind) {
    case LOSS_BINARY_CROSS_ENTROPY: {
        const real_t e = exp_nonpositive(-real_abs(x));
        const real_t positive = x < 0 ? (real_t)0 : x;
        *slope = (x < 0 ? e : (real_t)1) / (1 + e) - t;
        return sum + (real_fma(-x, t, positive) + log_positive(1 + e));
    }
    case LOSS_LOG_LIKELIHOOD: {
        const real_t e = exp_nonpositive(-real_abs(x));
        const real_t negative = x > 0 ? (real_t)0 : -x;
        *slope = -t * ((x > 0 ? e : (real_t)1) / (1 + e));
        return real_fma(t, negative + log_positive(1 + e), sum);
    }
    case LOSS_SQUARED_ERROR:
        *slope = error;
        return real_fma((real_t)0.5 * error, error, sum);
    case LOSS_ABSOLUTE_ERROR:
        *slope = error > 0 ? (real_t)1 : error < 0 ? (real_t)-1 : (real_t)0;
        return sum + real_abs(error);
    case LOSS_HUBER: {
        const real_t clipped = error > number ? number : error < -number ? -number : error;
        *slope = clipped;
        return real_fma(clipped, real_fma((real_t)-0.5, clipped, error), sum);
    }
    case LOSS_QUANTILE: {
        const real_t side = error > 0 ? 1 - number : -number;
        *slope = error == 0 ? (real_t)0 : side;
        return real_fma(side, error, sum);
    }
    default: { /* LOSS_POISSON; e^x is infinite a little before its time, where 1 / e^x is no normal number */
        const real_t e = exp_nonpositive(-real_abs(x));
        const real_t mean = x > 0 ? 1 / e : e;
        *slope = mean - t;
        return sum + real_fma(-t, x, mean);
    }
    }
}

/* A loss that is a sum over the outputs. Each target has n_numbers outputs, one for each number. */
INLINE void sum_losses(void *d_x_, void *losses_, const void *x_, const void *targets_, const double *numbers,
                       int64_t n_rows, int64_t n_numbers, int64_t n_samples, int64_t stride, double weight,
                       const loss_kind_t kind)
{
    real_t *restrict d_x = d_x_, *restrict losses = losses_;
    const real_t *restrict x = x_, *restrict targets = targets_;
    const int64_t n = whole_lanes(n_samples);
    for (int64_t i = 0; i < n; i++)
        losses[i] = 0;
    for (int64_t j = 0; j < n_rows; j++) {
        const real_t number = numbers ? (real_t)numbers[j % n_numbers] : 0;
        const real_t *restrict t = targets + j / n_numbers * stride;
        for (int64_t i = 0; i < n; i++) {
            real_t slope;
            losses[i] = add_loss(losses[i], x[j * stride + i], t[i], number, &slope, kind);
            d_x[j * stride + i] = slope * (real_t)weight;
        }
    }
    clear_padding(d_x, n_rows, n_samples, stride);
}

/* The losses of all kinds: see kernels.def. */
static void loss_gradient(void *d_x, void *losses, const void *x, const void *targets, int64_t n_rows,
                          int64_t n_samples, int64_t stride, double weight, const loss_t *loss)
{
    const double *numbers = loss->numbers;
    switch (loss->kind) { /* a constant in each branch, for loops without branches */
    case LOSS_CROSS_ENTROPY:
        cross_entropy(d_x, losses, x, targets, n_rows, n_samples, stride, weight, numbers[0]);
        break;
    case LOSS_SOFT_CROSS_ENTROPY:
        soft_cross_entropy(d_x, losses, x, targets, n_rows, n_samples, stride, weight, numbers[0]);
        break;
    case LOSS_BINARY_CROSS_ENTROPY:
        sum_losses(d_x, losses, x, targets, NULL, n_rows, 1, n_samples, stride, weight,
                   LOSS_BINARY_CROSS_ENTROPY);
        break;
    case LOSS_LOG_LIKELIHOOD:
        sum_losses(d_x, losses, x, targets, NULL, n_rows, 1, n_samples, stride, weight, LOSS_LOG_LIKELIHOOD);
        break;
    case LOSS_SQUARED_ERROR:
        sum_losses(d_x, losses, x, targets, NULL, n_rows, 1, n_samples, stride, weight, LOSS_SQUARED_ERROR);
        break;
    case LOSS_ABSOLUTE_ERROR:
        sum_losses(d_x, losses, x, targets, NULL, n_rows, 1, n_samples, stride, weight, LOSS_ABSOLUTE_ERROR);
        break;
    case LOSS_HUBER:
        sum_losses(d_x, losses, x, targets, numbers, n_rows, 1, n_samples, stride, weight, LOSS_HUBER);
        break;
    case LOSS_QUANTILE:
        sum_losses(d_x, losses, x, targets, numbers, n_rows, loss->n_numbers, n_samples, stride, weight,
                   LOSS_QUANTILE);
        break;
    case LOSS_POISSON:
        sum_losses(d_x, losses, x, targets, NULL, n_rows, 1, n_samples, stride, weight, LOSS_POISSON);
        break;
    }
}

/* The samples' losses, and their columns of the gradient d (n_rows, stride), times their weights. */
static void weigh(void *d_, void *losses_, const void *weights_, int64_t n_rows, int64_t n_samples,
                  int64_t stride)
{
    real_t *restrict d = d_, *restrict losses = losses_;
    const real_t *restrict weights = weights_;
    const int64_t n = whole_lanes(n_samples);
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = 0; i < n; i++)
            d[j * stride + i] *= weights[i];
    for (int64_t i = 0; i < n; i++)
        losses[i] *= weights[i];
}
