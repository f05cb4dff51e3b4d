/* bfloat16.h: the bfloat16 forms of a layer's matrices, and the operations on them.
 *
 * The dot-product instruction takes two neighbours along the summed index at a time, so every bfloat16
 * matrix here is one of pairs: 32 bits, the earlier element in the low half, zero where an odd number
 * leaves no second. There are two layouts:
 *   rows    (n_rows, n_columns / 2), what is read by broadcast: the pairs lie along the row;
 *   panels  (n_columns / 32, n_pairs, 32), what is read as vectors: 32 columns of all pairs of rows lie
 *           together, so that a tile reads one contiguous stream (no row stride can be a bad one).
 */
#ifndef FASTMLP_BFLOAT16_H
#define FASTMLP_BFLOAT16_H

#include "walk.h"

typedef uint32_t pair_t;

enum { PANEL = 32 };

/* The pairs in panels of n_pairs by n_columns. */
static inline int64_t bf16_panels_size(int64_t n_pairs, int64_t n_columns)
{
    return (n_columns + PANEL - 1) / PANEL * PANEL * n_pairs;
}

/* What a layer adds to layer_t. Everything is aligned to 64 bytes and zero at first. */
typedef struct bf16_layer {
    pair_t *weight;          /* rows (n_out, weight_stride / 2): pairs of inputs */
    pair_t *weight_backward; /* panels (n_out / 2, weight_stride): pairs of units; NULL for the first layer */
    /* Read, and written by whoever made the inputs and the gradient. */
    pair_t *inputs;          /* panels (n_in / 2, stride): pairs of features */
    pair_t *inputs_samples;  /* panels (stride / 2, weight_stride): pairs of samples */
    pair_t *d_outputs;       /* panels (n_out / 2, stride): pairs of units; NULL for the first layer */
    pair_t *d_outputs_rows;  /* rows (n_out, stride / 2): pairs of samples */
} bf16_layer_t;

/* All work on the units (rows of the result) from begin to end; begin is even, and so is end unless it is
 * the last. What a member of a team writes about its units is its own, but for single 32-bit elements of a
 * cache line at the ends of its share. */

/* outputs = activation(weight inputs + bias) in float32, and, unless `above` is NULL, the forms that this
 * layer above reads. Other activations than ReLU are taken for identity: pass NULL, apply the activation
 * to the outputs and call bf16_pack_outputs. */
void bf16_forward(const layer_t *layer, const bf16_layer_t *forms, const bf16_layer_t *above,
                  const step_t *step, int64_t begin, int64_t end);
void bf16_pack_outputs(const layer_t *layer, const bf16_layer_t *above, const step_t *step, int64_t begin,
                       int64_t end);

/* d_inputs = (weight^T d_outputs) * relu'(inputs) in float32, and, unless `below` is NULL, the forms that
 * this layer below reads. Other derivatives are left out: pass NULL, multiply by the derivative and call
 * bf16_pack_d_outputs for the layer below; the same after the loss, for the last layer. Beyond the last
 * sample, d_outputs are zero. */
void bf16_backward(const layer_t *layer, const bf16_layer_t *forms, const bf16_layer_t *below,
                   const step_t *step, int64_t begin, int64_t end);
void bf16_pack_d_outputs(const layer_t *layer, const bf16_layer_t *own, const step_t *step, int64_t begin,
                         int64_t end);

/* d_weight = d_outputs inputs^T, the solver's step on the float32 weights, and their bfloat16 copies; or
 * with step->accumulate, d_weight += d_outputs inputs^T alone. Biases are the caller's. */
void bf16_update(const layer_t *layer, const bf16_layer_t *forms, const step_t *step, int64_t begin,
                 int64_t end);
/* The bfloat16 copies of the weights, whenever anything else has changed these. */
void bf16_round_weights(const layer_t *layer, const bf16_layer_t *forms, int64_t begin, int64_t end);

/* The forms of the first layer's inputs, for the samples from begin to end, from x (end - begin,
 * weight_stride). Here begin is a multiple of LANES, and so is end unless it is the last: gathering and
 * packing 16 rows at a time never leaves the first cache. */
void bf16_pack_inputs(const layer_t *layer, const bf16_layer_t *own, const step_t *step, const float *x,
                      int64_t begin, int64_t end);

#endif
