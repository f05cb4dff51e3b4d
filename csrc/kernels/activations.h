/* activations.h: bias and activation in one pass over the rows of a layer, and the way back.
 *
 * Mostly y = activation(z) tells the derivative: relu' = [y > 0], tanh' = 1 - y^2, logistic' = y (1 - y),
 * leaky_relu' = y > 0 ? 1 : slope, elu' = y > 0 ? 1 : y + alpha, softplus' = 1 - e^-y, and for softmax
 * d_z = y (d - sum(y d)). gelu, gelu_tanh, silu and mish fall before they rise, so that two z have the same
 * y: in training they leave their derivatives in `slopes` on the way up. At zero, and where nothing is
 * finite, they are PyTorch's: leaky_relu'(0) = slope, elu'(0) = alpha.
 */
#ifndef ACTIVATIONS
/* The list, which fastmlp.h makes an enum of, and names.c names. */
#define ACTIVATIONS                      \
    ACTIVATION(IDENTITY, "identity")     \
    ACTIVATION(RELU, "relu")             \
    ACTIVATION(TANH, "tanh")             \
    ACTIVATION(LOGISTIC, "logistic")     \
    ACTIVATION(SOFTMAX, "softmax")       \
    ACTIVATION(LEAKY_RELU, "leaky_relu") \
    ACTIVATION(ELU, "elu")               \
    ACTIVATION(SELU, "selu")             \
    ACTIVATION(GELU, "gelu")             \
    ACTIVATION(GELU_TANH, "gelu_tanh")   \
    ACTIVATION(SILU, "silu")             \
    ACTIVATION(MISH, "mish")             \
    ACTIVATION(SOFTPLUS, "softplus")     \
    ACTIVATION(PRELU, "prelu")
#endif

#ifdef FASTMLP_UNIT

/* selu is scale elu(alpha): with these a layer keeps mean 0 and variance 1 (Klambauer et al. 2017). */
#define SELU_SCALE ((real_t)1.0507009873554804934193349852946)
#define SELU_BELOW ((real_t)(1.0507009873554804934193349852946 * 1.6732632423543772848170429916717))

/* gelu_tanh(z) = z (1 + tanh(u)) / 2 = z logistic(2 u), 2 u = 2 sqrt(2 / pi) (z + 0.044715 z^3). */
#define GELU_FACTOR ((real_t)1.5957691216057307117597842397375)
#define GELU_CUBIC ((real_t)0.044715)
#define GELU_CUBIC_3 ((real_t)0.134145)

/* y = activation(z); the four also set the slope. Every arm is computed, then one is chosen: a loop over
 * samples has no branches. */
INLINE real_t activate(real_t z, real_t *slope, const activation_kind_t kind, const real_t parameter)
{
    switch (kind) {
    case ACTIVATION_RELU:
        return z < 0 ? (real_t)0 : z; /* in this form NaN stays NaN */
    case ACTIVATION_TANH:
        return real_tanh(z);
    case ACTIVATION_LOGISTIC:
        return logistic(z);
    case ACTIVATION_LEAKY_RELU: {
        const real_t below = parameter * z;
        return z < 0 ? below : z;
    }
    case ACTIVATION_ELU: {
        const real_t below = parameter * expm1_nonpositive(z < 0 ? z : (real_t)0);
        return z < 0 ? below : z;
    }
    case ACTIVATION_SELU: {
        const real_t below = SELU_BELOW * expm1_nonpositive(z < 0 ? z : (real_t)0);
        const real_t above = SELU_SCALE * z;
        return z < 0 ? below : above;
    }
    case ACTIVATION_GELU: {
        real_t density;
        const real_t tail = normal_tail(real_abs(z), &density), rest = 1 - tail;
        const real_t p = z < 0 ? tail : rest;
        *slope = real_fma(z, density, p);
        return z * p;
    }
    case ACTIVATION_GELU_TANH: {
        /* Beyond the bound the logistic sigmoid is 0 or 1 for every type, and no square overflows. */
        real_t bounded = z > 32 ? (real_t)32 : z, complement;
        bounded = bounded < -32 ? (real_t)-32 : bounded;
        const real_t square = bounded * bounded, scaled = GELU_FACTOR * bounded;
        const real_t p =
            logistic_and_complement(scaled * real_fma(GELU_CUBIC, square, (real_t)1), &complement);
        *slope = p * real_fma(scaled * real_fma(GELU_CUBIC_3, square, (real_t)1), complement, (real_t)1);
        return z * p;
    }
    case ACTIVATION_SILU: {
        real_t complement;
        const real_t p = logistic_and_complement(z, &complement);
        *slope = p * real_fma(z, complement, (real_t)1);
        return z * p;
    }
    case ACTIVATION_MISH: {
        /* real_tanh(softplus(z)) = n / (n + 2) with n = e^z (e^z + 2); for z >= 0 both are divided by e^2z.
         * And 1 - tanh^2 = 2 rest (1 + e)^2 / (n + rest)^2 either way. */
        const real_t e = exp_nonpositive(-real_abs(z));
        const real_t below = e * (e + 2), above = real_fma((real_t)2, e, (real_t)1), twice_square = 2 * e * e;
        const real_t n = z < 0 ? below : above, rest = z < 0 ? (real_t)2 : twice_square;
        const real_t p = n / (n + rest), inverse = 1 / (n + rest), factor = z < 0 ? e : (real_t)1;
        *slope = real_fma(z * (2 * rest * factor), (1 + e) * inverse * inverse, p);
        return z * p;
    }
    case ACTIVATION_SOFTPLUS: {
        const real_t positive = z < 0 ? (real_t)0 : z;
        return positive + log1p_unit(exp_nonpositive(-real_abs(z)));
    }
    default:
        return z;
    }
}

INLINE real_t derivative(real_t y, const activation_kind_t kind, const real_t parameter)
{
    switch (kind) {
    case ACTIVATION_RELU:
        return y > 0 ? (real_t)1 : (real_t)0;
    case ACTIVATION_TANH:
        return real_fma(-y, y, (real_t)1);
    case ACTIVATION_LOGISTIC:
        return y * (1 - y);
    case ACTIVATION_LEAKY_RELU:
        return y > 0 ? (real_t)1 : parameter;
    case ACTIVATION_ELU: {
        const real_t below = y + parameter;
        return y > 0 ? (real_t)1 : below;
    }
    case ACTIVATION_SELU: {
        const real_t below = y + SELU_BELOW;
        return y > 0 ? SELU_SCALE : below;
    }
    case ACTIVATION_SOFTPLUS:
        return -expm1_nonpositive(-y);
    default:
        return 1;
    }
}

/* `slopes` is NULL, a constant, where nobody asks for them: what makes them then vanishes. */
INLINE void forward_of(real_t *restrict z, real_t *restrict slopes, const real_t *restrict scale,
                       const real_t *restrict bias, int64_t n_rows, int64_t n, int64_t stride,
                       const activation_kind_t kind, const real_t parameter)
{
    for (int64_t j = 0; j < n_rows; j++) {
        const real_t a = scale ? scale[j] : 1, b = bias ? bias[j] : 0;
        real_t *restrict row = z + j * stride;
        if (slopes) {
            real_t *restrict slope_row = slopes + j * stride;
            for (int64_t i = 0; i < n; i++) {
                real_t slope = 1;
                row[i] = activate(real_fma(a, row[i], b), &slope, kind, parameter);
                slope_row[i] = slope;
            }
        } else {
            for (int64_t i = 0; i < n; i++) {
                real_t slope;
                row[i] = activate(real_fma(a, row[i], b), &slope, kind, parameter);
            }
        }
    }
}

INLINE void backward_of(real_t *restrict d, const real_t *restrict y, int64_t n_rows, int64_t n,
                        int64_t stride, const activation_kind_t kind, const real_t parameter)
{
    for (int64_t j = 0; j < n_rows; j++) {
        real_t *restrict d_row = d + j * stride;
        const real_t *restrict y_row = y + j * stride;
        for (int64_t i = 0; i < n; i++)
            d_row[i] *= derivative(y_row[i], kind, parameter);
    }
}

INLINE void backward_by_slopes(real_t *restrict d, const real_t *restrict slopes, int64_t n_rows, int64_t n,
                               int64_t stride)
{
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = 0; i < n; i++)
            d[j * stride + i] *= slopes[j * stride + i];
}

/* Softmax over the rows of each strip of LANES samples: one strip at a time stays in the first cache. */
INLINE void softmax_strip(real_t *z, const real_t *scale, const real_t *bias, int64_t n_rows, int64_t stride)
{
    real_t top[LANES], sum[LANES];
    for (int64_t j = 0; j < n_rows; j++) {
        const real_t a = scale ? scale[j] : 1, b = bias ? bias[j] : 0;
        real_t *row = z + j * stride;
        for (int k = 0; k < LANES; k++) {
            row[k] = real_fma(a, row[k], b);
            top[k] = j && !(row[k] > top[k]) ? top[k] : row[k];
        }
    }
    for (int k = 0; k < LANES; k++)
        sum[k] = 0;
    for (int64_t j = 0; j < n_rows; j++) {
        real_t *row = z + j * stride;
        for (int k = 0; k < LANES; k++) {
            row[k] = exp_nonpositive(row[k] - top[k]);
            sum[k] += row[k];
        }
    }
    for (int k = 0; k < LANES; k++)
        sum[k] = 1 / sum[k];
    for (int64_t j = 0; j < n_rows; j++)
        for (int k = 0; k < LANES; k++)
            z[j * stride + k] *= sum[k];
}

INLINE void softmax_backward_strip(real_t *d, const real_t *y, int64_t n_rows, int64_t stride)
{
    real_t dot[LANES] = {0};
    for (int64_t j = 0; j < n_rows; j++)
        for (int k = 0; k < LANES; k++)
            dot[k] = real_fma(y[j * stride + k], d[j * stride + k], dot[k]);
    for (int64_t j = 0; j < n_rows; j++)
        for (int k = 0; k < LANES; k++)
            d[j * stride + k] = y[j * stride + k] * (d[j * stride + k] - dot[k]);
}

#define FORWARD(kind)                                                                            \
    case kind:                                                                                   \
        forward_of(z, NULL, scale, bias, n_rows, n, stride, kind, (real_t)activation.parameter); \
        break;
#define FORWARD_WITH_SLOPES(kind)                                                                      \
    case kind:                                                                                         \
        if (slopes)                                                                                    \
            forward_of(z, slopes, scale, bias, n_rows, n, stride, kind, (real_t)activation.parameter); \
        else                                                                                           \
            forward_of(z, NULL, scale, bias, n_rows, n, stride, kind, (real_t)activation.parameter);   \
        break;
#define BACKWARD(kind)                                                            \
    case kind:                                                                    \
        backward_of(d, y, n_rows, n, stride, kind, (real_t)activation.parameter); \
        break;

static void activation_forward(void *z, void *slopes, const void *scale, const void *bias, int64_t n_rows,
                               int64_t n_samples, int64_t stride, activation_t activation)
{
    const int64_t n = whole_lanes(n_samples);
    switch (activation.kind) {
    case ACTIVATION_IDENTITY:
        if (bias)
            forward_of(z, NULL, scale, bias, n_rows, n, stride, ACTIVATION_IDENTITY, 0);
        break;
        FORWARD(ACTIVATION_RELU)
        FORWARD(ACTIVATION_TANH)
        FORWARD(ACTIVATION_LOGISTIC)
        FORWARD(ACTIVATION_LEAKY_RELU)
        FORWARD(ACTIVATION_ELU)
        FORWARD(ACTIVATION_SELU)
        FORWARD(ACTIVATION_SOFTPLUS)
        FORWARD_WITH_SLOPES(ACTIVATION_GELU)
        FORWARD_WITH_SLOPES(ACTIVATION_GELU_TANH)
        FORWARD_WITH_SLOPES(ACTIVATION_SILU)
        FORWARD_WITH_SLOPES(ACTIVATION_MISH)
    case ACTIVATION_SOFTMAX:
        for (int64_t i = 0; i < n; i += LANES)
            softmax_strip((real_t *)z + i, scale, bias, n_rows, stride);
        break;
    case ACTIVATION_PRELU:
        break;
    }
}

static void activation_backward(void *d, const void *y, const void *slopes, int64_t n_rows, int64_t n_samples,
                                int64_t stride, activation_t activation)
{
    const int64_t n = whole_lanes(n_samples);
    switch (activation.kind) {
    case ACTIVATION_IDENTITY:
        break;
        BACKWARD(ACTIVATION_RELU)
        BACKWARD(ACTIVATION_TANH)
        BACKWARD(ACTIVATION_LOGISTIC)
        BACKWARD(ACTIVATION_LEAKY_RELU)
        BACKWARD(ACTIVATION_ELU)
        BACKWARD(ACTIVATION_SELU)
        BACKWARD(ACTIVATION_SOFTPLUS)
    case ACTIVATION_GELU:
    case ACTIVATION_GELU_TANH:
    case ACTIVATION_SILU:
    case ACTIVATION_MISH:
        backward_by_slopes(d, slopes, n_rows, n, stride);
        break;
    case ACTIVATION_PRELU:
        break;
    case ACTIVATION_SOFTMAX:
        for (int64_t i = 0; i < n; i += LANES)
            softmax_backward_strip((real_t *)d + i, (const real_t *)y + i, n_rows, stride);
        break;
    }
}

/* The activation that a product applies to its outputs, for some of its units, with scale and bias where it has
 * not dealt with them. */
INLINE void activate_outputs(const linear_t *linear, const batch_t *batch, const block_t *block,
                             int is_scaled)
{
    const int64_t at = block->unit * batch->stride;
    real_t *slopes = linear->slopes;
    const real_t *scale = is_scaled ? NULL : linear->scale, *bias = is_scaled ? NULL : linear->bias;
    activation_forward((real_t *)linear->outputs + at, slopes ? slopes + at : NULL,
                       scale ? scale + block->unit : NULL, bias ? bias + block->unit : NULL, block->n_units,
                       block->n_samples, batch->stride, linear->activation);
}

/* The gradient before the activation that made a product's inputs, for some of them. */
INLINE void derive_inputs(const linear_t *linear, const batch_t *batch, const block_t *block)
{
    const int64_t at = block->unit * batch->stride;
    const real_t *slopes = linear->input_slopes;
    activation_backward((real_t *)linear->d_inputs + at, (const real_t *)linear->inputs + at,
                        slopes ? slopes + at : NULL, block->n_units, block->n_samples, batch->stride,
                        linear->input_activation);
}

/* The operation, for activations that the product does not apply. */
static void activation_operation_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const activation_operation_t *own = operation;
    const int64_t at = block->unit * batch->stride + block->sample;
    real_t *slopes = own->slopes;
    activation_forward((real_t *)own->outputs + at, slopes ? slopes + at : NULL, NULL, NULL, block->n_units,
                       block->n_samples, batch->stride, own->activation);
}

static void activation_operation_backward(const void *operation, batch_t *batch, const block_t *block)
{
    const activation_operation_t *own = operation;
    const int64_t at = block->unit * batch->stride + block->sample;
    const real_t *slopes = own->slopes;
    activation_backward((real_t *)own->d_outputs + at, (const real_t *)own->y + at,
                        slopes ? slopes + at : NULL, block->n_units, block->n_samples, batch->stride,
                        own->activation);
}

static const operation_type_t activation_operation = {
    .forward = {activation_operation_forward, BY_EITHER, READS_OWN},
    .backward = {activation_operation_backward, BY_EITHER, READS_OWN},
};
/* Softmax looks at all units of a sample. */
static const operation_type_t softmax_operation = {
    .forward = {activation_operation_forward, BY_STRIPS, READS_OWN},
    .backward = {activation_operation_backward, BY_STRIPS, READS_OWN},
};
/* The way back alone, for the activation that the last product has applied: others' is that of the product above
 * them. */
static const operation_type_t last_activation_operation = {
    .backward = {activation_operation_backward, BY_EITHER, READS_OWN},
};

#undef SELU_SCALE
#undef SELU_BELOW
#undef GELU_FACTOR
#undef GELU_CUBIC
#undef GELU_CUBIC_3
#undef FORWARD
#undef FORWARD_WITH_SLOPES
#undef BACKWARD

#endif
