/* fastmlp.h: what the Cython side sees of the C core.
 *
 * Design. Activations are feature-major: (features, samples), samples contiguous, `stride` elements
 * from one feature to the next, stride a multiple of LANES. Elementwise kernels run over whole groups
 * of LANES samples, so that they have no remainder loop; what they compute beyond the last sample is
 * never read. Sums over samples take exactly n_samples, in LANES partial sums and one fixed tree,
 * on every instruction set: the bits do not depend on the width of the vectors.
 *
 * Every kernel exists once per instruction set and type; kernels.def lists them.
 * Arguments come in the order outputs, inputs, sizes, scalars. No kernel allocates.
 */
#ifndef FASTMLP_H
#define FASTMLP_H

#include <stddef.h>
#include <stdint.h>

enum { LANES = 16 };

typedef enum { DTYPE_F32, DTYPE_F64 } dtype_t;
typedef enum { SOURCE_U8, SOURCE_F32, SOURCE_F64 } source_type_t;
typedef int isa_t; /* from 0 to fastmlp_n_isas(), the best instruction set last; see cpu.c */

/* What there is by name: each list stands with the kernels that know its members. */
#include "kernels/activations.h"
#include "kernels/losses.h"
#include "kernels/optimizers.h"

typedef enum {
#define ACTIVATION(CODE, name) ACTIVATION_##CODE,
    ACTIVATIONS
#undef ACTIVATION
} activation_kind_t;

typedef enum {
#define LOSS(CODE, name) LOSS_##CODE,
    LOSSES
#undef LOSS
} loss_kind_t;

typedef enum {
#define SOLVER(CODE, name) SOLVER_##CODE,
    SOLVERS
#undef SOLVER
} solver_t;

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

/* What tells a draw, but the unit or feature and the sample, from all others (random.h). */
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

/* An activation, and leaky_relu's slope or elu's alpha. */
typedef struct {
    activation_kind_t kind;
    double parameter;
} activation_t;

/* A loss, and its own numbers: the label smoothing, delta or the quantiles; those of the others are not read. */
typedef struct {
    loss_kind_t kind;
    const double *numbers;
    int64_t n_numbers;
} loss_t;

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

/* Whether the gradient is taken as it is, but for l2: the usual case, for which products have steps of their own. */
static inline int fastmlp_is_plain(const optimizer_t *optimizer)
{
    return optimizer->l1 == 0 && optimizer->scale == 1 && optimizer->clip == 0;
}

/* cpu.c */
int fastmlp_n_isas(void); /* compiled for this family of processors */
const char *fastmlp_isa_name(isa_t isa);
int fastmlp_isa_available(isa_t isa);
int fastmlp_has_bfloat16(void); /* products in bfloat16, see isa/avx512_bf16.c */
const char *fastmlp_compiler(void);
uint64_t fastmlp_flush_denormals(void); /* returns what fastmlp_restore_denormals takes */
void fastmlp_restore_denormals(uint64_t state);
double fastmlp_seconds(void); /* a monotonic clock */

/* names.c: what the codes stand for; NULL for one that there is not. */
const char *fastmlp_activation_name(int code);
const char *fastmlp_loss_name(int code);
const char *fastmlp_solver_name(int code);

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
