/* tiles.inc.c: our own matrix products, for the shapes and machines where BLAS leaves speed unused.
 *
 * Design. All three products of a layer are C (m, n) = A (m, k) B (k, n) with vectors along n and one
 * element of A broadcast at a time, so one kernel serves them: only the strides of A differ. A tile of
 * up to TILE_ROWS x 2 vectors of C stays in registers for the whole sum over k, each element one chain of
 * fused multiply-adds in the order of k: the same bits on every instruction set, for any number of
 * threads. Nothing is packed: W is read by broadcast where it lies. What belongs to the product (bias and
 * activation, the activation's derivative, the solver's step) happens to the sums while they are still in
 * registers; what is too long for that happens to the tile just stored, in the first cache.
 *
 *   forward   z (n_out, samples)  = W (n_out, n_in)       x (n_in, samples)
 *   backward  d_x (n_in, samples) = W^T (n_in, n_out)     d_y (n_out, samples)
 *   update    d_W (n_out, n_in)   = d_y (n_out, samples)  x^T (samples, n_in)
 *
 * A member of a team of threads makes its share of the rows of C.
 */

#define TILE_COLUMNS (2 * VECTOR_LENGTH)

/* What becomes of the sums of a tile. */
enum NAME(finish) {
    NAME(FINISH_STORE),      /* c = sum */
    NAME(FINISH_ADD),        /* c = c + sum */
    NAME(FINISH_ACTIVATION), /* c = scale sum + bias, or relu of it */
    NAME(FINISH_DERIVATIVE), /* c = sum relu'(y) */
    NAME(FINISH_MOMENTUM),   /* the step of gradient descent with momentum on the weights c */
    NAME(FINISH_NESTEROV),   /* with Nesterov's */
};

/* A matrix product and what belongs to it. */
typedef struct {
    const REAL *a, *b;
    ptrdiff_t a_row, a_k; /* from one row of A to the next, from one k to the next */
    ptrdiff_t b_row;
    int64_t n_k;
    REAL *c;
    ptrdiff_t c_row;
    const REAL *scale, *bias; /* FINISH_ACTIVATION; scale NULL: 1 */
    int relu;
    const REAL *y;    /* FINISH_DERIVATIVE, rows c_row apart */
    REAL *velocity;   /* FINISH_MOMENTUM and FINISH_NESTEROV, rows c_row apart */
    NAME(rates_t) rates;
    const layer_t *layer; /* tile_solver */
    const step_t *step;
} NAME(product_t);

/* One tile, of the rows from `row` and the columns from `column` on. `rows`, `vectors` and `finish` are
 * constants where this is inlined; every loop over the sums is unrolled whole. */
INLINE void NAME(tile)(const NAME(product_t) *product, int64_t row, int64_t column, const int rows,
                       const int vectors, const enum NAME(finish) finish)
{
    const ptrdiff_t a_row = product->a_row, a_k = product->a_k, b_row = product->b_row;
    const ptrdiff_t c_row = product->c_row;
    REAL *c = product->c + row * c_row + column;
    const int is_step = finish == NAME(FINISH_MOMENTUM) || finish == NAME(FINISH_NESTEROV);
    REAL *velocity = is_step ? product->velocity + row * c_row + column : NULL;
    /* The step reads and writes weights and velocity, which seldom are in the first two caches: fetched along
     * with the sums, a row of the tile every few k, they are there when these are done. */
    const REAL *fetched = c;
    const ptrdiff_t to_velocity = is_step ? velocity - c : 0;
    int64_t n_fetched = 0;

    VECTOR sum[TILE_ROWS][2];
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = VECTOR_ZERO;
    /* Rows of A in groups of three: base, base + row, base + 2 row take few enough registers. */
    const REAL *group[(TILE_ROWS + 2) / 3];
    UNROLL
    for (int g = 0; g < (rows + 2) / 3; g++)
        group[g] = product->a + (row + 3 * g) * a_row;
    const REAL *b = product->b + column;
    for (int64_t k = product->n_k; k > 0; k--) {
        VECTOR x[2];
        UNROLL
        for (int v = 0; v < vectors; v++)
            x[v] = VECTOR_LOAD(b + v * VECTOR_LENGTH);
        UNROLL
        for (int i = 0; i < rows; i++) {
            const VECTOR w = VECTOR_BROADCAST(group[i / 3][(i % 3) * a_row]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] = VECTOR_FMA(w, x[v], sum[i][v]);
        }
        UNROLL
        for (int g = 0; g < (rows + 2) / 3; g++)
            group[g] += a_k;
        b += b_row;
        if (is_step && (k & 3) == 0 && n_fetched < rows) {
            UNROLL
            for (int v = 0; v < vectors; v++) {
                __builtin_prefetch(fetched + v * VECTOR_LENGTH, 1);
                __builtin_prefetch(fetched + to_velocity + v * VECTOR_LENGTH, 1);
            }
            fetched += c_row;
            n_fetched++;
        }
    }

    const REAL *y = finish == NAME(FINISH_DERIVATIVE) ? product->y + row * c_row + column : NULL;
    UNROLL
    for (int i = 0; i < rows; i++) {
        VECTOR bias = VECTOR_ZERO, scale = VECTOR_ZERO;
        if (finish == NAME(FINISH_ACTIVATION)) {
            bias = VECTOR_BROADCAST(product->bias[row + i]);
            scale = VECTOR_BROADCAST(product->scale ? product->scale[row + i] : (REAL)1);
        }
        UNROLL
        for (int v = 0; v < vectors; v++) {
            REAL *at = c + i * c_row + v * VECTOR_LENGTH;
            VECTOR z = sum[i][v];
            switch (finish) {
            case NAME(FINISH_STORE):
                break;
            case NAME(FINISH_ADD):
                z = VECTOR_LOAD(at) + z;
                break;
            case NAME(FINISH_ACTIVATION):
                z = VECTOR_FMA(scale, z, bias); /* with a scale of 1 the bits of a sum */
                if (product->relu)
                    z = VECTOR_RELU(z);
                break;
            case NAME(FINISH_DERIVATIVE):
                z = VECTOR_WHERE_POSITIVE(z, VECTOR_LOAD(y + i * c_row + v * VECTOR_LENGTH));
                break;
            case NAME(FINISH_MOMENTUM):
            case NAME(FINISH_NESTEROV): {
                REAL *velocity_at = velocity + i * c_row + v * VECTOR_LENGTH;
                VECTOR speed = VECTOR_LOAD(velocity_at);
                z = NAME(sgd_momentum)(VECTOR_LOAD(at), &speed, z, &product->rates,
                                       finish == NAME(FINISH_NESTEROV));
                VECTOR_STORE(velocity_at, speed);
                break;
            }
            }
            VECTOR_STORE(at, z);
        }
    }
}

#define TILE_OF(n)                                                \
    case n:                                                       \
        if (vectors == 2)                                         \
            NAME(tile)(product, row, column, n, 2, finish);       \
        else                                                      \
            NAME(tile)(product, row, column, n, 1, finish);       \
        break;

/* The tile of these sizes; `finish` is a constant where this is inlined. */
INLINE void NAME(tile_of)(const NAME(product_t) *product, int64_t row, int64_t column, int rows, int vectors,
                          const enum NAME(finish) finish)
{
    switch (rows) {
        TILE_OF(1)
        TILE_OF(2)
        TILE_OF(3)
        TILE_OF(4)
        TILE_OF(5)
        TILE_OF(6)
#if TILE_ROWS > 6
        TILE_OF(7)
        TILE_OF(8)
        TILE_OF(9)
        TILE_OF(10)
        TILE_OF(11)
        TILE_OF(12)
#endif
    }
}

/* One kernel per finish, which the products share. */
#define TILE_KERNEL(finish)                                                                                 \
    KERNEL __attribute__((noinline)) void NAME(tile_##finish)(const NAME(product_t) * product, int64_t row, \
                                                              int64_t column, int rows, int vectors)        \
    {                                                                                                       \
        NAME(tile_of)(product, row, column, rows, vectors, NAME(FINISH_##finish));                          \
    }
TILE_KERNEL(STORE)
TILE_KERNEL(ADD)
TILE_KERNEL(ACTIVATION)
TILE_KERNEL(DERIVATIVE)
TILE_KERNEL(MOMENTUM)
TILE_KERNEL(NESTEROV)


/* A tile of the gradient in a scratch of at most 1.5 KB, and any solver's step from there. */
KERNEL __attribute__((noinline)) void NAME(tile_solver)(const NAME(product_t) *product, int64_t row,
                                                        int64_t column, int rows, int vectors)
{
    _Alignas(64) REAL gradient[TILE_ROWS * TILE_COLUMNS];
    const layer_t *layer = product->layer;
    const int64_t at = row * layer->weight_stride + column;
    REAL *w = (REAL *)layer->weight + at;
    REAL *moment_1 = layer->moment_weight[0], *moment_2 = layer->moment_weight[1];
    for (int i = 0; i < rows; i++) /* fetched while the tile is summed up */
        for (int v = 0; v < vectors; v++) {
            const int64_t skip = i * layer->weight_stride + v * VECTOR_LENGTH;
            __builtin_prefetch(w + skip, 1);
            if (moment_1)
                __builtin_prefetch(moment_1 + skip, 1);
            if (moment_2)
                __builtin_prefetch(moment_2 + skip, 1);
        }
    NAME(product_t) into = *product;
    into.c = gradient - row * TILE_COLUMNS - column;
    into.c_row = TILE_COLUMNS;
    NAME(tile_STORE)(&into, row, column, rows, vectors);
    NAME(solver_step)(w, moment_1 ? moment_1 + at : NULL, moment_2 ? moment_2 + at : NULL, gradient, rows,
                      vectors * VECTOR_LENGTH, layer->weight_stride, TILE_COLUMNS, &product->step->optimizer);
}

/* All tiles of the member's rows, of m, and of n columns, padded to LANES: band after band down a panel of
 * B, which stays in the first or second cache. The rows are dealt out evenly: 50 are five bands of 10, not
 * four of 12 and one of 2. */
INLINE void NAME(tiles)(const NAME(product_t) *product, int64_t m, int64_t n, const member_t *member,
                        void (*tile)(const NAME(product_t) *, int64_t, int64_t, int, int), prefetch_t *ahead)
{
    const int64_t begin = share_begin(m, member), n_rows = share_end(m, member) - begin;
    const int64_t n_bands = (n_rows + TILE_ROWS - 1) / TILE_ROWS;
    const int64_t n_tiles = n_bands * ((n + TILE_COLUMNS - 1) / TILE_COLUMNS);
    const int64_t n_lines = ahead && n_tiles ? (ahead->n_lines + n_tiles - 1) / n_tiles : 0;
    const int64_t n_panels = n_bands ? n_tiles / n_bands : 0;
    /* With a few k there is nothing to keep in a cache: along the rows memory streams best. And an A that no
     * cache holds is to be read once, not once for every panel (784-4096-4096-10: 148 ms, so 109). */
    const int by_bands = product->n_k <= FEW || n_rows * product->n_k * (int64_t)sizeof(REAL) > 8 << 20;
    for (int64_t i = 0; i < n_tiles; i++) {
        const int64_t band = by_bands ? i / n_panels : i % n_bands;
        const int64_t column = TILE_COLUMNS * (by_bands ? i % n_panels : i / n_bands);
        const int64_t row = begin + n_rows * band / n_bands, end = begin + n_rows * (band + 1) / n_bands;
        const int64_t columns = n - column < TILE_COLUMNS ? n - column : TILE_COLUMNS;
        tile(product, row, column, (int)(end - row), (int)(columns / VECTOR_LENGTH));
        if (n_lines)
            NAME(prefetch_lines)(ahead, n_lines);
    }
}

KERNEL void NAME(tile_forward)(const layer_t *layer, const step_t *step, const member_t *member)
{
    const int64_t begin = share_begin(layer->n_out, member), end = share_end(layer->n_out, member);
    if (step->n_samples <= FEW) {
        NAME(few_forward)(layer, step, begin, end);
        return;
    }
    const NAME(product_t) product = {
        .a = layer->weight,
        .a_row = layer->weight_stride,
        .a_k = 1,
        .b = layer->inputs,
        .b_row = step->stride,
        .n_k = layer->n_in,
        .c = layer->outputs,
        .c_row = step->stride,
        .scale = layer->scale,
        .bias = layer->bias,
        .relu = layer->activation == ACTIVATION_RELU,
    };
    NAME(tiles)(&product, layer->n_out, whole_lanes(step->n_samples), member, NAME(tile_ACTIVATION), NULL);
    if (layer->activation != ACTIVATION_RELU)
        NAME(activate_units)(layer, step, 1, begin, end);
}

KERNEL void NAME(tile_backward)(const layer_t *layer, const step_t *step, const member_t *member)
{
    const int64_t begin = share_begin(layer->n_in, member), end = share_end(layer->n_in, member);
    if (step->n_samples <= FEW) {
        NAME(few_backward)(layer, step, begin, end);
        return;
    }
    const int is_relu = layer->input_activation == ACTIVATION_RELU;
    const NAME(product_t) product = {
        .a = layer->weight,
        .a_row = 1,
        .a_k = layer->weight_stride,
        .b = layer->d_outputs,
        .b_row = step->stride,
        .n_k = layer->n_out,
        .c = layer->d_inputs,
        .c_row = step->stride,
        .y = layer->inputs,
    };
    NAME(tiles)(&product, layer->n_in, whole_lanes(step->n_samples), member,
                is_relu ? NAME(tile_DERIVATIVE) : NAME(tile_STORE), NULL);
    if (!is_relu)
        NAME(derive_inputs)(layer, step, begin, end);
}

KERNEL void NAME(tile_update)(const layer_t *layer, const step_t *step, const member_t *member)
{
    const optimizer_t *optimizer = &step->optimizer;
    const int is_momentum = optimizer->solver == SOLVER_SGD && layer->moment_weight[0] && NAME(is_plain)(optimizer);
    const NAME(product_t) product = {
        .a = layer->d_outputs,
        .a_row = step->stride,
        .a_k = 1,
        .b = layer->inputs_rows,
        .b_row = layer->weight_stride,
        .n_k = step->n_samples,
        .c = step->accumulate ? layer->d_weight : layer->weight,
        .c_row = layer->weight_stride,
        .velocity = layer->moment_weight[0],
        .rates = NAME(rates_of)(optimizer),
        .layer = layer,
        .step = step,
    };
    NAME(tiles)(&product, layer->n_out, whole_lanes(layer->n_in), member,
                step->accumulate       ? NAME(tile_ADD)
                : !is_momentum         ? NAME(tile_solver)
                : optimizer->nesterov  ? NAME(tile_NESTEROV)
                                       : NAME(tile_MOMENTUM),
                layer->d_inputs ? NULL : step->ahead); /* the first layer's, the last and mostly the longest */
}
