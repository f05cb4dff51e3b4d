/* walk.h: what one training step passes to the three matrix operations, whoever implements them. */
#ifndef FASTMLP_WALK_H
#define FASTMLP_WALK_H

#include "fastmlp.h"
#include "team.h"

/* A dense layer: outputs = activation(weight inputs + bias). Every pointer is into memory that the
 * plan laid out before the first step. */
typedef struct {
    int64_t n_in, n_out;
    /* What the operations apply: this layer's activation, and that of the layer which made the inputs,
     * identity for the data. Softmax, which looks across units, is the walk's: identity here. */
    activation_t activation, input_activation;
    double activation_parameter, input_parameter; /* leaky_relu's slope or elu's alpha */
    int is_softmax;
    int64_t weight_stride;         /* from row to row, padded; the padding is zero and stays zero */
    void *weight, *bias;           /* (n_out, weight_stride) row-major; (n_out) */
    void *d_weight, *d_bias;       /* their gradients, the same shapes */
    void *moment_weight[2], *moment_bias[2]; /* the solver's; unused ones are NULL */
    const void *inputs;      /* (n_in, stride); NULL for BLAS's first layer */
    const void *inputs_rows; /* (n_samples, weight_stride), the same transposed; NULL for BLAS's others */
    void *outputs;           /* (n_out, stride) */
    /* activation'(z) of this layer and of the one which made the inputs, (n_out, stride) and (n_in, stride), in
     * training where the outputs do not tell it (activations.inc.c); else NULL. */
    void *slopes;
    const void *input_slopes;
    void *d_outputs;         /* (n_out, stride), before this layer's activation */
    void *d_inputs;          /* (n_in, stride), before input_activation; may be NULL */
    /* For products in bfloat16 (bfloat16.h): this layer's forms and its neighbours', or NULL. */
    struct bf16_layer *forms, *forms_above, *forms_below;
} layer_t;

/* A member's share of the next batch, which it begins to fetch while it updates this one: a shuffled row is
 * far away. */
typedef struct {
    const source_t *source;
    const int64_t *rows;
    int64_t n_rows, n_lines; /* cache lines in all; 0 if the rows are not contiguous */
    int64_t row, byte;       /* where it is */
} prefetch_t;

/* One batch. */
typedef struct {
    dtype_t dtype;
    const kernels_t *kernels;
    int64_t n_samples, stride;
    int accumulate; /* linear_update adds to the gradient and leaves the weights alone */
    optimizer_t optimizer;
    uint64_t n_steps; /* that the solver has made before this one */
    prefetch_t *ahead; /* may be NULL */
} step_t;

/* The three matrix operations, each with what belongs to it: an implementation fills this table. Every
 * member of a team calls it for its share of the rows of the result; BLAS has teams of one. */
typedef struct {
    /* outputs = activation(weight inputs + bias) */
    void (*linear_forward)(const layer_t *layer, const step_t *step, const member_t *member);
    /* d_inputs = (weight^T d_outputs) * input_activation'(inputs) */
    void (*linear_backward)(const layer_t *layer, const step_t *step, const member_t *member);
    /* d_weight = d_outputs inputs^T, then the solver's step; the biases are the walk's */
    void (*linear_update)(const layer_t *layer, const step_t *step, const member_t *member);
    /* For an implementation that reads forms of its own, else NULL: what the walk made or changed, namely the
     * first layer's inputs_rows (the member's strips), a layer's outputs, d_outputs or weights (its units). */
    void (*inputs_changed)(const layer_t *layer, const step_t *step, const member_t *member);
    void (*outputs_changed)(const layer_t *layer, const step_t *step, const member_t *member);
    void (*gradient_changed)(const layer_t *layer, const step_t *step, const member_t *member);
    void (*weights_changed)(const layer_t *layer, const step_t *step, const member_t *member);
} operations_t;

/* cpu.c: our own kernels for an instruction set; NULL where it is not available. */
const operations_t *fastmlp_tile_operations(isa_t isa, dtype_t dtype);

/* bfloat16.c: mixed precision, for float32 layers; NULL where the processor has no AVX512_BF16. */
const operations_t *fastmlp_bfloat16_operations(void);

#endif
