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

#include "layers.h"

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
    pair_t *inputs;         /* panels (n_in / 2, stride): pairs of features */
    pair_t *inputs_samples; /* panels (stride / 2, weight_stride): pairs of samples */
    pair_t *d_outputs;      /* panels (n_out / 2, stride): pairs of units; NULL for the first layer */
    pair_t *d_outputs_rows; /* rows (n_out, stride / 2): pairs of samples */
} bf16_layer_t;

#endif
