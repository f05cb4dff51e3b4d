/* activations.inc.c: bias and activation in one pass over the rows of a layer, and the way back.
 *
 * Mostly y = activation(z) tells the derivative: relu' = [y > 0], tanh' = 1 - y^2, logistic' = y (1 - y),
 * leaky_relu' = y > 0 ? 1 : slope, elu' = y > 0 ? 1 : y + alpha, softplus' = 1 - e^-y, and for softmax
 * d_z = y (d - sum(y d)). gelu, gelu_tanh, silu and mish fall before they rise, so that two z have the same
 * y: in training they leave their derivatives in `slopes` on the way up. At zero, and where nothing is
 * finite, they are PyTorch's: leaky_relu'(0) = slope, elu'(0) = alpha.
 */

/* selu is scale elu(alpha): with these a layer keeps mean 0 and variance 1 (Klambauer et al. 2017). */
#define SELU_SCALE ((REAL)1.0507009873554804934193349852946)
#define SELU_BELOW ((REAL)(1.0507009873554804934193349852946 * 1.6732632423543772848170429916717))

/* gelu_tanh(z) = z (1 + tanh(u)) / 2 = z logistic(2 u), 2 u = 2 sqrt(2 / pi) (z + 0.044715 z^3). */
#define GELU_FACTOR ((REAL)1.5957691216057307117597842397375)
#define GELU_CUBIC ((REAL)0.044715)
#define GELU_CUBIC_3 ((REAL)0.134145)

/* y = activation(z); the four also set the slope. Every arm is computed, then one is chosen: a loop over
 * samples has no branches. */
INLINE REAL NAME(activate)(REAL z, REAL *slope, const activation_t kind, const REAL parameter)
{
    switch (kind) {
    case ACTIVATION_RELU:
        return z < 0 ? (REAL)0 : z; /* in this form NaN stays NaN */
    case ACTIVATION_TANH:
        return NAME(tanh)(z);
    case ACTIVATION_LOGISTIC:
        return NAME(logistic)(z);
    case ACTIVATION_LEAKY_RELU: {
        const REAL below = parameter * z;
        return z < 0 ? below : z;
    }
    case ACTIVATION_ELU: {
        const REAL below = parameter * NAME(expm1_nonpositive)(z < 0 ? z : (REAL)0);
        return z < 0 ? below : z;
    }
    case ACTIVATION_SELU: {
        const REAL below = SELU_BELOW * NAME(expm1_nonpositive)(z < 0 ? z : (REAL)0);
        const REAL above = SELU_SCALE * z;
        return z < 0 ? below : above;
    }
    case ACTIVATION_GELU: {
        REAL density;
        const REAL tail = NAME(normal_tail)(FABS(z), &density), rest = 1 - tail;
        const REAL p = z < 0 ? tail : rest;
        *slope = FMA(z, density, p);
        return z * p;
    }
    case ACTIVATION_GELU_TANH: {
        /* Beyond the bound the logistic sigmoid is 0 or 1 for every type, and no square overflows. */
        REAL bounded = z > 32 ? (REAL)32 : z, complement;
        bounded = bounded < -32 ? (REAL)-32 : bounded;
        const REAL square = bounded * bounded, scaled = GELU_FACTOR * bounded;
        const REAL p = NAME(logistic_and_complement)(scaled * FMA(GELU_CUBIC, square, (REAL)1), &complement);
        *slope = p * FMA(scaled * FMA(GELU_CUBIC_3, square, (REAL)1), complement, (REAL)1);
        return z * p;
    }
    case ACTIVATION_SILU: {
        REAL complement;
        const REAL p = NAME(logistic_and_complement)(z, &complement);
        *slope = p * FMA(z, complement, (REAL)1);
        return z * p;
    }
    case ACTIVATION_MISH: {
        /* tanh(softplus(z)) = n / (n + 2) with n = e^z (e^z + 2); for z >= 0 both are divided by e^2z.
         * And 1 - tanh^2 = 2 rest (1 + e)^2 / (n + rest)^2 either way. */
        const REAL e = NAME(exp_nonpositive)(-FABS(z));
        const REAL below = e * (e + 2), above = FMA((REAL)2, e, (REAL)1), twice_square = 2 * e * e;
        const REAL n = z < 0 ? below : above, rest = z < 0 ? (REAL)2 : twice_square;
        const REAL p = n / (n + rest), inverse = 1 / (n + rest), factor = z < 0 ? e : (REAL)1;
        *slope = FMA(z * (2 * rest * factor), (1 + e) * inverse * inverse, p);
        return z * p;
    }
    case ACTIVATION_SOFTPLUS: {
        const REAL positive = z < 0 ? (REAL)0 : z;
        return positive + NAME(log1p_unit)(NAME(exp_nonpositive)(-FABS(z)));
    }
    default:
        return z;
    }
}

INLINE REAL NAME(derivative)(REAL y, const activation_t kind, const REAL parameter)
{
    switch (kind) {
    case ACTIVATION_RELU:
        return y > 0 ? (REAL)1 : (REAL)0;
    case ACTIVATION_TANH:
        return FMA(-y, y, (REAL)1);
    case ACTIVATION_LOGISTIC:
        return y * (1 - y);
    case ACTIVATION_LEAKY_RELU:
        return y > 0 ? (REAL)1 : parameter;
    case ACTIVATION_ELU: {
        const REAL below = y + parameter;
        return y > 0 ? (REAL)1 : below;
    }
    case ACTIVATION_SELU: {
        const REAL below = y + SELU_BELOW;
        return y > 0 ? SELU_SCALE : below;
    }
    case ACTIVATION_SOFTPLUS:
        return -NAME(expm1_nonpositive)(-y);
    default:
        return 1;
    }
}

/* `slopes` is NULL, a constant, where nobody asks for them: what makes them then vanishes. */
INLINE void NAME(forward_of)(REAL *restrict z, REAL *restrict slopes, const REAL *restrict scale,
                             const REAL *restrict bias, int64_t n_rows, int64_t n, int64_t stride,
                             const activation_t kind, const REAL parameter)
{
    for (int64_t j = 0; j < n_rows; j++) {
        const REAL a = scale ? scale[j] : 1, b = bias ? bias[j] : 0;
        REAL *restrict row = z + j * stride;
        if (slopes) {
            REAL *restrict slope_row = slopes + j * stride;
            for (int64_t i = 0; i < n; i++) {
                REAL slope = 1;
                row[i] = NAME(activate)(FMA(a, row[i], b), &slope, kind, parameter);
                slope_row[i] = slope;
            }
        } else {
            for (int64_t i = 0; i < n; i++) {
                REAL slope;
                row[i] = NAME(activate)(FMA(a, row[i], b), &slope, kind, parameter);
            }
        }
    }
}

INLINE void NAME(backward_of)(REAL *restrict d, const REAL *restrict y, int64_t n_rows, int64_t n,
                              int64_t stride, const activation_t kind, const REAL parameter)
{
    for (int64_t j = 0; j < n_rows; j++) {
        REAL *restrict d_row = d + j * stride;
        const REAL *restrict y_row = y + j * stride;
        for (int64_t i = 0; i < n; i++)
            d_row[i] *= NAME(derivative)(y_row[i], kind, parameter);
    }
}

INLINE void NAME(backward_by_slopes)(REAL *restrict d, const REAL *restrict slopes, int64_t n_rows, int64_t n,
                                     int64_t stride)
{
    for (int64_t j = 0; j < n_rows; j++)
        for (int64_t i = 0; i < n; i++)
            d[j * stride + i] *= slopes[j * stride + i];
}

/* Softmax over the rows of each strip of LANES samples: one strip at a time stays in the first cache. */
INLINE void NAME(softmax_strip)(REAL *z, const REAL *scale, const REAL *bias, int64_t n_rows, int64_t stride)
{
    REAL top[LANES], sum[LANES];
    for (int64_t j = 0; j < n_rows; j++) {
        const REAL a = scale ? scale[j] : 1, b = bias ? bias[j] : 0;
        REAL *row = z + j * stride;
        for (int k = 0; k < LANES; k++) {
            row[k] = FMA(a, row[k], b);
            top[k] = j && !(row[k] > top[k]) ? top[k] : row[k];
        }
    }
    for (int k = 0; k < LANES; k++)
        sum[k] = 0;
    for (int64_t j = 0; j < n_rows; j++) {
        REAL *row = z + j * stride;
        for (int k = 0; k < LANES; k++) {
            row[k] = NAME(exp_nonpositive)(row[k] - top[k]);
            sum[k] += row[k];
        }
    }
    for (int k = 0; k < LANES; k++)
        sum[k] = 1 / sum[k];
    for (int64_t j = 0; j < n_rows; j++)
        for (int k = 0; k < LANES; k++)
            z[j * stride + k] *= sum[k];
}

INLINE void NAME(softmax_backward_strip)(REAL *d, const REAL *y, int64_t n_rows, int64_t stride)
{
    REAL dot[LANES] = {0};
    for (int64_t j = 0; j < n_rows; j++)
        for (int k = 0; k < LANES; k++)
            dot[k] = FMA(y[j * stride + k], d[j * stride + k], dot[k]);
    for (int64_t j = 0; j < n_rows; j++)
        for (int k = 0; k < LANES; k++)
            d[j * stride + k] = y[j * stride + k] * (d[j * stride + k] - dot[k]);
}

#define FORWARD(kind)                                                                        \
    case kind:                                                                               \
        NAME(forward_of)(z, NULL, scale, bias, n_rows, n, stride, kind, (REAL)parameter);           \
        break;
#define FORWARD_WITH_SLOPES(kind)                                                            \
    case kind:                                                                               \
        if (slopes)                                                                          \
            NAME(forward_of)(z, slopes, scale, bias, n_rows, n, stride, kind, (REAL)parameter);     \
        else                                                                                 \
            NAME(forward_of)(z, NULL, scale, bias, n_rows, n, stride, kind, (REAL)parameter);       \
        break;
#define BACKWARD(kind)                                                                       \
    case kind:                                                                               \
        NAME(backward_of)(d, y, n_rows, n, stride, kind, (REAL)parameter);                   \
        break;

KERNEL void NAME(activation_forward)(void *z, void *slopes, const void *scale, const void *bias, int64_t n_rows,
                                     int64_t n_samples, int64_t stride, activation_t kind, double parameter)
{
    const int64_t n = whole_lanes(n_samples);
    switch (kind) {
    case ACTIVATION_IDENTITY:
        if (bias)
            NAME(forward_of)(z, NULL, scale, bias, n_rows, n, stride, ACTIVATION_IDENTITY, 0);
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
            NAME(softmax_strip)((REAL *)z + i, scale, bias, n_rows, stride);
        break;
    case ACTIVATION_PRELU:
        break;
    }
}

KERNEL void NAME(activation_backward)(void *d, const void *y, const void *slopes, int64_t n_rows,
                                      int64_t n_samples, int64_t stride, activation_t kind, double parameter)
{
    const int64_t n = whole_lanes(n_samples);
    switch (kind) {
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
        NAME(backward_by_slopes)(d, slopes, n_rows, n, stride);
        break;
    case ACTIVATION_PRELU:
        break;
    case ACTIVATION_SOFTMAX:
        for (int64_t i = 0; i < n; i += LANES)
            NAME(softmax_backward_strip)((REAL *)d + i, (const REAL *)y + i, n_rows, stride);
        break;
    }
}

/* A layer's activation, for its units [begin, end), with its scale and bias where the product has not dealt with
 * them. */
INLINE void NAME(activate_units)(const layer_t *layer, const step_t *step, const int is_scaled, int64_t begin,
                                 int64_t end)
{
    REAL *slopes = layer->slopes;
    const REAL *scale = is_scaled ? NULL : layer->scale, *bias = is_scaled ? NULL : layer->bias;
    NAME(activation_forward)((REAL *)layer->outputs + begin * step->stride,
                             slopes ? slopes + begin * step->stride : NULL, scale ? scale + begin : NULL,
                             bias ? bias + begin : NULL, end - begin, step->n_samples, step->stride, layer->activation,
                             layer->activation_parameter);
}

/* The gradient before the activation that made a layer's inputs, for the inputs [begin, end). */
INLINE void NAME(derive_inputs)(const layer_t *layer, const step_t *step, int64_t begin, int64_t end)
{
    const REAL *slopes = layer->input_slopes;
    NAME(activation_backward)((REAL *)layer->d_inputs + begin * step->stride,
                              (const REAL *)layer->inputs + begin * step->stride,
                              slopes ? slopes + begin * step->stride : NULL, end - begin, step->n_samples,
                              step->stride, layer->input_activation, layer->input_parameter);
}

#undef SELU_SCALE
#undef SELU_BELOW
#undef GELU_FACTOR
#undef GELU_CUBIC
#undef GELU_CUBIC_3
#undef FORWARD
#undef FORWARD_WITH_SLOPES
#undef BACKWARD
