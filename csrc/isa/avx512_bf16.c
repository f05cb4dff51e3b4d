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
#include "begin.h"

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
                 void (*tile_)(const product_t *, int64_t, int64_t, int, int))
{
    const int rows = (int)(end - begin), lone = rows > 1 && rows % 2;
    for (; column < column_end; column += PANEL) {
        const int vectors = column_end - column > VECTOR ? 2 : 1;
        tile_(product, begin, column, rows - lone, vectors);
        if (lone)
            tile_(product, end - 1, column, 1, vectors);
        product->next_a += 64 * rows * product->n_next_a;
    }
}

/* All tiles of the rows from begin to end and of n columns, padded to LANES. Bands of up to TILE_ROWS rows
 * run along the columns: the band's part of A stays in the first cache while B streams from the second. B
 * is taken in blocks of columns that stay there. The rows are dealt out evenly, in twos: 50 are five
 * bands of 10, not four of 12 and one of 2. With panels in A, a band ends where a panel does. */
INLINE void tiles(product_t *product, int64_t begin, int64_t end, int64_t n_columns,
                  void (*tile_)(const product_t *, int64_t, int64_t, int, int))
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
                const pair_t *next_a = product->a_panel ? product->a + (part / PANEL + 1) * product->a_panel +
                                                              i * (product->a_panel / n_bands)
                                                        : product->a + row_end * product->a_row;
                const int64_t n_next =
                    product->a_panel ? product->a_panel / n_bands : (row_end - row) * product->a_row;
                const int64_t n_prefetches = n_tiles * (row_end - row);
                product->next_a = (const char *)next_a;
                product->n_next_a =
                    part_end < end || row_end < end ? (n_next / VECTOR + n_prefetches - 1) / n_prefetches : 0;
                band(product, row, row_end, column, column_end, tile_);
            }
        }
    }
}

static void bf16_forward(const layer_t *layer, const bf16_layer_t *forms, const bf16_layer_t *above,
                         const step_t *step, int64_t begin, int64_t end)
{
    const int64_t n_k = (layer->n_in + 1) / 2;
    product_t product = {
        .a = forms->weight,
        .a_row = layer->weight_stride / 2,
        .a_k = 1,
        .b = forms->inputs,
        .b_panel = n_k * PANEL,
        .n_k = n_k,
        .c = layer->outputs,
        .c_row = step->stride,
        .bias = layer->bias,
        .floor = layer->activation == ACTIVATION_RELU ? 0 : -__builtin_inff(),
        .across = above ? above->inputs : NULL,
        .n_across = (layer->n_out + 1) / 2,
        .along = above ? above->inputs_samples : NULL,
        .n_along = step->stride / 2,
    };
    tiles(&product, begin, end, whole_lanes(step->n_samples), tile_activation);
}

static void bf16_backward(const layer_t *layer, const bf16_layer_t *forms, const bf16_layer_t *below,
                          const step_t *step, int64_t begin, int64_t end)
{
    const int64_t n_k = (layer->n_out + 1) / 2;
    product_t product = {
        .a = forms->weight_backward,
        .a_row = 1,
        .a_k = PANEL,
        .a_panel = n_k * PANEL,
        .b = forms->d_outputs,
        .b_panel = n_k * PANEL,
        .n_k = n_k,
        .c = layer->d_inputs,
        .c_row = step->stride,
        .y = layer->input_activation == ACTIVATION_RELU ? layer->inputs : NULL,
        .across = below ? below->d_outputs : NULL,
        .n_across = (layer->n_in + 1) / 2,
        .rows = below ? below->d_outputs_rows : NULL,
    };
    tiles(&product, begin, end, whole_lanes(step->n_samples), tile_derivative);
}

static void bf16_update(const layer_t *layer, const bf16_layer_t *forms, const step_t *step, int64_t begin,
                        int64_t end)
{
    const optimizer_t *optimizer = &step->optimizer;
    const int is_sgd = optimizer->solver == SOLVER_SGD && layer->moment_weight[0] && optimizer->l1 == 0 &&
                       optimizer->shrink == 1 && optimizer->scale == 1 && optimizer->clip == 0;
    product_t product = {
        .a = forms->d_outputs_rows,
        .a_row = step->stride / 2,
        .a_k = 1,
        .b = forms->inputs_samples,
        .b_panel = step->stride / 2 * PANEL,
        .n_k = (step->n_samples + 1) / 2,
        .c = step->accumulate ? layer->d_weight : layer->weight,
        .c_row = layer->weight_stride,
        .w = step->accumulate ? layer->d_weight : layer->weight,
        .moment_1 = step->accumulate ? NULL : layer->moment_weight[0],
        .moment_2 = step->accumulate ? NULL : layer->moment_weight[1],
        .w_row = layer->weight_stride,
        .copy = forms->weight,
        .copy_backward = forms->weight_backward,
        .n_backward = (layer->n_out + 1) / 2,
        .rate = (float)optimizer->learning_rate,
        .momentum = (float)optimizer->momentum,
        .l2 = (float)optimizer->l2,
        .nesterov = optimizer->nesterov,
        .layer = layer,
        .forms = forms,
        .step = step,
    };
    tiles(&product, begin, end, whole_lanes(layer->n_in),
          step->accumulate ? tile_add
          : is_sgd         ? tile_sgd
                           : tile_solver);
}

static void bf16_round_weights(const layer_t *layer, const bf16_layer_t *forms, int64_t begin, int64_t end)
{
    for (int64_t row = begin; row < end; row += TILE_ROWS) {
        const int rows = end - row < TILE_ROWS ? (int)(end - row) : TILE_ROWS;
        int64_t column = 0;
        for (; column + PANEL <= layer->weight_stride; column += PANEL)
            round_block(layer, forms, row, column, rows, 2);
        if (column < layer->weight_stride)
            round_block(layer, forms, row, column, rows, 1);
    }
}

/* The forms of a float32 matrix x (n_rows, x_stride), for its rows from begin to end, all at once while they
 * are in registers; those not wanted are NULL.
 *   across  panels (n_across, n_columns): pairs of one row and the next, interleaved;
 *   along   panels (n_along, n_rows): pairs of one column and the next, transposed;
 *   rows    rows (n_rows, row_pairs): pairs along the rows, as they lie.
 * Columns come in whole groups of LANES; the last rows are followed by zeros up to whole groups of LANES. */
typedef struct {
    pair_t *across, *along, *rows;
    int64_t n_across, n_along, row_pairs;
} forms_t;

INLINE void pack_block(const forms_t *forms, const float *x, int64_t row, int64_t column, int64_t begin,
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
    if (forms->across) {
        pair_t *out = forms->across + (column / PANEL * forms->n_across + row / 2) * PANEL;
        UNROLL
        for (int i = 0; i < 16; i += 2)
            if (row + i >= begin && row + i < end)
                store_pairs(out + i / 2 * PANEL, r[i], r[i + 1], vectors);
    }
    if (forms->rows) {
        UNROLL
        for (int i = 0; i < 16; i++)
            if (row + i >= begin && row + i < end)
                store_row(forms->rows + (row + i) * forms->row_pairs + column / 2, r[i], vectors);
    }
    if (forms->along) {
        pair_t *out = forms->along + (row / PANEL * forms->n_along + column / 2) * PANEL + row % PANEL;
        const int64_t first = begin > row ? begin - row : 0;
        const int64_t last = end < n_rows && end - row < 16 ? end - row : 16;
        const __mmask16 mask = (__mmask16)((1u << last) - (1u << first));
        transpose_pairs(r);
        UNROLL
        for (int i = 0; i < 8 * vectors; i++)
            if (column / 2 + i < forms->n_along)
                _mm512_mask_storeu_epi32(out + i * PANEL, mask, r[i]);
    }
}

static NOINLINE void pack(const forms_t *forms, const float *x, int64_t begin, int64_t end, int64_t n_rows,
                          int64_t n_columns, int64_t x_stride)
{
    for (int64_t row = begin & ~(int64_t)15; row < end; row += 16) {
        int64_t column = 0;
        for (; column + PANEL <= n_columns; column += PANEL)
            pack_block(forms, x, row, column, begin, end, n_rows, x_stride, 2);
        if (column < n_columns)
            pack_block(forms, x, row, column, begin, end, n_rows, x_stride, 1);
    }
}

static void bf16_pack_outputs(const layer_t *layer, const bf16_layer_t *above, const step_t *step,
                              int64_t begin, int64_t end)
{
    const forms_t forms = {.across = above->inputs,
                           .n_across = (layer->n_out + 1) / 2,
                           .along = above->inputs_samples,
                           .n_along = step->stride / 2};
    pack(&forms, (const float *)layer->outputs + begin * step->stride, begin, end, layer->n_out,
         whole_lanes(step->n_samples), step->stride);
}

static void bf16_pack_d_outputs(const layer_t *layer, const bf16_layer_t *own, const step_t *step,
                                int64_t begin, int64_t end)
{
    const forms_t forms = {.across = own->d_outputs,
                           .n_across = (layer->n_out + 1) / 2,
                           .rows = own->d_outputs_rows,
                           .row_pairs = step->stride / 2};
    pack(&forms, (const float *)layer->d_outputs + begin * step->stride, begin, end, layer->n_out,
         whole_lanes(step->n_samples), step->stride);
}

static void bf16_pack_inputs(const layer_t *layer, const bf16_layer_t *own, const step_t *step,
                             const float *x, int64_t begin, int64_t end)
{
    const forms_t forms = {.across = own->inputs_samples,
                           .n_across = step->stride / 2,
                           .along = own->inputs,
                           .n_along = (layer->n_in + 1) / 2};
    pack(&forms, x, begin, end, step->n_samples, layer->weight_stride, layer->weight_stride);
}

/* The members' shares of n units, in twos. */
static int64_t begin_of(int64_t n, const member_t *member)
{
    const int64_t begin = 2 * share_begin((n + 1) / 2, member);
    return begin < n ? begin : n;
}

static int64_t end_of(int64_t n, const member_t *member)
{
    const int64_t end = 2 * share_end((n + 1) / 2, member);
    return end < n ? end : n;
}

static int is_fused(activation_t activation)
{
    return activation == ACTIVATION_IDENTITY || activation == ACTIVATION_RELU;
}

static void outputs_changed(const layer_t *layer, const step_t *step, const member_t *member)
{
    if (layer->forms_above)
        bf16_pack_outputs(layer, layer->forms_above, step, begin_of(layer->n_out, member),
                          end_of(layer->n_out, member));
}

static void gradient_changed(const layer_t *layer, const step_t *step, const member_t *member)
{
    bf16_pack_d_outputs(layer, layer->forms, step, begin_of(layer->n_out, member),
                        end_of(layer->n_out, member));
}

static void weights_changed(const layer_t *layer, const step_t *step, const member_t *member)
{
    (void)step;
    bf16_round_weights(layer, layer->forms, begin_of(layer->n_out, member), end_of(layer->n_out, member));
}

static void inputs_changed(const layer_t *layer, const step_t *step, const member_t *member)
{
    const int64_t n_strips = (step->n_samples + LANES - 1) / LANES, n = step->n_samples;
    const int64_t begin = LANES * share_begin(n_strips, member), end = LANES * share_end(n_strips, member);
    if (begin < n)
        bf16_pack_inputs(layer, layer->forms, step,
                         (const float *)layer->inputs_rows + begin * layer->weight_stride, begin,
                         end < n ? end : n);
}

static void linear_forward(const layer_t *layer, const step_t *step, const member_t *member)
{
    const int64_t begin = begin_of(layer->n_out, member), end = end_of(layer->n_out, member);
    bf16_forward(layer, layer->forms, is_fused(layer->activation) ? layer->forms_above : NULL, step, begin,
                 end);
    if (is_fused(layer->activation))
        return;
    float *slopes = layer->slopes;
    step->kernels->activation_forward(
        (float *)layer->outputs + begin * step->stride, slopes ? slopes + begin * step->stride : NULL, NULL,
        NULL, end - begin, step->n_samples, step->stride, layer->activation, layer->activation_parameter);
    outputs_changed(layer, step, member);
}

static void linear_backward(const layer_t *layer, const step_t *step, const member_t *member)
{
    const int64_t begin = begin_of(layer->n_in, member), end = end_of(layer->n_in, member);
    bf16_backward(layer, layer->forms, is_fused(layer->input_activation) ? layer->forms_below : NULL, step,
                  begin, end);
    if (is_fused(layer->input_activation))
        return;
    const float *slopes = layer->input_slopes;
    step->kernels->activation_backward(
        (float *)layer->d_inputs + begin * step->stride, (const float *)layer->inputs + begin * step->stride,
        slopes ? slopes + begin * step->stride : NULL, end - begin, step->n_samples, step->stride,
        layer->input_activation, layer->input_parameter);
    /* The layer below has these units. */
    const layer_t below = {.n_out = layer->n_in, .d_outputs = layer->d_inputs, .forms = layer->forms_below};
    gradient_changed(&below, step, member);
}

static void linear_update(const layer_t *layer, const step_t *step, const member_t *member)
{
    bf16_update(layer, layer->forms, step, begin_of(layer->n_out, member), end_of(layer->n_out, member));
}

const operations_t *fastmlp_bfloat16_operations(void)
{
    static const operations_t operations = {
        .linear_forward = linear_forward,
        .linear_backward = linear_backward,
        .linear_update = linear_update,
        .inputs_changed = inputs_changed,
        .outputs_changed = outputs_changed,
        .gradient_changed = gradient_changed,
        .weights_changed = weights_changed,
    };
    return fastmlp_isa_available(ISA_AVX512) && __builtin_cpu_supports("avx512bf16") ? &operations : NULL;
}
END_TARGET_REGION
#else
const operations_t *fastmlp_bfloat16_operations(void) { return NULL; }
#endif
