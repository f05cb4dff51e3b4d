/* bfloat16.h: products in bfloat16, and the copies of matrices in that type.
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

#include "operations.h"

typedef uint32_t pair_t;

enum { PANEL = 32 };

/* A product in bfloat16. Its copies are aligned to 64 bytes and zero at first. */
typedef struct bf16_linear {
    linear_t linear;         /* first: an operation that knows this part only may be given the whole */
    pair_t *weight;          /* rows (n_out, weight.stride / 2): pairs of inputs */
    pair_t *weight_backward; /* panels (n_out / 2, weight.stride): pairs of units; NULL for the first layer */
    /* Read by this product, and written by whoever made the inputs and the gradient. */
    pair_t *inputs;         /* panels (n_in / 2, stride): pairs of features */
    pair_t *inputs_samples; /* panels (stride / 2, weight.stride): pairs of samples */
    pair_t *d_outputs;      /* panels (n_out / 2, stride): pairs of units; NULL for the first layer */
    pair_t *d_outputs_rows; /* rows (n_out, stride / 2): pairs of samples */
    const struct bf16_linear *above, *below; /* its neighbours, or NULL */
    /* Whether it copies, on the way, what the layer above reads of its outputs, or the layer below of its d_inputs;
     * else other operations change these first, and a pack operation copies them then. */
    int packs_outputs, packs_gradient;
} bf16_linear_t;

/* Each has a bf16_linear_t; pack_outputs and pack_gradient, those of the product that they follow in the list. */
typedef struct {
    const operation_type_t *linear;
    const operation_type_t *pack_inputs;   /* the gathered batch, for the first product */
    const operation_type_t *pack_outputs;  /* a product's outputs, for the one above */
    const operation_type_t *pack_gradient; /* a product's d_outputs, for itself */
} bf16_operations_t;

/* isa/avx512_bf16.c: for float32 layers; NULL where fastmlp_has_bfloat16() is false. */
const bf16_operations_t *fastmlp_bfloat16_operations(void);

#endif
