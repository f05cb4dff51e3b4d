/* fastmlp.h: what the Cython side sees of the C core.
 *
 * Design. Activations are feature-major: (features, samples), samples contiguous, `stride` elements
 * from one feature to the next, stride a multiple of LANES. Elementwise kernels run over whole groups
 * of LANES samples, so that they have no remainder loop; what they compute beyond the last sample is
 * never read. Sums over samples take exactly n_samples, in LANES partial sums and one fixed tree,
 * on every instruction set: the bits do not depend on the width of the vectors.
 *
 * Every kernel exists once per instruction set and type; kernels_t is the table of one such pair.
 * Arguments come in the order outputs, inputs, sizes, scalars. No kernel allocates.
 */
#ifndef FASTMLP_H
#define FASTMLP_H

#include <stddef.h>
#include <stdint.h>

enum { LANES = 16 };

typedef enum { DTYPE_F32, DTYPE_F64 } dtype_t;
typedef enum { SOURCE_U8, SOURCE_F32, SOURCE_F64 } source_type_t;
typedef enum { ISA_PORTABLE, ISA_NEON, ISA_AVX2, ISA_AVX512, N_ISAS } isa_t;
typedef enum {
    ACTIVATION_IDENTITY,
    ACTIVATION_RELU,
    ACTIVATION_TANH,
    ACTIVATION_LOGISTIC,
    ACTIVATION_SOFTMAX,
    ACTIVATION_LEAKY_RELU,
    ACTIVATION_ELU,
    ACTIVATION_SELU,
    ACTIVATION_GELU,
    ACTIVATION_GELU_TANH,
    ACTIVATION_SILU,
    ACTIVATION_MISH,
    ACTIVATION_SOFTPLUS,
    ACTIVATION_PRELU /* prelu_forward and prelu_backward; no other kernel knows it */
} activation_t;
typedef enum {
    LOSS_CROSS_ENTROPY,
    LOSS_SOFT_CROSS_ENTROPY,
    LOSS_BINARY_CROSS_ENTROPY,
    LOSS_LOG_LIKELIHOOD,
    LOSS_SQUARED_ERROR,
    LOSS_ABSOLUTE_ERROR,
    LOSS_HUBER,
    LOSS_QUANTILE,
    LOSS_POISSON
} loss_t;
typedef enum { SOLVER_SGD, SOLVER_ADAM, SOLVER_RMSPROP, SOLVER_ADAGRAD, SOLVER_ADADELTA } solver_t;

/* A matrix that belongs to the user: (rows, n_columns), any strides (in bytes), never written. */
typedef struct {
    const char *data;
    source_type_t type;
    int64_t n_columns;
    ptrdiff_t row_stride, column_stride;
} source_t;

/* A sparse matrix that belongs to the user: row i has the values[k], of the type that is computed in, in these
 * columns, for k from starts[i] to starts[i + 1]. */
typedef struct {
    const void *values;
    const int32_t *columns;
    const int64_t *starts;
} csr_t;

/* x -> (x - center) * scale, a pair for each column; center NULL: x as it is. float64 sources are
 * prepared in double before they are rounded, hence the second pair. */
typedef struct {
    const void *center, *scale;
    const double *center_f64, *scale_f64;
} preparation_t;

/* What tells a draw, but the unit or feature and the sample, from all others (random.inc.c). */
typedef struct {
    uint32_t key[2]; /* the seed, see fastmlp_set_step */
    uint32_t step;
    uint32_t stream; /* one of random_stream_t, plus N_STREAMS times the layer */
} random_t;

/* Set key and step: what a step has beyond 32 bits changes the key, so that later steps draw other numbers. */
static inline void fastmlp_set_step(random_t *random, uint64_t seed, uint64_t step)
{
    random->key[0] = (uint32_t)seed;
    random->key[1] = (uint32_t)(seed >> 32) ^ (uint32_t)(step >> 32);
    random->step = (uint32_t)step;
}
typedef enum {
    STREAM_SHUFFLE,
    STREAM_AUGMENT,
    STREAM_INPUT_NOISE,
    STREAM_INPUT_DROPOUT,
    STREAM_DROPOUT,
    N_STREAMS = 16
} random_stream_t;

/* How the rows of X are changed as images: moved by up to `pixels` in each direction, mirrored or not. */
typedef struct {
    int64_t height, width, channels, pixels;
    int flip;
} augmentation_t;

/* What a solver needs for one step; the rates change from step to step. */
typedef struct {
    solver_t solver;
    int nesterov;
    double learning_rate, momentum;
    double beta_1, beta_2, epsilon;
    /* The gradient of a weight w gains l2 w + l1 sign(w), and w itself is multiplied by `shrink` (1: not at all)
     * before the step; biases are spared all three. */
    double l2, l1, shrink;
    /* Before that every gradient is multiplied by `scale` (1: not at all) and cut to +-`clip` (0: not at all). */
    double scale, clip;
} optimizer_t;

typedef struct {
    /* out (n_rows, stride), batch-major: the chosen rows of the source, converted and prepared. */
    void (*gather_rows)(void *out, const source_t *source, const int64_t *rows,
                        const preparation_t *preparation, int64_t n_rows, int64_t stride);
    /* out (n_columns, stride), feature-major: the same, transposed. */
    void (*gather_columns)(void *out, const source_t *source, const int64_t *rows,
                           const preparation_t *preparation, int64_t n_rows, int64_t stride);
    /* out (n_samples, n_rows), batch-major, contiguous, = x^T for x (n_rows, stride). */
    void (*scatter_rows)(void *out, const void *x, int64_t n_rows, int64_t n_samples, int64_t stride);

    /* z (n_rows, stride) <- activation(scale z + bias); scale and bias (n_rows) may be NULL, scale if bias is. The
     * parameter is leaky_relu's slope or elu's alpha. Where slopes (n_rows, stride) is not NULL, gelu, gelu_tanh,
     * silu and mish leave activation'(scale z + bias) there. Overwrites: z, slopes. */
    void (*activation_forward)(void *z, void *slopes, const void *scale, const void *bias, int64_t n_rows,
                               int64_t n_samples, int64_t stride, activation_t kind, double parameter);
    /* d (n_rows, stride) <- d * activation'(z), from y = activation(z), or for the four from the slopes that
     * forward left; the others take NULL. Overwrites: d. */
    void (*activation_backward)(void *d, const void *y, const void *slopes, int64_t n_rows, int64_t n_samples,
                                int64_t stride, activation_t kind, double parameter);

    /* The losses: losses (n_samples, padded) of each sample, and the gradient of
     * weight * sum(losses) with respect to x, d_x (n_rows, stride), zero beyond the last sample.
     * These take x before softmax: the target t is a label, or (n_rows, stride) of probabilities, of which
     * label_smoothing goes to all classes alike. -sum t log p */
    void (*cross_entropy)(void *d_x, void *losses, const void *x, const int32_t *labels,
                          int64_t n_rows, int64_t n_samples, int64_t stride, double weight,
                          double label_smoothing);
    void (*soft_cross_entropy)(void *d_x, void *losses, const void *x, const void *targets,
                               int64_t n_rows, int64_t n_samples, int64_t stride, double weight,
                               double label_smoothing);
    /* These take x before the logistic sigmoid: -sum t log p + (1 - t) log(1 - p), -sum t log p. */
    void (*binary_cross_entropy)(void *d_x, void *losses, const void *x, const void *targets,
                                 int64_t n_rows, int64_t n_samples, int64_t stride, double weight);
    void (*log_likelihood)(void *d_x, void *losses, const void *x, const void *targets,
                           int64_t n_rows, int64_t n_samples, int64_t stride, double weight);
    /* These take the outputs: sum (x - t)^2 / 2; sum |x - t|; and between them, the first up to
     * |x - t| = delta and beyond it a straight line. */
    void (*squared_error)(void *d_x, void *losses, const void *x, const void *targets,
                          int64_t n_rows, int64_t n_samples, int64_t stride, double weight);
    void (*absolute_error)(void *d_x, void *losses, const void *x, const void *targets,
                           int64_t n_rows, int64_t n_samples, int64_t stride, double weight);
    void (*huber)(void *d_x, void *losses, const void *x, const void *targets,
                  int64_t n_rows, int64_t n_samples, int64_t stride, double weight, double delta);
    /* sum max(q (t - x), (q - 1) (t - x)); targets (n_rows / n_quantiles, stride), each with an output for
     * every quantile q, one after the other. */
    void (*quantile)(void *d_x, void *losses, const void *x, const void *targets, const double *quantiles,
                     int64_t n_rows, int64_t n_quantiles, int64_t n_samples, int64_t stride, double weight);
    /* sum e^x - t x */
    void (*poisson)(void *d_x, void *losses, const void *x, const void *targets,
                    int64_t n_rows, int64_t n_samples, int64_t stride, double weight);
    /* d (n_rows, stride) and losses, each sample's times its weight; weights (n_samples, padded) are zero in
     * the padding. Overwrites: d, losses. */
    void (*weigh)(void *d, void *losses, const void *weights, int64_t n_rows, int64_t n_samples,
                  int64_t stride);

    /* z (n_rows, stride) <- scale n + bias with n = (z - mean) inverse, inverse = 1 / sqrt(variance + epsilon), by
     * the mean and variance of each row, towards which the running ones (n_rows) move by `momentum`; or by these
     * themselves if is_fixed. Overwrites: z, normed = n (n_rows, stride), inverse (n_rows), mean, variance. */
    void (*batch_norm_forward)(void *z, void *normed, void *inverse, void *mean, void *variance, const void *scale,
                               const void *bias, int64_t n_rows, int64_t n_samples, int64_t stride,
                               double epsilon, double momentum, int is_fixed);
    /* d (n_rows, stride) <- the gradient before it, d_scale and d_bias (n_rows) = its own, added to them if
     * accumulate. Overwrites: d, d_scale, d_bias. */
    void (*batch_norm_backward)(void *d, void *d_scale, void *d_bias, const void *normed, const void *inverse,
                                const void *scale, int64_t n_rows, int64_t n_samples, int64_t stride,
                                int is_fixed, int accumulate);
    /* out_scale z + out_bias (n): the same by the running mean and variance. */
    void (*fold_norm)(void *out_scale, void *out_bias, const void *scale, const void *bias, const void *mean,
                      const void *variance, int64_t n, double epsilon);
    /* The same by the mean and variance of each sample over the rows; normed and inverse (stride) may be NULL.
     * Overwrites: z, normed, inverse. */
    void (*layer_norm_forward)(void *z, void *normed, void *inverse, const void *scale, const void *bias,
                               int64_t n_rows, int64_t n_samples, int64_t stride, double epsilon);
    /* Overwrites: d. */
    void (*layer_norm_backward)(void *d, const void *normed, const void *inverse, const void *scale,
                                int64_t n_rows, int64_t n_samples, int64_t stride);
    /* d_scale and d_bias (n_rows) = the sums over the samples of d normed and of d, added if accumulate. */
    void (*norm_sums)(void *d_scale, void *d_bias, const void *d, const void *normed, int64_t n_rows,
                      int64_t n_samples, int64_t stride, int accumulate);
    /* z (n_rows, stride) <- z > 0 ? z : slope z, slope (n_rows); kept, which may be NULL, = z as it was. */
    void (*prelu_forward)(void *z, void *kept, const void *slope, int64_t n_rows, int64_t n_samples,
                          int64_t stride);
    /* d <- the gradient before it, d_slope (n_rows) = its own, added if accumulate. */
    void (*prelu_backward)(void *d, void *d_slope, const void *kept, const void *slope, int64_t n_rows,
                           int64_t n_samples, int64_t stride, int accumulate);

    /* y (n_rows, stride) <- factors y, each factor 0 with probability `rate`, else 1 / (1 - rate), drawn for the
     * units and samples that begin with these two. undropped, which may be NULL, = y as it was. */
    void (*dropout_forward)(void *y, void *factors, void *undropped, const random_t *random, int64_t first_unit,
                            int64_t first_sample, int64_t n_rows, int64_t n_samples, int64_t stride, double rate);
    /* d <- factors d */
    void (*dropout_backward)(void *d, const void *factors, int64_t n_rows, int64_t n_samples, int64_t stride);
    /* The same for inputs x (n_samples, stride), batch-major; and x <- x + deviation times normal deviates. */
    void (*input_dropout)(void *x, const random_t *random, int64_t first_sample, int64_t n_samples,
                          int64_t n_features, int64_t stride, double rate);
    void (*input_noise)(void *x, const random_t *random, int64_t first_sample, int64_t n_samples,
                        int64_t n_features, int64_t stride, double deviation);

    /* out (n_rows) = the sum of each row of x (n_rows, stride) over the samples, added to out if accumulate. */
    void (*row_sums)(void *out, const void *x, int64_t n_rows, int64_t n_samples, int64_t stride,
                     int accumulate);
    double (*sum)(const void *x, int64_t n);            /* in double, in order */
    double (*sum_of_squares)(const void *x, int64_t n); /* LANES partial sums in double */
    double (*sum_of_magnitudes)(const void *x, int64_t n);
    int (*is_finite)(const void *x, int64_t n);         /* all of them; n padded to LANES */

    /* One step of the solver for a block (n_rows, n) of parameters w with gradients g; the rows of w and
     * of the solver's moments (NULL where it has none) are `stride` apart, those of g `g_stride`.
     * Overwrites: w, moments. */
    void (*solver_step)(void *w, void *moment_1, void *moment_2, const void *g, int64_t n_rows, int64_t n,
                        int64_t stride, int64_t g_stride, const optimizer_t *optimizer);
    /* mean (n) += rest (w - mean), a moving average of parameters w. Overwrites: mean. */
    void (*average)(void *mean, const void *w, int64_t n, double rest);
    /* out (n_columns, out_stride) = x^T for x (n_rows, x_stride); strides are padded, and so are, with
     * zeros, the rows of out. */
    void (*transpose)(void *out, const void *x, int64_t n_rows, int64_t n_columns, int64_t out_stride,
                      int64_t x_stride);

    /* z (n_units, stride) = weight (n_units, weight_stride) x^T for these rows of x; padded with zeros. */
    void (*sparse_forward)(void *z, const void *weight, const csr_t *x, const int64_t *rows, int64_t n_units,
                           int64_t n_samples, int64_t stride, int64_t weight_stride);
    /* g (n_columns) += d (n_samples) times these rows of x, the gradient of one unit's weights. */
    void (*sparse_gradient)(void *g, const void *d, const csr_t *x, const int64_t *rows, int64_t n_samples);
} kernels_t;

/* cpu.c */
isa_t fastmlp_best_isa(void);
const char *fastmlp_isa_name(isa_t isa);
int fastmlp_isa_available(isa_t isa);
const kernels_t *fastmlp_kernels(isa_t isa, dtype_t dtype); /* NULL where it is not available */
const char *fastmlp_compiler(void);
uint64_t fastmlp_flush_denormals(void); /* returns what fastmlp_restore_denormals takes */
void fastmlp_restore_denormals(uint64_t state);
double fastmlp_seconds(void); /* a monotonic clock */

/* random.c */
void fastmlp_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);
/* Fisher and Yates, from the end: of n elements the last but i changes places with that at swap_place(i, n). */
void fastmlp_shuffle(int64_t *order, int64_t n, uint64_t seed, uint64_t epoch);
int64_t fastmlp_swap_place(int64_t i, int64_t n, uint64_t seed, uint64_t epoch);

/* augment.c */
size_t fastmlp_source_size(source_type_t type); /* of one element */
/* out (n_rows, n_columns), contiguous and of the source's type: the chosen rows, changed by what is drawn for
 * this step and the places in the batch that begin with first_position. */
void fastmlp_augment(void *out, const source_t *source, const int64_t *rows, int64_t n_rows,
                     const augmentation_t *augmentation, const random_t *random, int64_t first_position);

#endif
