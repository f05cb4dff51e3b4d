/* operations.h: what a layer is made of, and what a pass hands to each part.
 *
 * Design. A layer is a list of operations: the product, a normalisation, an activation and so on. Each has up
 * to three passes, forward, backward and update. A pass is a function that does one block of the work; beside
 * it stands how the work is shared among the threads of a team, and what the pass reads. From these program.c
 * works out, once, in what order everything runs and where all threads wait for each other. The walk is then a
 * loop that knows nothing about layers.
 *
 * An operation's own struct holds pointers into memory that the plan laid out before the first batch. Matrices
 * are feature-major, (n_units, stride); `batch->stride` is the stride of all of them.
 */
#ifndef FASTMLP_OPERATIONS_H
#define FASTMLP_OPERATIONS_H

#include "fastmlp.h"
#include "team.h"

typedef struct kernels kernels_t;

/* A member's share of the next batch, which it begins to fetch while it updates this one: a shuffled row is far
 * away. */
typedef struct {
    const source_t *source;
    const int64_t *rows;
    int64_t n_rows, n_lines; /* cache lines in all; 0 if the rows are not contiguous */
    int64_t row, byte;       /* where it is */
} prefetch_t;

/* One batch. Each member of a team has a copy of its own. */
typedef struct {
    dtype_t dtype;
    const kernels_t *kernels;
    int64_t n_samples, stride;
    const int64_t *rows; /* of the data */
    int accumulate;      /* updates add to the gradient and leave the parameters alone */
    optimizer_t optimizer;
    prefetch_t *ahead;    /* may be NULL */
    random_t random;      /* its stream is each operation's */
    double norm_momentum; /* of running statistics; 0: they stay */
    double weight;        /* what the gradient of the samples' losses is multiplied by */
    int is_finite;        /* whether the inputs that this member has read are */
} batch_t;

/* Some units of a layer and some samples of a batch: what one member of a team does of an operation. */
typedef struct {
    int64_t unit, n_units, sample, n_samples;
    int64_t member; /* whose it is, for memory of its own */
} block_t;

/* How a pass is shared. */
typedef enum {
    BY_UNITS,  /* some units, all samples */
    BY_PAIRS,  /* the same, units in twos: bfloat16 */
    BY_STRIPS, /* all units, some strips of LANES samples */
    BY_EITHER, /* elementwise: units or strips, as the operation before it */
} sharing_t;

/* What a pass reads of the matrix that runs through the operations (outputs forward, gradients backward). */
typedef enum {
    READS_OWN,  /* the elements of its block, which it may overwrite */
    READS_ALL,  /* any element, also those that other members have written */
    READS_NONE, /* nothing of it */
} access_t;

/* What a member does of an operation in one pass. */
typedef void (*work_t)(const void *operation, batch_t *batch, const block_t *block);

typedef struct {
    work_t run; /* NULL: nothing to do */
    sharing_t sharing;
    access_t reads;
    int makes_matrix; /* what runs on is another matrix, of which each member has written its block */
} pass_t;

/* A kind of operation. An update comes when all members are done with the backward pass: it changes the
 * parameters that this pass reads. `refresh` is for what is derived from parameters that somebody else changed. */
typedef struct {
    pass_t forward, backward, update, refresh;
} operation_type_t;

/* An operation of a network. */
typedef struct {
    const operation_type_t *type;
    const void *self;
    int64_t n_units, n_inputs; /* what its passes share; n_inputs the backward one */
    int is_trainable;          /* else it has no update */
    int passes_gradient;       /* else it has no backward pass: no operation before it learns */
} operation_t;

/* One entry of the program that a walk runs. */
typedef struct {
    work_t run;
    const void *self;
    sharing_t sharing;
    int64_t n_units;
    int waits; /* all members wait for each other before it */
} stage_t;

/* program.c: make the stages of the forward passes, of the backward passes and updates, or of the refreshes, of
 * which there are at most n, 2 n and n; return how many. */
int64_t fastmlp_plan_forward(stage_t *stages, const operation_t *operations, int64_t n);
int64_t fastmlp_plan_backward(stage_t *stages, const operation_t *operations, int64_t n);
int64_t fastmlp_plan_refresh(stage_t *stages, const operation_t *operations, int64_t n);
/* Run them: every member of a team calls this. */
void fastmlp_run_stages(const stage_t *stages, int64_t n, batch_t *batch, const member_t *member);

/* The samples of a member's share, in whole strips of LANES. */
static inline int64_t strip_begin(int64_t n_samples, const member_t *member)
{
    const int64_t begin = LANES * share_begin((n_samples + LANES - 1) / LANES, member);
    return begin < n_samples ? begin : n_samples;
}

static inline int64_t strip_end(int64_t n_samples, const member_t *member)
{
    const int64_t end = LANES * share_end((n_samples + LANES - 1) / LANES, member);
    return end < n_samples ? end : n_samples;
}

/* Parameters of a layer: a matrix of weights with a row for each unit, or a vector. */
typedef struct {
    void *value, *gradient, *moments[2]; /* the solver's moments; those that it has not are NULL */
    int64_t stride;                      /* elements for each unit: those of a row, padded with zeros, or 1 */
    int is_penalised;
} learned_t;

/* All that a layer learns, the weights first; most layers have less than four. */
typedef struct {
    int64_t n_units, n_learned;
    const learned_t *learned[4];
    int is_trainable;
} parameters_t;

/* Reading a batch: rows of the user's data, converted, prepared and disturbed, into `rows` (n_samples,
 * row_stride), sample by sample, and `columns` (n_features, stride), transposed, which may be NULL. */
typedef struct {
    source_t source;
    preparation_t preparation;
    int64_t n_features, row_stride;
    void *rows, *columns;
    int keeps_rows; /* of the whole batch; else of one strip at a time, which takes one thread */
    int is_checked; /* batch->is_finite is set */
    int in_place;   /* the data are as the kernels read them, row after row: nothing to convert */
    double noise, dropout;
    augmentation_t augmentation;
    void
        *augmented; /* rows of one strip for each member, in the source's type; NULL: they stay as they are */
    const int64_t *in_order; /* 0, 1, 2, ...: the rows of a strip */
} gather_t;

/* Point `ahead` at the member's share of a batch that comes next. */
static inline void fastmlp_look_ahead(prefetch_t *ahead, const gather_t *gather, const member_t *member,
                                      const int64_t *rows, int64_t n_samples)
{
    const source_t *source = &gather->source;
    const int64_t begin = strip_begin(n_samples, member);
    *ahead =
        (prefetch_t){.source = source, .rows = rows + begin, .n_rows = strip_end(n_samples, member) - begin};
    if (source->column_stride > 0 && source->column_stride <= 8)
        ahead->n_lines = ahead->n_rows * (source->n_columns * source->column_stride / 64 + 1);
}

/* A product: outputs = activation(scale (weight inputs) + bias). `weight` is (n_out, weight.stride). */
typedef struct {
    int64_t n_in, n_out;
    learned_t weight;
    const void *scale, *bias; /* (n_out); scale may be NULL: all ones. In training never anything else. */
    activation_t activation;  /* what it applies to its outputs */
    activation_t input_activation; /* what was applied to its inputs: identity for the data */
    const void *inputs;            /* (n_in, stride); NULL for BLAS's first layer */
    const void *inputs_rows; /* (n_samples, weight.stride), the same transposed; NULL for BLAS's others */
    void *outputs;           /* (n_out, stride) */
    /* activation'(z) of the outputs and of the inputs, like them, in training where the value does not tell it
     * (activations.h); else NULL. */
    void *slopes;
    const void *input_slopes;
    void *d_outputs; /* (n_out, stride), before the activation */
    void *d_inputs;  /* (n_in, stride), before input_activation; may be NULL */
} linear_t;

/* A product with sparse inputs, which it reads itself. */
typedef struct {
    linear_t linear;
    csr_t x;
} sparse_linear_t;

/* The transposition of a product's inputs (n, stride) into `rows` (n_samples, row_stride), for its update. */
typedef struct {
    const void *inputs;
    void *rows;
    int64_t n, row_stride;
} transposition_t;

/* The bias of a product, which applies it: its gradient and its step. */
typedef struct {
    learned_t bias;
    const void *d_outputs;
} bias_t;

/* An activation that the product does not apply itself. */
typedef struct {
    activation_t activation;
    void *outputs, *slopes, *d_outputs; /* slopes: see linear_t */
    const void *y;                      /* the outputs as the way back wants them: before dropout */
} activation_operation_t;

typedef struct {
    void *outputs, *d_outputs;
    void *factors, *undropped; /* like outputs; undropped, which may be NULL, is them as they were */
    double rate;
    uint32_t stream; /* of random numbers */
} dropout_t;

/* The losses of a batch and the gradient of their sum. */
typedef struct {
    loss_t loss;
    int64_t n_outputs;
    const void *outputs;
    void *d_outputs;
    const int32_t *labels; /* a number for each row of the data, or NULL and: */
    source_t targets;
    preparation_t preparation;
    source_t sample_weight; /* a number for each row of the data; its data NULL: all are 1 */
    void *batch_targets, *batch_weights, *losses; /* (n_outputs, stride); (stride) */
} objective_t;

/* The kernels and the operations of one instruction set and type. */
struct kernels {
#define KERNEL(type, name, arguments) type(*name) arguments;
#define OPERATION(name)
#include "kernels.def"
#undef KERNEL
#undef OPERATION
};

typedef struct {
#define KERNEL(type, name, arguments)
#define OPERATION(name) const operation_type_t *name;
#include "kernels.def"
#undef KERNEL
#undef OPERATION
} operations_t;

/* cpu.c: NULL where the instruction set is not available. */
const kernels_t *fastmlp_kernels(isa_t isa, dtype_t dtype);
const operations_t *fastmlp_operations(isa_t isa, dtype_t dtype);

#endif
