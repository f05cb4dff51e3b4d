/* layers.h: what one training step passes to the three matrix operations, whoever implements them. */
#ifndef FASTMLP_LAYERS_H
#define FASTMLP_LAYERS_H

#include "fastmlp.h"
#include "team.h"

typedef enum { NORM_NONE, NORM_BATCH, NORM_LAYER } norm_t;

/* A dense layer: outputs = activation(scale (weight inputs) + bias). Every pointer is into memory that the
 * plan laid out before the first step. */
typedef struct {
    int64_t n_in, n_out;
    /* What the operations apply: this layer's activation, and that of the layer which made the inputs,
     * identity for the data. */
    activation_t activation, input_activation;
    double activation_parameter, input_parameter; /* leaky_relu's slope or elu's alpha */
    int64_t weight_stride;    /* from row to row, padded; the padding is zero and stays zero */
    void *weight;             /* (n_out, weight_stride) row-major */
    void *d_weight;           /* its gradient, the same shape */
    void *moment_weight[2];   /* the solver's; unused ones are NULL */
    const void *scale, *bias; /* (n_out); scale may be NULL: all ones. In training never anything else. */
    const void *inputs;       /* (n_in, stride); NULL for BLAS's first layer */
    const void *inputs_rows;  /* (n_samples, weight_stride), the same transposed; NULL for BLAS's others */
    void *outputs;            /* (n_out, stride) */
    /* activation'(z) of this layer and of the one which made the inputs, (n_out, stride) and (n_in, stride), in
     * training where the outputs do not tell it (activations.inc.c); else NULL. */
    void *slopes;
    const void *input_slopes;
    void *d_outputs; /* (n_out, stride), before this layer's activation */
    void *d_inputs;  /* (n_in, stride), before input_activation; may be NULL */
    /* For products in bfloat16 (bfloat16.h): this layer's forms and its neighbours', or NULL. */
    struct bf16_layer *forms, *forms_above, *forms_below;

    /* The rest is the walk's own (engine/finish.pyx): what it does to the outputs when the operations are done.
     * Then what they apply is the identity, and where it normalises also their bias is zero. */
    int is_plain; /* nothing */
    norm_t norm;  /* first it normalises: batch normalisation, by the running statistics if norm_is_fixed, */
    int norm_is_fixed;
    void *normed, *inverse;       /* (n_out, stride); (n_out), or for layer normalisation (stride) */
    void *mean, *variance;        /* the running ones, (n_out) */
    activation_t late_activation; /* then it applies this, */
    double dropout;               /* and then it drops this share of the outputs, */
    void *factors;                /* multiplying them by these, (n_out, stride); NULL: it drops none */
    void *undropped; /* (n_out, stride): before that, where late_activation has to know; else NULL */
    uint32_t stream; /* of random numbers */
    /* The vectors of (n_out) that are learned, `vector_stride` apart: the biases, then for a normalisation its
     * scales, then PReLU's slopes; their gradients and the solver's moments. */
    int64_t n_vectors, vector_stride;
    void *vectors, *d_vectors, *moment_vectors[2];
    void *norm_scale, *d_norm_scale, *prelu_slope, *d_prelu_slope;
    /* In predictions a batch normalisation is this scale and bias (n_out), which the walk makes of the vectors. */
    void *folded_scale, *folded_bias;
    int is_trainable;
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
    const int64_t *rows; /* of the data; a sparse first layer reads them itself */
    int accumulate;      /* linear_update adds to the gradient and leaves the weights alone */
    optimizer_t optimizer;
    prefetch_t *ahead;    /* may be NULL */
    random_t random;      /* its stream is each layer's */
    double norm_momentum; /* of running statistics; 0: they stay */
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
