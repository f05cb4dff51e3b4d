/* norms.h: batch and layer normalisation, and the parametric ReLU: what a layer does with its sums
 * before its activation, by vectors that are learned.
 *
 * With n = (z - mean) / sqrt(variance + epsilon) both give y = scale n + bias: batch normalisation
 * (S. Ioffe, C. Szegedy, 2015) with mean and variance of each unit over the batch, layer normalisation
 * (J. L. Ba, J. R. Kiros, G. E. Hinton, 2016) of each sample over the units. On the way back
 *   d_scale = sum_samples d n, d_bias = sum_samples d,
 *   d_z = (g - mean(g) - n mean(g n)) / sqrt(variance + epsilon) with g = scale d, means as on the way up.
 */
#ifndef FASTMLP_NORMS_H
#define FASTMLP_NORMS_H

#include "operations.h"

/* Batch or layer normalisation of z (n_units, stride): scale n + bias. */
typedef struct {
    int64_t n_units;
    learned_t scale, bias;
    void *z, *d_z;
    void *normed;          /* n, like z; with inverse NULL where there is no way back */
    void *inverse;         /* 1 / deviation: (n_units), or for layer normalisation (stride) */
    void *mean, *variance; /* the running ones of batch normalisation, (n_units) */
    int is_fixed;          /* it normalises by the running ones, which stay */
    double epsilon;
    /* In predictions a batch normalisation is this scale and bias (n_units), which the product applies. */
    void *folded_scale, *folded_bias;
} norm_t;

/* The parametric ReLU. */
typedef struct {
    learned_t slope;
    void *outputs, *d_outputs;
    void *kept; /* what came in, (n_units, stride); NULL where there is no way back */
} prelu_t;

#endif

#ifdef FASTMLP_UNIT

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

static void batch_norm_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const norm_t *norm = operation;
    const int64_t n_samples = batch->n_samples, n = whole_lanes(n_samples);
    const real_t epsilon = (real_t)norm->epsilon;
    real_t *inverse = norm->inverse, *running_mean = norm->mean, *running_variance = norm->variance;
    const real_t *scale = norm->scale.value, *bias = norm->bias.value;
    for (int64_t j = block->unit; j < block->unit + block->n_units; j++) {
        real_t *restrict z = (real_t *)norm->z + j * batch->stride;
        real_t *restrict normed = (real_t *)norm->normed + j * batch->stride;
        real_t mean = running_mean[j], variance = running_variance[j];
        if (!norm->is_fixed) {
            mean = row_sum_of(z, NULL, n_samples) / (real_t)n_samples;
            for (int64_t i = 0; i < n; i++)
                normed[i] = z[i] - mean;
            const real_t squares = row_sum_of(normed, normed, n_samples);
            variance = squares / (real_t)n_samples;
            if (batch->norm_momentum > 0) {
                const real_t towards = (real_t)batch->norm_momentum;
                running_mean[j] += towards * (mean - running_mean[j]);
                if (n_samples > 1) /* the unbiased estimate; of one sample there is none */
                    running_variance[j] +=
                        towards * (squares / ((real_t)n_samples - 1) - running_variance[j]);
            }
        } else {
            for (int64_t i = 0; i < n; i++)
                normed[i] = z[i] - mean;
        }
        const real_t factor = 1 / real_sqrt(variance + epsilon);
        inverse[j] = factor;
        for (int64_t i = 0; i < n; i++) {
            const real_t value = normed[i] * factor;
            normed[i] = value;
            z[i] = real_fma(scale[j], value, bias[j]);
        }
    }
}

/* The gradients of a unit's scale and bias. */
INLINE void norm_sums_of(const norm_t *norm, const batch_t *batch, int64_t unit, real_t *of_scale,
                         real_t *of_bias)
{
    const real_t *d = (const real_t *)norm->d_z + unit * batch->stride;
    const real_t *normed = (const real_t *)norm->normed + unit * batch->stride;
    real_t *d_scale = norm->scale.gradient, *d_bias = norm->bias.gradient;
    *of_scale = row_sum_of(d, normed, batch->n_samples);
    *of_bias = row_sum_of(d, NULL, batch->n_samples);
    d_scale[unit] = batch->accumulate ? d_scale[unit] + *of_scale : *of_scale;
    d_bias[unit] = batch->accumulate ? d_bias[unit] + *of_bias : *of_bias;
}

static void norm_sums_backward(const void *operation, batch_t *batch, const block_t *block)
{
    for (int64_t j = block->unit; j < block->unit + block->n_units; j++) {
        real_t of_scale, of_bias;
        norm_sums_of(operation, batch, j, &of_scale, &of_bias);
    }
}

static void batch_norm_backward(const void *operation, batch_t *batch, const block_t *block)
{
    const norm_t *norm = operation;
    const real_t *inverse = norm->inverse, *scale = norm->scale.value;
    const real_t n_samples = (real_t)batch->n_samples;
    for (int64_t j = block->unit; j < block->unit + block->n_units; j++) {
        real_t *restrict d = (real_t *)norm->d_z + j * batch->stride;
        const real_t *restrict normed = (const real_t *)norm->normed + j * batch->stride;
        real_t of_scale, of_bias;
        norm_sums_of(norm, batch, j, &of_scale, &of_bias);
        const real_t factor = scale[j] * inverse[j];
        const real_t mean = norm->is_fixed ? 0 : of_bias / n_samples;
        const real_t slope = norm->is_fixed ? 0 : of_scale / n_samples;
        for (int64_t i = 0; i < whole_lanes(batch->n_samples); i++)
            d[i] = factor * real_fma(-slope, normed[i], d[i] - mean);
        clear_padding(d, 1, batch->n_samples, batch->stride);
    }
}

/* What a prediction multiplies a unit's product by and adds to it: its normalisation by the running mean and
 * variance. For each batch anew: it takes as long as one sample's outputs, and never tells of parameters of long
 * ago. */
static void fold_norm_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const norm_t *norm = operation;
    real_t *restrict out_scale = norm->folded_scale, *restrict out_bias = norm->folded_bias;
    const real_t *restrict scale = norm->scale.value, *restrict bias = norm->bias.value;
    const real_t *restrict mean = norm->mean, *restrict variance = norm->variance;
    (void)batch;
    for (int64_t j = block->unit; j < block->unit + block->n_units; j++) {
        const real_t factor = scale[j] / real_sqrt(variance[j] + (real_t)norm->epsilon);
        out_scale[j] = factor;
        out_bias[j] = real_fma(-factor, mean[j], bias[j]);
    }
}

/* A strip of LANES samples at a time, whose sums over the units stay in registers. */
static void layer_norm_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const norm_t *norm = operation;
    const int64_t n_units = norm->n_units, stride = batch->stride;
    const real_t *scale = norm->scale.value, *bias = norm->bias.value;
    for (int64_t i = block->sample; i < block->sample + block->n_samples; i += LANES) {
        real_t *restrict z = (real_t *)norm->z + i;
        real_t *restrict normed = norm->normed ? (real_t *)norm->normed + i : NULL;
        real_t mean[LANES] = {0}, factor[LANES] = {0};
        for (int64_t j = 0; j < n_units; j++)
            for (int k = 0; k < LANES; k++)
                mean[k] += z[j * stride + k];
        for (int k = 0; k < LANES; k++)
            mean[k] /= (real_t)n_units;
        for (int64_t j = 0; j < n_units; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t centered = z[j * stride + k] - mean[k];
                factor[k] = real_fma(centered, centered, factor[k]);
            }
        for (int k = 0; k < LANES; k++)
            factor[k] = 1 / real_sqrt(factor[k] / (real_t)n_units + (real_t)norm->epsilon);
        if (normed) { /* on the way back they are asked for */
            memcpy((real_t *)norm->inverse + i, factor, sizeof factor);
            for (int64_t j = 0; j < n_units; j++)
                for (int k = 0; k < LANES; k++)
                    normed[j * stride + k] = (z[j * stride + k] - mean[k]) * factor[k];
        }
        for (int64_t j = 0; j < n_units; j++)
            for (int k = 0; k < LANES; k++)
                z[j * stride + k] = real_fma(scale[j], (z[j * stride + k] - mean[k]) * factor[k], bias[j]);
    }
}

static void layer_norm_backward(const void *operation, batch_t *batch, const block_t *block)
{
    const norm_t *norm = operation;
    const int64_t n_units = norm->n_units, stride = batch->stride;
    const real_t *scale = norm->scale.value;
    for (int64_t i = block->sample; i < block->sample + block->n_samples; i += LANES) {
        real_t *restrict d = (real_t *)norm->d_z + i;
        const real_t *restrict normed = (const real_t *)norm->normed + i;
        const real_t *restrict inverse = (const real_t *)norm->inverse + i;
        real_t mean[LANES] = {0}, slope[LANES] = {0};
        for (int64_t j = 0; j < n_units; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t g = scale[j] * d[j * stride + k];
                mean[k] += g;
                slope[k] = real_fma(g, normed[j * stride + k], slope[k]);
            }
        for (int k = 0; k < LANES; k++) {
            mean[k] /= (real_t)n_units;
            slope[k] /= (real_t)n_units;
        }
        for (int64_t j = 0; j < n_units; j++)
            for (int k = 0; k < LANES; k++) {
                const real_t g = scale[j] * d[j * stride + k];
                const real_t value = inverse[k] * real_fma(-slope[k], normed[j * stride + k], g - mean[k]);
                d[j * stride + k] = i + k < batch->n_samples ? value : (real_t)0;
            }
    }
}

static void norm_update(const void *operation, batch_t *batch, const block_t *block)
{
    const norm_t *norm = operation;
    step_vector(&norm->bias, batch, block);
    step_vector(&norm->scale, batch, block);
}

static const operation_type_t batch_norm_operation = {
    .forward = {batch_norm_forward, BY_UNITS, READS_OWN},
    .backward = {batch_norm_backward, BY_UNITS, READS_OWN},
    .update = {norm_update, BY_UNITS, READS_NONE},
};
/* In predictions: before the product, which applies what it makes. */
static const operation_type_t fold_norm_operation = {
    .forward = {fold_norm_forward, BY_UNITS, READS_NONE},
};
static const operation_type_t layer_norm_operation = {
    .forward = {layer_norm_forward, BY_STRIPS, READS_OWN},
    .backward = {layer_norm_backward, BY_STRIPS, READS_OWN},
    .update = {norm_update, BY_UNITS, READS_NONE},
};
/* The gradients of a layer normalisation's scale and bias, which are sums over samples: after it in the list. */
static const operation_type_t norm_sums_operation = {
    .backward = {norm_sums_backward, BY_UNITS, READS_OWN},
};

/* PReLU (K. He et al. 2015), a slope below zero for every unit; what came in is kept for the way back. */
static void prelu_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const prelu_t *prelu = operation;
    const real_t *slope = prelu->slope.value;
    const int64_t n = whole_lanes(block->n_samples);
    for (int64_t j = block->unit; j < block->unit + block->n_units; j++) {
        const int64_t at = j * batch->stride + block->sample;
        real_t *restrict z = (real_t *)prelu->outputs + at;
        if (prelu->kept)
            memcpy((real_t *)prelu->kept + at, z, (size_t)n * sizeof *z);
        const real_t below = slope[j];
        for (int64_t i = 0; i < n; i++)
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

static void prelu_backward(const void *operation, batch_t *batch, const block_t *block)
{
    const prelu_t *prelu = operation;
    real_t *d_slope = prelu->slope.gradient;
    const real_t *slope = prelu->slope.value;
    const int64_t n_samples = batch->n_samples, whole = n_samples & ~(int64_t)(LANES - 1);
    for (int64_t j = block->unit; j < block->unit + block->n_units; j++) {
        real_t *restrict d = (real_t *)prelu->d_outputs + j * batch->stride;
        const real_t *restrict kept = (const real_t *)prelu->kept + j * batch->stride;
        const real_t below = slope[j];
        real_t sum[LANES] = {0}; /* in LANES partial sums, as row_sums */
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
        d_slope[j] = batch->accumulate ? d_slope[j] + sum[0] : sum[0];
    }
}

static void prelu_update(const void *operation, batch_t *batch, const block_t *block)
{
    step_vector(&((const prelu_t *)operation)->slope, batch, block);
}

static const operation_type_t prelu_operation = {
    .forward = {prelu_forward, BY_EITHER, READS_OWN},
    .backward = {prelu_backward, BY_UNITS, READS_OWN},
    .update = {prelu_update, BY_UNITS, READS_NONE},
};

#endif
