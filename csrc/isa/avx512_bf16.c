/* avx512_bf16.c: mixed-precision training for processors with AVX512_BF16.
 *
 * Design. Weights, biases, the solver's moments, outputs and gradients stay float32; only what enters a
 * product is bfloat16, rounded to nearest even, and the sums are float32. One instruction multiplies 32
 * pairs and adds each two products to a sum: twice the arithmetic of float32, at half the traffic.
 *
 * As in kernels/tiles.h, one kernel serves all three products C (m, n) = A (m, k) B (k, n): a tile of up to 12 x 2
 * vectors of C stays in registers for the whole sum over k, elements of A are read by broadcast where they
 * lie, and what belongs to the product happens to the sums before they are stored. But here k advances by
 * pairs, so each product wants its operands with pairs along its own summed index (bfloat16.h):
 *
 *   forward   z (n_out, samples)  = W              x              pairs of features
 *   backward  d_x (n_in, samples) = W^T            d_y            pairs of units
 *   update    d_W (n_out, n_in)   = d_y            x^T            pairs of samples
 *              A: weight, weight_backward, d_outputs_rows;  B: inputs, d_outputs, inputs_samples
 *
 * The update ends with the solver's step on the float32 weights and rounds both copies of W from it. It is
 * bound by memory (weight, velocity and copies pass once through the first cache), hence the prefetches.
 *
 * Each element is one chain of the same instructions in the order of k, so the bits depend neither on the
 * number of threads nor on the shape of the tiles. They agree with float32 kernels to rounding only.
 */
#include "isa/begin.h"

#if defined(__x86_64__)
#include "bfloat16.h"

#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(                                                               \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prfchw"), \
                   min_vector_width(512))),                                                 \
    apply_to = function)
#else
TARGET_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prfchw,prefer-vector-width=512")
#endif

#include "kernels/bf16_tiles.h"

/* The tiles of the rows from begin to end, along the columns. */
INLINE void band(product_t *product, int64_t begin, int64_t end, int64_t column, int64_t column_end,
                 tile_t *tile_)
{
    const int rows = (int)(end - begin), lone = rows > 1 && rows % 2;
    for (; column < column_end; column += PANEL) {
        const int vectors = column_end - column > VECTOR ? 2 : 1;
        tile_(product, begin, column, rows - lone, vectors);
        if (lone)
            tile_(product, end - 1, column, 1, vectors);
        product->next_a += (uintptr_t)(64 * rows * product->n_next_a);
    }
}

/* All tiles of the rows from begin to end and of n columns, padded to LANES. Bands of up to TILE_ROWS rows
 * run along the columns: the band's part of A stays in the first cache while B streams from the second. B
 * is taken in blocks of columns that stay there. The rows are dealt out evenly, in twos: 50 are five
 * bands of 10, not four of 12 and one of 2. With panels in A, a band ends where a panel does. */
INLINE void tiles(product_t *product, int64_t begin, int64_t end, int64_t n_columns, tile_t *tile_)
{
    const int64_t panel_bytes = product->n_k * PANEL * (int64_t)sizeof(pair_t);
    const int64_t n_panels = (n_columns + PANEL - 1) / PANEL;
    const int64_t n_blocks = (n_panels * panel_bytes + BLOCK_BYTES - 1) / BLOCK_BYTES;
    const int64_t block = (n_panels + n_blocks - 1) / n_blocks * PANEL;
    for (int64_t column = 0; column < n_columns; column += block) {
        const int64_t column_end = n_columns - column < block ? n_columns : column + block;
        const int64_t n_tiles = (column_end - column + PANEL - 1) / PANEL;
        for (int64_t part = begin, part_end; part < end; part = part_end) {
            part_end = product->a_panel ? (part / PANEL + 1) * PANEL : end;
            part_end = part_end < end ? part_end : end;
            const int64_t n_pairs = (part_end - part + 1) / 2;
            const int64_t n_bands = (2 * n_pairs + TILE_ROWS - 1) / TILE_ROWS;
            for (int64_t i = 0; i < n_bands; i++) {
                const int64_t row = part + 2 * (n_pairs * i / n_bands);
                const int64_t next = part + 2 * (n_pairs * (i + 1) / n_bands);
                const int64_t row_end = next < part_end ? next : part_end;
                /* The next rows of A, or this band's share of its next panel, spread over the tiles. */
                const int64_t next_a = product->a_panel ? (part / PANEL + 1) * product->a_panel +
                                                              i * (product->a_panel / n_bands)
                                                        : row_end * product->a_row;
                const int64_t n_next =
                    product->a_panel ? product->a_panel / n_bands : (row_end - row) * product->a_row;
                const int64_t n_prefetches = n_tiles * (row_end - row);
                product->next_a = (uintptr_t)product->a + (uintptr_t)next_a * sizeof *product->a;
                product->n_next_a =
                    part_end < end || row_end < end ? (n_next / VECTOR + n_prefetches - 1) / n_prefetches : 0;
                band(product, row, row_end, column, column_end, tile_);
            }
        }
    }
}

/* The tiles of a block's units and of all samples, or inputs. */
INLINE void tiles_of_block(product_t *product, const block_t *block, int64_t n_columns, tile_t *tile_)
{
    tiles(product, block->unit, block->unit + block->n_units, whole_lanes(n_columns), tile_);
}

/* The copies of a float32 matrix x (n_rows, x_stride), for its rows from begin to end, all at once while they
 * are in registers; those not wanted are NULL.
 *   across  panels (n_across, n_columns): pairs of one row and the next, interleaved;
 *   along   panels (n_along, n_rows): pairs of one column and the next, transposed;
 *   rows    rows (n_rows, row_pairs): pairs along the rows, as they lie.
 * Columns come in whole groups of LANES; the last rows are followed by zeros up to whole groups of LANES. */
typedef struct {
    pair_t *across, *along, *rows;
    int64_t n_across, n_along, row_pairs;
} copies_t;

INLINE void pack_block(const copies_t *copies, const float *x, int64_t row, int64_t column, int64_t begin,
                       int64_t end, int64_t n_rows, int64_t x_stride, const int vectors)
{
    __m512i r[16];
    UNROLL
    for (int i = 0; i < 16; i++) {
        const float *from = x + (row + i - begin) * x_stride + column;
        r[i] = row + i >= begin && row + i < end
                   ? round_32(_mm512_loadu_ps(from), _mm512_loadu_ps(from + (vectors - 1) * VECTOR))
                   : _mm512_setzero_si512();
    }
    if (copies->across) {
        pair_t *out = copies->across + (column / PANEL * copies->n_across + row / 2) * PANEL;
        UNROLL
        for (int i = 0; i < 16; i += 2)
            if (row + i >= begin && row + i < end)
                store_pairs(out + i / 2 * PANEL, r[i], r[i + 1], vectors);
    }
    if (copies->rows) {
        UNROLL
        for (int i = 0; i < 16; i++)
            if (row + i >= begin && row + i < end)
                store_row(copies->rows + (row + i) * copies->row_pairs + column / 2, r[i], vectors);
    }
    if (copies->along) {
        pair_t *out = copies->along + (row / PANEL * copies->n_along + column / 2) * PANEL + row % PANEL;
        const int64_t first = begin > row ? begin - row : 0;
        const int64_t last = end < n_rows && end - row < 16 ? end - row : 16;
        const __mmask16 mask = (__mmask16)((1u << last) - (1u << first));
        transpose_pairs(r);
        UNROLL
        for (int i = 0; i < 8 * vectors; i++)
            if (column / 2 + i < copies->n_along)
                _mm512_mask_storeu_epi32(out + i * PANEL, mask, r[i]);
    }
}

static NOINLINE void pack(const copies_t *copies, const float *x, int64_t begin, int64_t end, int64_t n_rows,
                          int64_t n_columns, int64_t x_stride)
{
    for (int64_t row = begin & ~(int64_t)15; row < end; row += 16) {
        int64_t column = 0;
        for (; column + PANEL <= n_columns; column += PANEL)
            pack_block(copies, x, row, column, begin, end, n_rows, x_stride, 2);
        if (column < n_columns)
            pack_block(copies, x, row, column, begin, end, n_rows, x_stride, 1);
    }
}

static int is_fused(activation_t activation)
{
    return activation.kind == ACTIVATION_IDENTITY || activation.kind == ACTIVATION_RELU;
}

/* What the layer above reads of a block of the outputs. */
static void pack_outputs(const void *operation, batch_t *batch, const block_t *block)
{
    const bf16_linear_t *own = operation;
    const linear_t *linear = &own->linear;
    if (!own->above)
        return;
    const copies_t copies = {.across = own->above->inputs,
                             .n_across = (linear->n_out + 1) / 2,
                             .along = own->above->inputs_samples,
                             .n_along = batch->stride / 2};
    pack(&copies, (const float *)linear->outputs + block->unit * batch->stride, block->unit,
         block->unit + block->n_units, linear->n_out, whole_lanes(batch->n_samples), batch->stride);
}

/* What this product reads of a block of its d_outputs. */
static void pack_gradient(const void *operation, batch_t *batch, const block_t *block)
{
    const bf16_linear_t *own = operation;
    const linear_t *linear = &own->linear;
    const copies_t copies = {.across = own->d_outputs,
                             .n_across = (linear->n_out + 1) / 2,
                             .rows = own->d_outputs_rows,
                             .row_pairs = batch->stride / 2};
    pack(&copies, (const float *)linear->d_outputs + block->unit * batch->stride, block->unit,
         block->unit + block->n_units, linear->n_out, whole_lanes(batch->n_samples), batch->stride);
}

static void pack_inputs(const void *operation, batch_t *batch, const block_t *block)
{
    const bf16_linear_t *own = operation;
    const int64_t stride = own->linear.weight.stride;
    const copies_t copies = {.across = own->inputs_samples,
                             .n_across = batch->stride / 2,
                             .along = own->inputs,
                             .n_along = (own->linear.n_in + 1) / 2};
    if (block->n_samples > 0)
        pack(&copies, (const float *)own->linear.inputs_rows + block->sample * stride, block->sample,
             block->sample + block->n_samples, batch->n_samples, stride, stride);
}

/* outputs = activation(weight inputs + bias) in float32, and the copies that the layer above reads. */
static void bf16_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const bf16_linear_t *own = operation;
    const linear_t *linear = &own->linear;
    const int64_t n_k = (linear->n_in + 1) / 2;
    const bf16_linear_t *above = is_fused(linear->activation) && own->packs_outputs ? own->above : NULL;
    product_t product = {
        .a = own->weight,
        .a_row = linear->weight.stride / 2,
        .a_k = 1,
        .b = own->inputs,
        .b_panel = n_k * PANEL,
        .n_k = n_k,
        .c = linear->outputs,
        .c_row = batch->stride,
        .bias = linear->bias,
        .floor = linear->activation.kind == ACTIVATION_RELU ? 0 : -__builtin_inff(),
        .across = above ? above->inputs : NULL,
        .n_across = (linear->n_out + 1) / 2,
        .along = above ? above->inputs_samples : NULL,
        .n_along = batch->stride / 2,
    };
    tiles_of_block(&product, block, batch->n_samples, tile_activation);
    if (is_fused(linear->activation))
        return;
    const int64_t at = block->unit * batch->stride;
    float *slopes = linear->slopes;
    batch->kernels->activation_forward((float *)linear->outputs + at, slopes ? slopes + at : NULL, NULL, NULL,
                                       block->n_units, batch->n_samples, batch->stride, linear->activation);
    if (own->packs_outputs)
        pack_outputs(own, batch, block);
}

/* d_inputs = (weight^T d_outputs) * input_activation'(inputs) in float32, and the copies that the layer below reads.
 * Beyond the last sample, d_outputs are zero. */
static void bf16_backward(const void *operation, batch_t *batch, const block_t *block)
{
    const bf16_linear_t *own = operation;
    const linear_t *linear = &own->linear;
    const int64_t n_k = (linear->n_out + 1) / 2;
    const bf16_linear_t *below =
        is_fused(linear->input_activation) && own->packs_gradient ? own->below : NULL;
    product_t product = {
        .a = own->weight_backward,
        .a_row = 1,
        .a_k = PANEL,
        .a_panel = n_k * PANEL,
        .b = own->d_outputs,
        .b_panel = n_k * PANEL,
        .n_k = n_k,
        .c = linear->d_inputs,
        .c_row = batch->stride,
        .y = linear->input_activation.kind == ACTIVATION_RELU ? linear->inputs : NULL,
        .across = below ? below->d_outputs : NULL,
        .n_across = (linear->n_in + 1) / 2,
        .rows = below ? below->d_outputs_rows : NULL,
    };
    tiles_of_block(&product, block, batch->n_samples, tile_derivative);
    if (is_fused(linear->input_activation))
        return;
    const int64_t at = block->unit * batch->stride;
    const float *slopes = linear->input_slopes;
    batch->kernels->activation_backward((float *)linear->d_inputs + at, (const float *)linear->inputs + at,
                                        slopes ? slopes + at : NULL, block->n_units, batch->n_samples,
                                        batch->stride, linear->input_activation);
    if (own->packs_gradient && own->below)
        pack_gradient(own->below, batch, block);
}

/* The gradient, the solver's step on the float32 weights, and their bfloat16 copies. */
static void bf16_update(const void *operation, batch_t *batch, const block_t *block)
{
    const bf16_linear_t *own = operation;
    const linear_t *linear = &own->linear;
    const learned_t *weight = &linear->weight;
    const optimizer_t *optimizer = &batch->optimizer;
    const int is_sgd = optimizer->solver == SOLVER_SGD && weight->moments[0] && fastmlp_is_plain(optimizer) &&
                       optimizer->shrink == 1;
    float *into = batch->accumulate ? weight->gradient : weight->value;
    product_t product = {
        .a = own->d_outputs_rows,
        .a_row = batch->stride / 2,
        .a_k = 1,
        .b = own->inputs_samples,
        .b_panel = batch->stride / 2 * PANEL,
        .n_k = (batch->n_samples + 1) / 2,
        .c = into,
        .c_row = weight->stride,
        .w = into,
        .moment_1 = batch->accumulate ? NULL : weight->moments[0],
        .moment_2 = batch->accumulate ? NULL : weight->moments[1],
        .w_row = weight->stride,
        .copy = own->weight,
        .copy_backward = own->weight_backward,
        .n_backward = (linear->n_out + 1) / 2,
        .rate = (float)optimizer->learning_rate,
        .momentum = (float)optimizer->momentum,
        .l2 = (float)optimizer->l2,
        .nesterov = optimizer->nesterov,
        .own = own,
        .batch = batch,
    };
    tiles_of_block(&product, block, linear->n_in,
                   batch->accumulate ? tile_add
                   : is_sgd          ? tile_sgd
                                     : tile_solver);
}

/* Both copies of the weights, whenever anything else has changed these. */
static void bf16_refresh(const void *operation, batch_t *batch, const block_t *block)
{
    const bf16_linear_t *own = operation;
    const int64_t stride = own->linear.weight.stride, end = block->unit + block->n_units;
    (void)batch;
    for (int64_t row = block->unit; row < end; row += TILE_ROWS) {
        const int rows = end - row < TILE_ROWS ? (int)(end - row) : TILE_ROWS;
        int64_t column = 0;
        for (; column + PANEL <= stride; column += PANEL)
            round_block(own, row, column, rows, 2);
        if (column < stride)
            round_block(own, row, column, rows, 1);
    }
}

static const operation_type_t linear_operation = {
    .forward = {bf16_forward, BY_PAIRS, READS_ALL, 1},
    .backward = {bf16_backward, BY_PAIRS, READS_ALL, 1},
    .update = {bf16_update, BY_PAIRS, READS_OWN},
    .refresh = {bf16_refresh, BY_PAIRS, READS_NONE},
};
static const operation_type_t pack_inputs_operation = {.forward = {pack_inputs, BY_STRIPS, READS_OWN}};
static const operation_type_t pack_outputs_operation = {.forward = {pack_outputs, BY_PAIRS, READS_OWN}};
static const operation_type_t pack_gradient_operation = {.backward = {pack_gradient, BY_PAIRS, READS_OWN}};

END_TARGET_REGION
#else
#include "bfloat16.h"
#endif

const bf16_operations_t *fastmlp_bfloat16_operations(void)
{
#if defined(__x86_64__)
    static const bf16_operations_t operations = {&linear_operation, &pack_inputs_operation,
                                                 &pack_outputs_operation, &pack_gradient_operation};
    return fastmlp_has_bfloat16() ? &operations : NULL;
#else
    return NULL;
#endif
}
