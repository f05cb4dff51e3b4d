/* losses.h: each sample's loss and the gradient, in one pass over strips of LANES samples. */
#ifndef LOSSES
/* The list, which fastmlp.h makes an enum of, and names.c names. */
#define LOSSES                                         \
    LOSS(CROSS_ENTROPY, "cross_entropy")               \
    LOSS(SOFT_CROSS_ENTROPY, "soft_cross_entropy")     \
    LOSS(BINARY_CROSS_ENTROPY, "binary_cross_entropy") \
    LOSS(LOG_LIKELIHOOD, "log_likelihood")             \
    LOSS(SQUARED_ERROR, "squared_error")               \
    LOSS(ABSOLUTE_ERROR, "absolute_error")             \
    LOSS(HUBER, "huber")                               \
    LOSS(QUANTILE, "quantile")                         \
    LOSS(POISSON, "poisson")
#endif

#ifdef FASTMLP_UNIT

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
INLINE void cross_entropy(real_t *restrict d_x, real_t *restrict losses, const real_t *restrict x,
                          const int32_t *labels, int64_t n_rows, int64_t n_samples, int64_t stride,
                          double weight, double label_smoothing)
{
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
INLINE void soft_cross_entropy(real_t *restrict d_x, real_t *restrict losses, const real_t *restrict x,
                               const real_t *restrict targets, int64_t n_rows, int64_t n_samples,
                               int64_t stride, double weight, double label_smoothing)
{
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

/* A loss that is a sum over the outputs. A target has an output for each of the quantiles; those of the other losses
 * have one. `kind` is a constant where this is inlined, for loops without branches. */
INLINE void sum_losses(real_t *restrict d_x, real_t *restrict losses, const real_t *restrict x,
                       const real_t *restrict targets, int64_t n_rows, int64_t n_samples, int64_t stride,
                       double weight, const loss_t *loss, const loss_kind_t kind)
{
    const int64_t n = whole_lanes(n_samples), n_numbers = kind == LOSS_QUANTILE ? loss->n_numbers : 1;
    const int has_numbers = kind == LOSS_QUANTILE || kind == LOSS_HUBER;
    for (int64_t i = 0; i < n; i++)
        losses[i] = 0;
    for (int64_t j = 0; j < n_rows; j++) {
        const real_t number = has_numbers ? (real_t)loss->numbers[j % n_numbers] : 0;
        const real_t *restrict t = targets + j / n_numbers * stride;
        for (int64_t i = 0; i < n; i++) {
            real_t slope;
            losses[i] = add_loss(losses[i], x[j * stride + i], t[i], number, &slope, kind);
            d_x[j * stride + i] = slope * (real_t)weight;
        }
    }
    clear_padding(d_x, n_rows, n_samples, stride);
}

#define SUM_LOSSES(kind)                                                                    \
    case kind:                                                                              \
        sum_losses(d_x, losses, x, targets, n_rows, n_samples, stride, weight, loss, kind); \
        break;

/* The loss of whichever kind it is: see kernels.def. */
static void loss_gradient(void *d_x, void *losses, const void *x, const void *targets, int64_t n_rows,
                          int64_t n_samples, int64_t stride, double weight, const loss_t *loss)
{
    switch (loss->kind) {
    case LOSS_CROSS_ENTROPY:
        cross_entropy(d_x, losses, x, targets, n_rows, n_samples, stride, weight, loss->numbers[0]);
        break;
    case LOSS_SOFT_CROSS_ENTROPY:
        soft_cross_entropy(d_x, losses, x, targets, n_rows, n_samples, stride, weight, loss->numbers[0]);
        break;
        SUM_LOSSES(LOSS_BINARY_CROSS_ENTROPY)
        SUM_LOSSES(LOSS_LOG_LIKELIHOOD)
        SUM_LOSSES(LOSS_SQUARED_ERROR)
        SUM_LOSSES(LOSS_ABSOLUTE_ERROR)
        SUM_LOSSES(LOSS_HUBER)
        SUM_LOSSES(LOSS_QUANTILE)
        SUM_LOSSES(LOSS_POISSON)
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

/* The operation at the end: each member's strips. */
static void loss_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const objective_t *own = operation;
    const int64_t *rows = batch->rows + block->sample;
    const int64_t n = block->n_samples, stride = batch->stride;
    real_t *d_outputs = (real_t *)own->d_outputs + block->sample,
           *losses = (real_t *)own->losses + block->sample;
    const real_t *outputs = (const real_t *)own->outputs + block->sample;
    real_t *targets = own->batch_targets;
    int32_t *labels = own->batch_targets;
    if (n == 0)
        return;
    if (own->loss.kind == LOSS_CROSS_ENTROPY) {
        labels += block->sample;
        for (int64_t i = 0; i < n; i++)
            labels[i] = own->labels[rows[i]];
        loss_gradient(d_outputs, losses, outputs, labels, own->n_outputs, n, stride, batch->weight,
                      &own->loss);
    } else {
        targets += block->sample;
        gather_columns(targets, &own->targets, rows, &own->preparation, n, stride);
        loss_gradient(d_outputs, losses, outputs, targets, own->n_outputs, n, stride, batch->weight,
                      &own->loss);
    }
    if (own->sample_weight.data) {
        real_t *weights = (real_t *)own->batch_weights + block->sample;
        gather_columns(weights, &own->sample_weight, rows, &(preparation_t){0}, n, stride);
        weigh(d_outputs, losses, weights, own->n_outputs, n, stride);
    }
}

static const operation_type_t loss_operation = {
    .forward = {loss_forward, BY_STRIPS, READS_OWN},
};

#undef SUM_LOSSES

#endif
