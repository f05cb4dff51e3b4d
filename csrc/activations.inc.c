/* activations.inc.c: bias and activation in one pass over the rows of a layer, and the way back.
 *
 * The backward pass needs only y = activation(z): relu' = [y > 0], tanh' = 1 - y^2,
 * logistic' = y (1 - y), and for softmax d_z = y (d - sum(y d)).
 */

INLINE REAL NAME(activate)(REAL z, const activation_t kind)
{
    switch (kind) {
    case ACTIVATION_RELU:
        return z < 0 ? (REAL)0 : z; /* in this form NaN stays NaN */
    case ACTIVATION_TANH:
        return NAME(tanh)(z);
    case ACTIVATION_LOGISTIC:
        return NAME(logistic)(z);
    default:
        return z;
    }
}

INLINE REAL NAME(derivative)(REAL y, const activation_t kind)
{
    switch (kind) {
    case ACTIVATION_RELU:
        return y > 0 ? (REAL)1 : (REAL)0;
    case ACTIVATION_TANH:
        return FMA(-y, y, (REAL)1);
    case ACTIVATION_LOGISTIC:
        return y * (1 - y);
    default:
        return 1;
    }
}

INLINE void NAME(forward_of)(REAL *restrict z, const REAL *restrict bias, int64_t n_rows, int64_t n,
                             int64_t stride, const activation_t kind)
{
    for (int64_t j = 0; j < n_rows; j++) {
        const REAL b = bias ? bias[j] : 0;
        REAL *restrict row = z + j * stride;
        for (int64_t i = 0; i < n; i++)
            row[i] = NAME(activate)(row[i] + b, kind);
    }
}

INLINE void NAME(backward_of)(REAL *restrict d, const REAL *restrict y, int64_t n_rows, int64_t n,
                              int64_t stride, const activation_t kind)
{
    for (int64_t j = 0; j < n_rows; j++) {
        REAL *restrict d_row = d + j * stride;
        const REAL *restrict y_row = y + j * stride;
        for (int64_t i = 0; i < n; i++)
            d_row[i] *= NAME(derivative)(y_row[i], kind);
    }
}

/* Softmax over the rows of each strip of LANES samples: one strip at a time stays in the first cache. */
INLINE void NAME(softmax_strip)(REAL *z, const REAL *bias, int64_t n_rows, int64_t stride)
{
    REAL top[LANES], sum[LANES];
    for (int64_t j = 0; j < n_rows; j++) {
        const REAL b = bias ? bias[j] : 0;
        REAL *row = z + j * stride;
        for (int k = 0; k < LANES; k++) {
            row[k] += b;
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

KERNEL void NAME(activation_forward)(void *z, const void *bias, int64_t n_rows, int64_t n_samples,
                                     int64_t stride, activation_t kind)
{
    const int64_t n = whole_lanes(n_samples);
    switch (kind) {
    case ACTIVATION_IDENTITY:
        if (bias)
            NAME(forward_of)(z, bias, n_rows, n, stride, ACTIVATION_IDENTITY);
        break;
    case ACTIVATION_RELU:
        NAME(forward_of)(z, bias, n_rows, n, stride, ACTIVATION_RELU);
        break;
    case ACTIVATION_TANH:
        NAME(forward_of)(z, bias, n_rows, n, stride, ACTIVATION_TANH);
        break;
    case ACTIVATION_LOGISTIC:
        NAME(forward_of)(z, bias, n_rows, n, stride, ACTIVATION_LOGISTIC);
        break;
    case ACTIVATION_SOFTMAX:
        for (int64_t i = 0; i < n; i += LANES)
            NAME(softmax_strip)((REAL *)z + i, bias, n_rows, stride);
        break;
    }
}

KERNEL void NAME(activation_backward)(void *d, const void *y, int64_t n_rows, int64_t n_samples,
                                      int64_t stride, activation_t kind)
{
    const int64_t n = whole_lanes(n_samples);
    switch (kind) {
    case ACTIVATION_IDENTITY:
        break;
    case ACTIVATION_RELU:
        NAME(backward_of)(d, y, n_rows, n, stride, ACTIVATION_RELU);
        break;
    case ACTIVATION_TANH:
        NAME(backward_of)(d, y, n_rows, n, stride, ACTIVATION_TANH);
        break;
    case ACTIVATION_LOGISTIC:
        NAME(backward_of)(d, y, n_rows, n, stride, ACTIVATION_LOGISTIC);
        break;
    case ACTIVATION_SOFTMAX:
        for (int64_t i = 0; i < n; i += LANES)
            NAME(softmax_backward_strip)((REAL *)d + i, (const REAL *)y + i, n_rows, stride);
        break;
    }
}
