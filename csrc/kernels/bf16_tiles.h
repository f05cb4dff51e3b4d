/* bf16_tiles.h: one tile of a product in bfloat16, from its sums to what belongs to them. */

enum { VECTOR = 16, TILE_ROWS = 12 };

/* What of B a band of tiles runs along stays in a second cache of 1 MB beside what else passes through it. */
enum { BLOCK_BYTES = 576 << 10 };

/* From one row of prefetches to the next, in steps of the sum. */
enum { APART = 4 };

/* What becomes of the sums of a tile. */
typedef enum {
    EPILOGUE_STORE,      /* c = sum */
    EPILOGUE_ADD,        /* c = c + sum */
    EPILOGUE_ACTIVATION, /* c = max(sum + bias, floor) */
    EPILOGUE_DERIVATIVE, /* c = sum where y > 0, otherwise 0 */
    EPILOGUE_SGD,        /* the step of gradient descent with momentum on the weights c, and their copies */
} epilogue_t;

/* A matrix product and what belongs to it. Strides of A and of the bfloat16 copies are in pairs. */
typedef struct {
    const pair_t *a; /* rows a_row apart, pairs of k a_k apart; with panels, rows of a panel, a_panel apart */
    int64_t a_row, a_k, a_panel;
    const pair_t *b; /* panels of n_k pairs, b_panel apart */
    int64_t b_panel;
    int64_t n_k;
    float *c; /* it begins with this row and column of the product */
    int64_t first_row, first_column;
    int64_t c_row;

    /* Forward and backward. */
    const float *bias; /* EPILOGUE_ACTIVATION */
    float floor;
    const float *y;                /* EPILOGUE_DERIVATIVE, rows c_row apart; NULL for no derivative */
    pair_t *across, *along, *rows; /* the copies of c that its readers want, or NULL */
    int64_t n_across, n_along;
    /* The address of the part of A that comes next, which may be none, and how many lines of it to fetch for each row. */
    uintptr_t next_a;
    int64_t n_next_a;

    /* Update: what the step reads and writes, rows w_row (and w_row / 2) apart, or NULL. */
    float *w, *moment_1, *moment_2;
    int64_t w_row;
    pair_t *copy, *copy_backward; /* rows; panels of n_backward pairs of units */
    int64_t n_backward;
    float rate, momentum, l2; /* EPILOGUE_SGD */
    int nesterov;
    const bf16_linear_t *own; /* tile_solver */
    const batch_t *batch;
} product_t;

typedef void tile_t(const product_t *product, int64_t row, int64_t column, int rows, int vectors);

INLINE __m512bh broadcast_pair(const pair_t *p) { return (__m512bh)_mm512_set1_epi32((int)*p); }

INLINE __m512bh load_pairs(const pair_t *p) { return (__m512bh)_mm512_loadu_si512(p); }

/* 32 floats, of which the later 16 are `high`, to bfloat16. */
INLINE __m512i round_32(__m512 low, __m512 high) { return (__m512i)_mm512_cvtne2ps_pbh(high, low); }

/* Interleave two rows of 32 bfloat16 into 32 pairs. */
INLINE void store_pairs(pair_t *out, __m512i even, __m512i odd, const int vectors)
{
    const __m512i first = _mm512_set_epi16(47, 15, 46, 14, 45, 13, 44, 12, 43, 11, 42, 10, 41, 9, 40, 8, 39,
                                           7, 38, 6, 37, 5, 36, 4, 35, 3, 34, 2, 33, 1, 32, 0);
    const __m512i second = _mm512_set_epi16(63, 31, 62, 30, 61, 29, 60, 28, 59, 27, 58, 26, 57, 25, 56, 24,
                                            55, 23, 54, 22, 53, 21, 52, 20, 51, 19, 50, 18, 49, 17, 48, 16);
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

/* One tile, of the rows from `row` and the columns from `column` on. `rows`, `vectors` and `epilogue` are
 * constants where this is inlined; every loop over the sums is unrolled whole. */
INLINE void tile(const product_t *product, int64_t row, int64_t column, const int rows, const int vectors,
                 const epilogue_t epilogue)
{
    const int64_t a_row = product->a_row, a_k = product->a_k, c_row = product->c_row;
    const int64_t at = (row - product->first_row) * c_row + column - product->first_column;
    float *c = product->c + at;

    __m512 sum[TILE_ROWS][2];
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = _mm512_setzero_ps();
    }
    /* Rows of A in groups of three: base, base + row, base + 2 row take few enough registers. */
    const pair_t *group[(TILE_ROWS + 2) / 3];
    const pair_t *a = product->a_panel ? product->a + row / PANEL * product->a_panel + row % PANEL
                                       : product->a + row * a_row;
    UNROLL
    for (int g = 0; g < (rows + 2) / 3; g++)
        group[g] = a + 3 * g * a_row;
    const pair_t *b = product->b + column / PANEL * product->b_panel;
    int64_t k = product->n_k;
    if (epilogue == EPILOGUE_SGD || epilogue == EPILOGUE_STORE || epilogue == EPILOGUE_ADD) {
        /* The step reads and writes weights and moments, which seldom are in the first two caches. Their
         * lines are asked for a row at a time: all at once they would queue up and hold up the sums (784 to
         * 1000, batch 128: 294 GF/s; not at all: 210; a row at a time: 338). */
        const int64_t apart = k / rows < APART ? k / rows : APART;
        const int64_t w_row = product->w_row, w_at = row * w_row + column;
        const float *w = product->w + w_at;
        const float *moment_1 = product->moment_1 ? product->moment_1 + w_at : w;
        const float *moment_2 = product->moment_2 ? product->moment_2 + w_at : w;
        const pair_t *copy = product->copy + w_at / 2, *backward = product->copy_backward;
        if (backward)
            backward += (column / PANEL * product->n_backward + row / 2) * PANEL;
        for (int i = 0; i < rows; i++) {
            const int64_t skip = i * w_row;
            UNROLL
            for (int v = 0; v < vectors; v++) {
                __builtin_prefetch(w + skip + v * VECTOR, 1);
                if (epilogue != EPILOGUE_ADD)
                    __builtin_prefetch(moment_1 + skip + v * VECTOR, 1);
                if (epilogue == EPILOGUE_STORE)
                    __builtin_prefetch(moment_2 + skip + v * VECTOR, 1);
            }
            if (epilogue != EPILOGUE_ADD)
                __builtin_prefetch(copy + skip / 2, 1);
            if (epilogue != EPILOGUE_ADD && backward)
                __builtin_prefetch(
                    (const void *)((uintptr_t)backward + (uintptr_t)i * VECTOR * sizeof *backward), 1);
            for (int64_t end = k - apart; k > end; k--)
                multiply(sum, group, &b, a_row, a_k, rows, vectors);
        }
    } else if (product->n_next_a && k >= 8 * rows) {
        /* W's copy comes from the third cache or from memory, by a stream for each row. */
        uintptr_t line = product->next_a;
        const int64_t apart = k / rows;
        for (int i = 0; i < rows; i++) {
            for (int64_t n = product->n_next_a; n > 0; n--, line += 64)
                __builtin_prefetch((const void *)line, 0, 2);
            for (int64_t end = k - apart; k > end; k--)
                multiply(sum, group, &b, a_row, a_k, rows, vectors);
        }
    }
    for (; k > 0; k--)
        multiply(sum, group, &b, a_row, a_k, rows, vectors);

    if (epilogue == EPILOGUE_SGD) {
        const __m512 rate = _mm512_set1_ps(-product->rate), momentum = _mm512_set1_ps(product->momentum);
        const __m512 l2 = _mm512_set1_ps(product->l2);
        const __mmask16 nesterov = product->nesterov ? 0xffff : 0;
        float *velocity = product->moment_1 + at;
        pair_t *copy = product->copy + at / 2, *backward = product->copy_backward;
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
            switch (epilogue) {
            case EPILOGUE_STORE:
            case EPILOGUE_SGD:
                break;
            case EPILOGUE_ADD:
                z = _mm512_add_ps(_mm512_loadu_ps(c + to), z);
                break;
            case EPILOGUE_ACTIVATION: /* in this order the maximum keeps NaN */
                z = _mm512_max_ps(_mm512_set1_ps(product->floor),
                                  _mm512_add_ps(z, _mm512_set1_ps(product->bias[row + i])));
                break;
            case EPILOGUE_DERIVATIVE:
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
    if (epilogue != EPILOGUE_ACTIVATION && epilogue != EPILOGUE_DERIVATIVE)
        return;
    __m512i z[16];
    UNROLL
    for (int i = 0; i < 16; i++)
        z[i] = i < rows ? round_32(sum[i][0], sum[i][vectors - 1]) : _mm512_setzero_si512();
    if (product->across) {
        UNROLL
        for (int i = 0; i < rows; i += 2)
            store_pairs(product->across + (column / PANEL * product->n_across + (row + i) / 2) * PANEL, z[i],
                        z[i + 1], vectors);
    }
    if (epilogue == EPILOGUE_DERIVATIVE && product->rows) {
        UNROLL
        for (int i = 0; i < rows; i++)
            store_row(product->rows + (at + i * c_row) / 2, z[i], vectors);
    }
    if (epilogue == EPILOGUE_ACTIVATION && product->along) {
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

/* The tile of these sizes; `epilogue` is a constant where this is inlined. Rows come in twos, except for one that
 * is left. */
#define TILE_OF(n)                                      \
    case n:                                             \
        if (vectors == 2)                               \
            tile(product, row, column, n, 2, epilogue); \
        else                                            \
            tile(product, row, column, n, 1, epilogue); \
        break;
INLINE void tile_of(const product_t *product, int64_t row, int64_t column, int rows, int vectors,
                    const epilogue_t epilogue)
{
    switch (rows) {
        TILE_OF(1)
        TILE_OF(2)
        TILE_OF(4)
        TILE_OF(6)
        TILE_OF(8)
        TILE_OF(10)
        TILE_OF(12)
    }
}

static NOINLINE void tile_store(const product_t *product, int64_t row, int64_t column, int rows, int vectors)
{
    tile_of(product, row, column, rows, vectors, EPILOGUE_STORE);
}

static NOINLINE void tile_add(const product_t *product, int64_t row, int64_t column, int rows, int vectors)
{
    tile_of(product, row, column, rows, vectors, EPILOGUE_ADD);
}

static NOINLINE void tile_activation(const product_t *product, int64_t row, int64_t column, int rows,
                                     int vectors)
{
    tile_of(product, row, column, rows, vectors, EPILOGUE_ACTIVATION);
}

static NOINLINE void tile_derivative(const product_t *product, int64_t row, int64_t column, int rows,
                                     int vectors)
{
    tile_of(product, row, column, rows, vectors, EPILOGUE_DERIVATIVE);
}

static NOINLINE void tile_sgd(const product_t *product, int64_t row, int64_t column, int rows, int vectors)
{
    tile_of(product, row, column, rows, vectors, EPILOGUE_SGD);
}

/* Both copies of a block of weights, from an even row on. */
INLINE void round_block(const bf16_linear_t *own, int64_t row, int64_t column, int rows, const int vectors)
{
    const int64_t stride = own->linear.weight.stride, at = row * stride + column,
                  last = (vectors - 1) * VECTOR;
    const float *w = (const float *)own->linear.weight.value + at;
    pair_t *copy = own->weight + at / 2, *backward = own->weight_backward;
    if (backward)
        backward += (column / PANEL * ((own->linear.n_out + 1) / 2) + row / 2) * PANEL;
    for (int i = 0; i < rows; i += 2) {
        const int64_t skip = i * stride;
        const __m512i even = round_32(_mm512_loadu_ps(w + skip), _mm512_loadu_ps(w + skip + last));
        __m512i odd = _mm512_setzero_si512();
        store_row(copy + skip / 2, even, vectors);
        if (i + 1 < rows) {
            odd = round_32(_mm512_loadu_ps(w + skip + stride), _mm512_loadu_ps(w + skip + stride + last));
            store_row(copy + (skip + stride) / 2, odd, vectors);
        }
        if (backward)
            store_pairs(backward + i / 2 * PANEL, even, odd, vectors);
    }
}

/* A tile of the gradient in a scratch of 1.5 KB, and any solver's step from there. */
static NOINLINE void tile_solver(const product_t *product, int64_t row, int64_t column, int rows, int vectors)
{
    _Alignas(64) float gradient[TILE_ROWS * PANEL];
    const learned_t *weight = &product->own->linear.weight;
    const int64_t at = row * weight->stride + column;
    float *moment_1 = product->moment_1, *moment_2 = product->moment_2;
    product_t into = *product;
    into.c = gradient;
    into.c_row = PANEL;
    into.first_row = row;
    into.first_column = column;
    tile_store(&into, row, column, rows, vectors);
    product->batch->kernels->solver_step((float *)weight->value + at, moment_1 ? moment_1 + at : NULL,
                                         moment_2 ? moment_2 + at : NULL, gradient, rows, vectors * VECTOR,
                                         weight->stride, PANEL, &product->batch->optimizer);
    if (vectors == 2)
        round_block(product->own, row, column, rows, 2);
    else
        round_block(product->own, row, column, rows, 1);
}
