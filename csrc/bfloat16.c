/* bfloat16.c: mixed-precision training for processors with AVX512_BF16.
 *
 * Design. Weights, biases, the solver's moments, outputs and gradients stay float32; only what enters a
 * product is bfloat16, rounded to nearest even, and the sums are float32. One instruction multiplies 32
 * pairs and adds each two products to a sum: twice the arithmetic of float32, at half the traffic.
 *
 * As in tiles.inc.c, one kernel serves all three products C (m, n) = A (m, k) B (k, n): a tile of up to 12 x 2
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
#if defined(__x86_64__)
#include "bfloat16.h"

#include <immintrin.h>

#if defined(__clang__)
#define TARGET \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prfchw"), min_vector_width(512)))
#else
#define TARGET                                                                                            \
    __attribute__((target(                                                                                \
        "avx512f,avx512bw,avx512dq,avx512vl,avx512bf16,avx2,fma,prfchw,prefer-vector-width=512")))
#endif
#define KERNEL TARGET
#define INLINE static inline __attribute__((always_inline)) TARGET
#define UNROLL _Pragma("GCC unroll 16")

enum { VECTOR = 16, TILE_ROWS = 12 };

#ifndef BLOCK_BYTES
#define BLOCK_BYTES (384 << 10)
#endif
#ifndef AHEAD
#define AHEAD 0
#endif
#ifndef EACH
#define EACH 4
#endif

/* What becomes of the sums of a tile. */
typedef enum {
    FINISH_STORE,      /* c = sum */
    FINISH_ADD,        /* c = c + sum */
    FINISH_ACTIVATION, /* c = max(sum + bias, floor) */
    FINISH_DERIVATIVE, /* c = sum where y > 0, otherwise 0 */
    FINISH_SGD,        /* the step of gradient descent with momentum on the weights c, and their copies */
} finish_t;

/* A matrix product and what belongs to it. Strides of A are in pairs. */
typedef struct {
    const pair_t *a;     /* rows: a_row from row to row, a_k from pair to pair, a_panel from panel to panel */
    int64_t a_row, a_k, a_panel;
    const pair_t *b;     /* panels of n_k pairs, b_panel from panel to panel */
    int64_t b_panel;
    int64_t n_k;
    float *c;
    int64_t c_row;
    const float *bias;   /* FINISH_ACTIVATION */
    float floor;
    const float *y;      /* FINISH_DERIVATIVE, rows c_row apart */
    float *velocity;     /* FINISH_SGD, rows c_row apart */
    float rate, momentum, l2;
    int nesterov;
    pair_t *weight;          /* FINISH_SGD: the weights' copies, rows c_row / 2 apart */
    pair_t *weight_backward; /* panels of n_backward pairs of units, or NULL */
    int64_t n_backward;
    /* FINISH_ACTIVATION, FINISH_DERIVATIVE: the forms of c for its readers, or NULL */
    pair_t *across, *along, *rows;
    int64_t n_across, n_along;
    const layer_t *layer; /* of the update */
    const bf16_layer_t *forms;
    const step_t *step;
} product_t;

INLINE __m512bh broadcast_pair(const pair_t *p) { return (__m512bh)_mm512_set1_epi32((int)*p); }

INLINE __m512bh load_pairs(const pair_t *p) { return (__m512bh)_mm512_loadu_si512(p); }

/* 32 floats, of which the later 16 are `high`, to bfloat16. */
INLINE __m512i round_32(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

/* Interleave two rows of 32 bfloat16 into 32 pairs. */
INLINE void store_pairs(pair_t *out, __m512i even, __m512i odd, const int vectors)
{
    const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39, 7, 38,
                                           6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i second = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24, 55,
                                            23, 54, 22, 53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
    _mm512_storeu_si512(out, _mm512_permutex2var_epi16(even, first, odd));
    if (vectors == 2)
        _mm512_storeu_si512(out + VECTOR, _mm512_permutex2var_epi16(even, second, odd));
}

/* A row of 32 bfloat16, or of 16. */
INLINE void store_row(pair_t *out, __m512i row, const int vectors)
{
    if (vectors == 2)
        _mm512_storeu_si512(out, row);
    else
        _mm256_storeu_si256((__m256i *)out, _mm512_castsi512_si256(row));
}

/* A block of 16 x 16 pairs, transposed: four zips of 32 and of 64 bits and two of whole quarters. All write
 * to a third register, which saves the copies that the two-operand shuffles of any order need. */
INLINE void transpose_pairs(__m512i r[16])
{
    __m512i t[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) { /* r[i + c]: columns c, c + 4, c + 8, c + 12 of four rows */
        r[i] = _mm512_unpacklo_epi64(t[i], t[i + 2]);
        r[i + 1] = _mm512_unpackhi_epi64(t[i], t[i + 2]);
        r[i + 2] = _mm512_unpacklo_epi64(t[i + 1], t[i + 3]);
        r[i + 3] = _mm512_unpackhi_epi64(t[i + 1], t[i + 3]);
    }
    UNROLL
    for (int c = 0; c < 4; c++) {
        const __m512i even_1 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0x88);
        const __m512i even_2 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0x88);
        const __m512i odd_1 = _mm512_shuffle_i32x4(r[c], r[4 + c], 0xdd);
        const __m512i odd_2 = _mm512_shuffle_i32x4(r[8 + c], r[12 + c], 0xdd);
        t[c] = _mm512_shuffle_i32x4(even_1, even_2, 0x88);
        t[4 + c] = _mm512_shuffle_i32x4(odd_1, odd_2, 0x88);
        t[8 + c] = _mm512_shuffle_i32x4(even_1, even_2, 0xdd);
        t[12 + c] = _mm512_shuffle_i32x4(odd_1, odd_2, 0xdd);
    }
    UNROLL
    for (int i = 0; i < 16; i++)
        r[i] = t[i];
}

/* One pair of k: the products of a column of A and a row of B, added to the sums. */
INLINE void multiply(__m512 sum[TILE_ROWS][2], const pair_t *group[], const pair_t **b, int64_t a_row,
                     int64_t a_k, const int rows, const int vectors)
{
    __m512bh x[2];
    UNROLL
    for (int v = 0; v < vectors; v++)
        x[v] = load_pairs(*b + v * VECTOR);
    UNROLL
    for (int i = 0; i < rows; i++) {
        const __m512bh w = broadcast_pair(group[i / 3] + i % 3 * a_row);
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = _mm512_dpbf16_ps(sum[i][v], w, x[v]);
    }
    UNROLL
    for (int g = 0; g < (rows + 2) / 3; g++)
        group[g] += a_k;
    *b += PANEL;
}

/* One tile, of the rows from `row` and the columns from `column` on. `rows`, `vectors` and `finish` are
 * constants where this is inlined; every loop over the sums is unrolled whole. */
INLINE void tile(const product_t *product, int64_t row, int64_t column, const int rows, const int vectors,
                 const finish_t finish)
{
    const int64_t a_row = product->a_row, a_k = product->a_k, c_row = product->c_row;
    const int64_t at = row * c_row + column;
    float *c = product->c + at;

    __m512 sum[TILE_ROWS][2];
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = _mm512_setzero_ps();
    /* Rows of A in groups of three: base, base + row, base + 2 row take few enough registers. */
    const pair_t *group[(TILE_ROWS + 2) / 3];
    const pair_t *a = product->a_panel ? product->a + row / PANEL * product->a_panel + row % PANEL
                                       : product->a + row * a_row;
    UNROLL
    for (int g = 0; g < (rows + 2) / 3; g++)
        group[g] = a + 3 * g * a_row;
    const pair_t *b = product->b + column / PANEL * product->b_panel;
    int64_t k = product->n_k;
    if (finish == FINISH_SGD) {
        /* The step reads and writes weights and velocity, which seldom are in the first two caches. Their
         * lines are asked for a row at a time: all at once they would queue up and hold up the sums. */
        const int64_t apart = k / rows < EACH ? k / rows : EACH;
        const float *w = c + AHEAD, *velocity = product->velocity + at + AHEAD;
        const pair_t *copy = product->weight + (at + AHEAD) / 2;
        const pair_t *backward = product->weight_backward;
        if (backward)
            backward += ((column + AHEAD) / PANEL * product->n_backward + row / 2) * PANEL;
        for (int i = 0; i < rows; i++) {
            UNROLL
            for (int v = 0; v < vectors; v++) {
                __builtin_prefetch(w + v * VECTOR, 1);
                __builtin_prefetch(velocity + v * VECTOR, 1);
            }
            __builtin_prefetch(copy, 1);
            if (backward)
                __builtin_prefetch(backward + i * VECTOR, 1);
            w += c_row;
            velocity += c_row;
            copy += c_row / 2;
            for (int64_t end = k - apart; k > end; k--)
                multiply(sum, group, &b, a_row, a_k, rows, vectors);
        }
    }
    for (; k > 0; k--)
        multiply(sum, group, &b, a_row, a_k, rows, vectors);

    if (finish == FINISH_SGD) {
        const __m512 rate = _mm512_set1_ps(-product->rate), momentum = _mm512_set1_ps(product->momentum);
        const __m512 l2 = _mm512_set1_ps(product->l2);
        const __mmask16 nesterov = product->nesterov ? 0xffff : 0;
        float *velocity = product->velocity + at;
        pair_t *copy = product->weight + at / 2, *backward = product->weight_backward;
        if (backward)
            backward += (column / PANEL * product->n_backward + row / 2) * PANEL;
        __m512i even = _mm512_setzero_si512();
        UNROLL
        for (int i = 0; i < rows; i++) {
            __m512 updated[2];
            UNROLL
            for (int v = 0; v < vectors; v++) {
                const __m512 w = _mm512_loadu_ps(c + v * VECTOR);
                const __m512 step = _mm512_mul_ps(rate, _mm512_fmadd_ps(l2, w, sum[i][v]));
                const __m512 speed = _mm512_fmadd_ps(momentum, _mm512_loadu_ps(velocity + v * VECTOR), step);
                _mm512_storeu_ps(velocity + v * VECTOR, speed);
                /* w + speed, or w + momentum speed + step */
                updated[v] = _mm512_add_ps(w, _mm512_mask_fmadd_ps(speed, nesterov, momentum, step));
                _mm512_storeu_ps(c + v * VECTOR, updated[v]);
            }
            const __m512i rounded = round_32(updated[0], updated[vectors - 1]);
            store_row(copy, rounded, vectors);
            if (backward && i % 2 == 1)
                store_pairs(backward + i / 2 * PANEL, even, rounded, vectors);
            else if (backward && i + 1 == rows)
                store_pairs(backward + i / 2 * PANEL, rounded, _mm512_setzero_si512(), vectors);
            even = rounded;
            c += c_row;
            velocity += c_row;
            copy += c_row / 2;
        }
        return;
    }

    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++) {
            const int64_t to = i * c_row + v * VECTOR;
            __m512 z = sum[i][v];
            switch (finish) {
            case FINISH_STORE:
            case FINISH_SGD:
                break;
            case FINISH_ADD:
                z = _mm512_add_ps(_mm512_loadu_ps(c + to), z);
                break;
            case FINISH_ACTIVATION: /* in this order the maximum keeps NaN */
                z = _mm512_max_ps(_mm512_set1_ps(product->floor),
                                  _mm512_add_ps(z, _mm512_set1_ps(product->bias[row + i])));
                break;
            case FINISH_DERIVATIVE:
                if (product->y) {
                    const __m512 y = _mm512_loadu_ps(product->y + at + to);
                    z = _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ), z);
                }
                break;
            }
            _mm512_storeu_ps(c + to, z);
            sum[i][v] = z;
        }
    }
    if (finish != FINISH_ACTIVATION && finish != FINISH_DERIVATIVE)
        return;
    __m512i z[16];
    UNROLL
    for (int i = 0; i < 16; i++)
        z[i] = i < rows ? round_32(sum[i][0], sum[i][vectors - 1]) : _mm512_setzero_si512();
    if (product->across)
        UNROLL
        for (int i = 0; i < rows; i += 2)
            store_pairs(product->across + (column / PANEL * product->n_across + (row + i) / 2) * PANEL, z[i],
                        z[i + 1], vectors);
    if (finish == FINISH_DERIVATIVE && product->rows)
        UNROLL
        for (int i = 0; i < rows; i++)
            store_row(product->rows + (at + i * c_row) / 2, z[i], vectors);
    if (finish == FINISH_ACTIVATION && product->along) {
        const int64_t n_along = product->n_along, lane = row % PANEL;
        pair_t *to = product->along + (row / PANEL * n_along + column / 2) * PANEL + lane;
        const int fitting = PANEL - lane < rows ? (int)(PANEL - lane) : rows;
        transpose_pairs(z);
        UNROLL
        for (int i = 0; i < 8 * vectors; i++)
            _mm512_mask_storeu_epi32(to + i * PANEL, (__mmask16)((1u << fitting) - 1), z[i]);
        if (fitting < rows) { /* the others are in the next panel */
            to += (n_along - 1) * PANEL;
            UNROLL
            for (int i = 0; i < 8 * vectors; i++)
                _mm512_mask_storeu_epi32(to + i * PANEL, (__mmask16)((1u << rows) - (1u << fitting)), z[i]);
        }
    }
}

#define TILE_OF(n)                                      \
    case n:                                             \
        if (vectors == 2)                               \
            tile(product, row, column, n, 2, finish);   \
        else                                            \
            tile(product, row, column, n, 1, finish);   \
        break;

/* The tile of these sizes; `finish` is a constant where this is inlined. Rows come in twos, except for one
 * that is left. */
#define TILE_KERNEL(finish_)                                                                                  \
    KERNEL static __attribute__((noinline)) void tile_##finish_(const product_t *product, int64_t row,        \
                                                                int64_t column, int rows, int vectors)        \
    {                                                                                                         \
        const finish_t finish = FINISH_##finish_;                                                             \
        switch (rows) {                                                                                       \
            TILE_OF(1)                                                                                        \
            TILE_OF(2)                                                                                        \
            TILE_OF(4)                                                                                        \
            TILE_OF(6)                                                                                        \
            TILE_OF(8)                                                                                        \
            TILE_OF(10)                                                                                       \
            TILE_OF(12)                                                                                       \
        }                                                                                                     \
    }
TILE_KERNEL(STORE)
TILE_KERNEL(ADD)
TILE_KERNEL(ACTIVATION)
TILE_KERNEL(DERIVATIVE)
TILE_KERNEL(SGD)

/* Both copies of a block of weights, from an even row on. */
INLINE void round_block(const layer_t *layer, const bf16_layer_t *forms, int64_t row, int64_t column, int rows,
                        const int vectors)
{
    const int64_t stride = layer->weight_stride, at = row * stride + column, last = (vectors - 1) * VECTOR;
    const float *w = (const float *)layer->weight + at;
    pair_t *copy = forms->weight + at / 2, *backward = forms->weight_backward;
    if (backward)
        backward += (column / PANEL * ((layer->n_out + 1) / 2) + row / 2) * PANEL;
    for (int i = 0; i < rows; i += 2) {
        const __m512i even = round_32(_mm512_loadu_ps(w), _mm512_loadu_ps(w + last));
        __m512i odd = _mm512_setzero_si512();
        store_row(copy, even, vectors);
        if (i + 1 < rows) {
            odd = round_32(_mm512_loadu_ps(w + stride), _mm512_loadu_ps(w + stride + last));
            store_row(copy + stride / 2, odd, vectors);
        }
        if (backward)
            store_pairs(backward + i / 2 * PANEL, even, odd, vectors);
        w += 2 * stride;
        copy += stride;
    }
}

/* A tile of the gradient in a scratch of 1.5 KB, and any solver's step from there. */
KERNEL static __attribute__((noinline)) void tile_solver(const product_t *product, int64_t row, int64_t column,
                                                         int rows, int vectors)
{
    _Alignas(64) float gradient[TILE_ROWS * PANEL];
    const layer_t *layer = product->layer;
    const int64_t at = row * layer->weight_stride + column;
    float *moment_1 = layer->moment_weight[0], *moment_2 = layer->moment_weight[1];
    product_t into = *product;
    into.c = gradient - row * PANEL - column;
    into.c_row = PANEL;
    tile_STORE(&into, row, column, rows, vectors);
    product->step->kernels->solver_step((float *)layer->weight + at, moment_1 ? moment_1 + at : NULL,
                                        moment_2 ? moment_2 + at : NULL, gradient, rows, vectors * VECTOR,
                                        layer->weight_stride, PANEL, &product->step->optimizer);
    if (vectors == 2)
        round_block(layer, product->forms, row, column, rows, 2);
    else
        round_block(layer, product->forms, row, column, rows, 1);
}

/* All tiles of the rows from begin to end, by bands of tiles. */
INLINE void band(const product_t *product, int64_t begin, int64_t end, int64_t column, int64_t column_end,
                 void (*tile_)(const product_t *, int64_t, int64_t, int, int))
{
    const int rows = (int)(end - begin), lone = rows > 1 && rows % 2;
    for (; column < column_end; column += PANEL) {
        const int vectors = column_end - column > VECTOR ? 2 : 1;
        tile_(product, begin, column, rows - lone, vectors);
        if (lone)
            tile_(product, end - 1, column, 1, vectors);
    }
}

/* Bands of up to TILE_ROWS rows run along the columns: a band's part of A stays in the first cache while B
 * streams from the second. B is therefore taken in blocks of columns that fit there. The rows, in twos, are
 * dealt out evenly: 50 are five tiles of 10, not four of 12 and one of 2; with panels in A, a tile ends where
 * a panel does. */
INLINE void tiles(const product_t *product, int64_t begin, int64_t end, int64_t n_columns,
                  void (*tile_)(const product_t *, int64_t, int64_t, int, int))
{
    int64_t block = BLOCK_BYTES / (product->n_k * PANEL * (int64_t)sizeof(pair_t)) * PANEL;
    block = block < PANEL ? PANEL : block;
    for (int64_t column = 0; column < n_columns; column += block) {
        const int64_t column_end = n_columns - column < block ? n_columns : column + block;
        for (int64_t part = begin, part_end; part < end; part = part_end) {
            part_end = product->a_panel ? (part / PANEL + 1) * PANEL : end;
            part_end = part_end < end ? part_end : end;
            const int64_t n_pairs = (part_end - part + 1) / 2;
            const int64_t n_bands = (2 * n_pairs + TILE_ROWS - 1) / TILE_ROWS;
            for (int64_t i = 0; i < n_bands; i++) {
                const int64_t band_end = part + 2 * (n_pairs * (i + 1) / n_bands);
                band(product, part + 2 * (n_pairs * i / n_bands), band_end < part_end ? band_end : part_end,
                     column, column_end, tile_);
            }
        }
    }
}

static int64_t whole_lanes(int64_t n) { return (n + LANES - 1) & ~(int64_t)(LANES - 1); }

KERNEL void bf16_forward(const layer_t *layer, const bf16_layer_t *forms, const bf16_layer_t *above,
                         const step_t *step, int64_t begin, int64_t end)
{
    const int64_t n_k = (layer->n_in + 1) / 2;
    const product_t product = {
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
    tiles(&product, begin, end, whole_lanes(step->n_samples), tile_ACTIVATION);
}

KERNEL void bf16_backward(const layer_t *layer, const bf16_layer_t *forms, const bf16_layer_t *below,
                          const step_t *step, int64_t begin, int64_t end)
{
    const int64_t n_k = (layer->n_out + 1) / 2;
    const product_t product = {
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
    tiles(&product, begin, end, whole_lanes(step->n_samples), tile_DERIVATIVE);
}

KERNEL void bf16_update(const layer_t *layer, const bf16_layer_t *forms, const step_t *step, int64_t begin,
                        int64_t end)
{
    const optimizer_t *optimizer = &step->optimizer;
    const int is_sgd = optimizer->solver == SOLVER_SGD && layer->moment_weight[0];
    const product_t product = {
        .a = forms->d_outputs_rows,
        .a_row = step->stride / 2,
        .a_k = 1,
        .b = forms->inputs_samples,
        .b_panel = step->stride / 2 * PANEL,
        .n_k = (step->n_samples + 1) / 2,
        .c = step->accumulate ? layer->d_weight : layer->weight,
        .c_row = layer->weight_stride,
        .velocity = layer->moment_weight[0],
        .rate = (float)optimizer->learning_rate,
        .momentum = (float)optimizer->momentum,
        .l2 = (float)optimizer->l2,
        .nesterov = optimizer->nesterov,
        .weight = forms->weight,
        .weight_backward = forms->weight_backward,
        .n_backward = (layer->n_out + 1) / 2,
        .layer = layer,
        .forms = forms,
        .step = step,
    };
    tiles(&product, begin, end, whole_lanes(layer->n_in),
          step->accumulate ? tile_ADD : is_sgd ? tile_SGD : tile_solver);
}

KERNEL void bf16_round_weights(const layer_t *layer, const bf16_layer_t *forms, int64_t begin, int64_t end)
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
        const float *from = x + (row + i) * x_stride + column;
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
    if (forms->rows)
        UNROLL
        for (int i = 0; i < 16; i++)
            if (row + i >= begin && row + i < end)
                store_row(forms->rows + (row + i) * forms->row_pairs + column / 2, r[i], vectors);
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

KERNEL static __attribute__((noinline)) void pack(const forms_t *forms, const float *x, int64_t begin,
                                                  int64_t end, int64_t n_rows, int64_t n_columns,
                                                  int64_t x_stride)
{
    for (int64_t row = begin & ~(int64_t)15; row < end; row += 16) {
        int64_t column = 0;
        for (; column + PANEL <= n_columns; column += PANEL)
            pack_block(forms, x, row, column, begin, end, n_rows, x_stride, 2);
        if (column < n_columns)
            pack_block(forms, x, row, column, begin, end, n_rows, x_stride, 1);
    }
}

KERNEL void bf16_pack_outputs(const layer_t *layer, const bf16_layer_t *above, const step_t *step,
                              int64_t begin, int64_t end)
{
    const forms_t forms = {.across = above->inputs,
                           .n_across = (layer->n_out + 1) / 2,
                           .along = above->inputs_samples,
                           .n_along = step->stride / 2};
    pack(&forms, layer->outputs, begin, end, layer->n_out, whole_lanes(step->n_samples), step->stride);
}

KERNEL void bf16_pack_d_outputs(const layer_t *layer, const bf16_layer_t *own, const step_t *step,
                                int64_t begin, int64_t end)
{
    const forms_t forms = {.across = own->d_outputs,
                           .n_across = (layer->n_out + 1) / 2,
                           .rows = own->d_outputs_rows,
                           .row_pairs = step->stride / 2};
    pack(&forms, layer->d_outputs, begin, end, layer->n_out, whole_lanes(step->n_samples), step->stride);
}

KERNEL void bf16_pack_inputs(const layer_t *layer, const bf16_layer_t *own, const step_t *step, const float *x,
                             int64_t begin, int64_t end)
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
    bf16_pack_d_outputs(layer, layer->forms, step, begin_of(layer->n_out, member), end_of(layer->n_out, member));
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
    bf16_pack_inputs(layer, layer->forms, step, layer->inputs_rows, begin < n ? begin : n, end < n ? end : n);
}

static void linear_forward(const layer_t *layer, const step_t *step, const member_t *member)
{
    const int64_t begin = begin_of(layer->n_out, member), end = end_of(layer->n_out, member);
    bf16_forward(layer, layer->forms, layer->forms_above, step, begin, end);
    if (is_fused(layer->activation))
        return;
    step->kernels->activation_forward((float *)layer->outputs + begin * step->stride, NULL, end - begin,
                                      step->n_samples, step->stride, layer->activation);
    outputs_changed(layer, step, member);
}

static void linear_backward(const layer_t *layer, const step_t *step, const member_t *member)
{
    const int64_t begin = begin_of(layer->n_in, member), end = end_of(layer->n_in, member);
    bf16_backward(layer, layer->forms, layer->forms_below, step, begin, end);
    if (is_fused(layer->input_activation))
        return;
    step->kernels->activation_backward((float *)layer->d_inputs + begin * step->stride,
                                       (const float *)layer->inputs + begin * step->stride, end - begin,
                                       step->n_samples, step->stride, layer->input_activation);
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
#else
#include "walk.h"

#include <stddef.h>

const operations_t *fastmlp_bfloat16_operations(void) { return NULL; }
#endif
