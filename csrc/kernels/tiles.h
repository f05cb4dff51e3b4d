/* tiles.h: our own matrix products, for the shapes and machines where BLAS leaves speed unused.
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
 * A member of a team of threads makes some of the rows of C.
 */

enum { TILE_COLUMNS = 2 * VECTOR_LENGTH };

/* What becomes of the sums of a tile. */
typedef enum {
    EPILOGUE_STORE,      /* c = sum */
    EPILOGUE_ADD,        /* c = c + sum */
    EPILOGUE_ACTIVATION, /* c = scale sum + bias, or relu of it */
    EPILOGUE_DERIVATIVE, /* c = sum relu'(y) */
    EPILOGUE_MOMENTUM,   /* the step of gradient descent with momentum on the weights c */
    EPILOGUE_NESTEROV,   /* with Nesterov's */
} epilogue_t;

/* A matrix product and what belongs to it. */
typedef struct {
    const real_t *a, *b;
    ptrdiff_t a_row, a_k; /* from one row of A to the next, from one k to the next */
    ptrdiff_t b_row;
    int64_t n_k;
    real_t *c; /* it begins with this row and column of the product */
    int64_t first_row, first_column;
    ptrdiff_t c_row;
    const real_t *scale, *bias; /* EPILOGUE_ACTIVATION; scale NULL: 1 */
    int relu;
    const real_t *y;  /* EPILOGUE_DERIVATIVE, rows c_row apart */
    real_t *velocity; /* EPILOGUE_MOMENTUM and EPILOGUE_NESTEROV, rows c_row apart */
    rates_t rates;
    const learned_t *weight; /* tile_solver */
    const optimizer_t *optimizer;
} product_t;

/* One tile, of the rows from `row` and the columns from `column` on. `rows`, `vectors` and `epilogue` are
 * constants where this is inlined; every loop over the sums is unrolled whole. */
INLINE void tile(const product_t *product, int64_t row, int64_t column, const int rows, const int vectors,
                 const epilogue_t epilogue)
{
    const ptrdiff_t a_row = product->a_row, a_k = product->a_k, b_row = product->b_row;
    const ptrdiff_t c_row = product->c_row;
    real_t *c = product->c + (row - product->first_row) * c_row + column - product->first_column;
    const int is_step = epilogue == EPILOGUE_MOMENTUM || epilogue == EPILOGUE_NESTEROV;
    real_t *velocity = is_step ? product->velocity + row * c_row + column : NULL;
    /* The step reads and writes weights and velocity, which seldom are in the first two caches: fetched along
     * with the sums, a row of the tile every few k, they are there when these are done. */
    int64_t n_fetched = 0, fetched = 0;

    vector_t sum[TILE_ROWS][2];
    UNROLL
    for (int i = 0; i < rows; i++) {
        UNROLL
        for (int v = 0; v < vectors; v++)
            sum[i][v] = vector_zero();
    }
    /* Rows of A in groups of three: base, base + row, base + 2 row take few enough registers. */
    const real_t *group[(TILE_ROWS + 2) / 3];
    UNROLL
    for (int g = 0; g < (rows + 2) / 3; g++)
        group[g] = product->a + (row + 3 * g) * a_row;
    const real_t *b = product->b + column;
    for (int64_t k = product->n_k; k > 0;) {
        vector_t x[2];
        UNROLL
        for (int v = 0; v < vectors; v++)
            x[v] = vector_load(b + v * VECTOR_LENGTH);
        UNROLL
        for (int i = 0; i < rows; i++) {
            const vector_t w = vector_broadcast(group[i / 3][(i % 3) * a_row]);
            UNROLL
            for (int v = 0; v < vectors; v++)
                sum[i][v] = vector_fma(w, x[v], sum[i][v]);
        }
        if (is_step && (k & 3) == 0 && n_fetched < rows) {
            UNROLL
            for (int v = 0; v < vectors; v++) {
                __builtin_prefetch(c + fetched + v * VECTOR_LENGTH, 1);
                __builtin_prefetch(velocity + fetched + v * VECTOR_LENGTH, 1);
            }
            fetched += c_row;
            n_fetched++;
        }
        if (--k == 0)
            break; /* no pointer leaves its matrix */
        UNROLL
        for (int g = 0; g < (rows + 2) / 3; g++)
            group[g] += a_k;
        b += b_row;
    }

    const real_t *y = epilogue == EPILOGUE_DERIVATIVE ? product->y + row * c_row + column : NULL;
    UNROLL
    for (int i = 0; i < rows; i++) {
        vector_t bias = vector_zero(), scale = vector_zero();
        if (epilogue == EPILOGUE_ACTIVATION) {
            bias = vector_broadcast(product->bias[row + i]);
            scale = vector_broadcast(product->scale ? product->scale[row + i] : (real_t)1);
        }
        UNROLL
        for (int v = 0; v < vectors; v++) {
            real_t *at = c + i * c_row + v * VECTOR_LENGTH;
            vector_t z = sum[i][v];
            switch (epilogue) {
            case EPILOGUE_STORE:
                break;
            case EPILOGUE_ADD:
                z = vector_load(at) + z;
                break;
            case EPILOGUE_ACTIVATION:
                z = vector_fma(scale, z, bias); /* with a scale of 1 the bits of a sum */
                if (product->relu)
                    z = vector_relu(z);
                break;
            case EPILOGUE_DERIVATIVE:
                z = vector_where_positive(z, vector_load(y + i * c_row + v * VECTOR_LENGTH));
                break;
            case EPILOGUE_MOMENTUM:
            case EPILOGUE_NESTEROV: {
                real_t *velocity_at = velocity + i * c_row + v * VECTOR_LENGTH;
                vector_t speed = vector_load(velocity_at);
                z = sgd_momentum(vector_load(at), &speed, z, &product->rates, epilogue == EPILOGUE_NESTEROV);
                vector_store(velocity_at, speed);
                break;
            }
            }
            vector_store(at, z);
        }
    }
}

#define TILE_OF(n)                                      \
    case n:                                             \
        if (vectors == 2)                               \
            tile(product, row, column, n, 2, epilogue); \
        else                                            \
            tile(product, row, column, n, 1, epilogue); \
        break;

/* The tile of these sizes; `epilogue` is a constant where this is inlined. */
INLINE void tile_of(const product_t *product, int64_t row, int64_t column, int rows, int vectors,
                    const epilogue_t epilogue)
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

/* One function for each epilogue, which the products share. */
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

static NOINLINE void tile_momentum(const product_t *product, int64_t row, int64_t column, int rows,
                                   int vectors)
{
    tile_of(product, row, column, rows, vectors, EPILOGUE_MOMENTUM);
}

static NOINLINE void tile_nesterov(const product_t *product, int64_t row, int64_t column, int rows,
                                   int vectors)
{
    tile_of(product, row, column, rows, vectors, EPILOGUE_NESTEROV);
}

/* A tile of the gradient in a scratch of at most 1.5 KB, and any solver's step from there. */
static NOINLINE void tile_solver(const product_t *product, int64_t row, int64_t column, int rows, int vectors)
{
    _Alignas(64) real_t gradient[TILE_ROWS * TILE_COLUMNS];
    const learned_t *weight = product->weight;
    const int64_t stride = weight->stride, at = row * stride + column;
    real_t *w = (real_t *)weight->value + at;
    real_t *moment_1 = weight->moments[0] ? (real_t *)weight->moments[0] + at : NULL;
    real_t *moment_2 = weight->moments[1] ? (real_t *)weight->moments[1] + at : NULL;
    for (int i = 0; i < rows; i++) /* fetched while the tile is summed up */
        for (int v = 0; v < vectors; v++) {
            const int64_t skip = i * stride + v * VECTOR_LENGTH;
            __builtin_prefetch(w + skip, 1);
            if (moment_1)
                __builtin_prefetch(moment_1 + skip, 1);
            if (moment_2)
                __builtin_prefetch(moment_2 + skip, 1);
        }
    product_t into = *product;
    into.c = gradient;
    into.c_row = TILE_COLUMNS;
    into.first_row = row;
    into.first_column = column;
    tile_store(&into, row, column, rows, vectors);
    solver_step(w, moment_1, moment_2, gradient, rows, vectors * VECTOR_LENGTH, stride, TILE_COLUMNS,
                product->optimizer);
}

typedef void tile_t(const product_t *product, int64_t row, int64_t column, int rows, int vectors);

/* All tiles of the block's rows and of n columns, padded to LANES: band after band down a panel of B, which stays in
 * the first or second cache. The rows are dealt out evenly: 50 are five bands of 10, not four of 12 and one of 2. */
INLINE void tiles(const product_t *product, const block_t *block, int64_t n, tile_t *tile, prefetch_t *ahead)
{
    const int64_t n_rows = block->n_units;
    const int64_t n_bands = (n_rows + TILE_ROWS - 1) / TILE_ROWS;
    const int64_t n_tiles = n_bands * ((n + TILE_COLUMNS - 1) / TILE_COLUMNS);
    const int64_t n_lines = ahead && n_tiles ? (ahead->n_lines + n_tiles - 1) / n_tiles : 0;
    const int64_t n_panels = n_bands ? n_tiles / n_bands : 0;
    /* With a few k there is nothing to keep in a cache: along the rows memory streams best. And an A that no
     * cache holds is to be read once, not once for every panel (784-4096-4096-10: 148 ms, so 109). */
    const int by_bands = product->n_k <= FEW || n_rows * product->n_k * (int64_t)sizeof(real_t) > 8 << 20;
    for (int64_t i = 0; i < n_tiles; i++) {
        const int64_t band = by_bands ? i / n_panels : i % n_bands;
        const int64_t column = TILE_COLUMNS * (by_bands ? i % n_panels : i / n_bands);
        const int64_t row = block->unit + n_rows * band / n_bands;
        const int64_t end = block->unit + n_rows * (band + 1) / n_bands;
        const int64_t columns = n - column < TILE_COLUMNS ? n - column : TILE_COLUMNS;
        tile(product, row, column, (int)(end - row), (int)(columns / VECTOR_LENGTH));
        if (n_lines)
            prefetch_lines(ahead, n_lines);
    }
}

static void tile_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const linear_t *linear = operation;
    if (batch->n_samples <= FEW) {
        few_forward(linear, batch, block);
        return;
    }
    const product_t product = {
        .a = linear->weight.value,
        .a_row = linear->weight.stride,
        .a_k = 1,
        .b = linear->inputs,
        .b_row = batch->stride,
        .n_k = linear->n_in,
        .c = linear->outputs,
        .c_row = batch->stride,
        .scale = linear->scale,
        .bias = linear->bias,
        .relu = linear->activation.kind == ACTIVATION_RELU,
    };
    tiles(&product, block, whole_lanes(batch->n_samples), tile_activation, NULL);
    if (!product.relu)
        activate_outputs(linear, batch, block, 1);
}

static void tile_backward(const void *operation, batch_t *batch, const block_t *block)
{
    const linear_t *linear = operation;
    if (batch->n_samples <= FEW) {
        few_backward(linear, batch, block);
        return;
    }
    const int is_relu = linear->input_activation.kind == ACTIVATION_RELU;
    const product_t product = {
        .a = linear->weight.value,
        .a_row = 1,
        .a_k = linear->weight.stride,
        .b = linear->d_outputs,
        .b_row = batch->stride,
        .n_k = linear->n_out,
        .c = linear->d_inputs,
        .c_row = batch->stride,
        .y = linear->inputs,
    };
    tiles(&product, block, whole_lanes(batch->n_samples), is_relu ? tile_derivative : tile_store, NULL);
    if (!is_relu)
        derive_inputs(linear, batch, block);
}

static void tile_update(const void *operation, batch_t *batch, const block_t *block)
{
    const linear_t *linear = operation;
    const learned_t *weight = &linear->weight;
    const optimizer_t *optimizer = &batch->optimizer;
    const int is_momentum =
        optimizer->solver == SOLVER_SGD && weight->moments[0] && fastmlp_is_plain(optimizer);
    const product_t product = {
        .a = linear->d_outputs,
        .a_row = batch->stride,
        .a_k = 1,
        .b = linear->inputs_rows,
        .b_row = weight->stride,
        .n_k = batch->n_samples,
        .c = batch->accumulate ? weight->gradient : weight->value,
        .c_row = weight->stride,
        .velocity = weight->moments[0],
        .rates = rates_of(optimizer),
        .weight = weight,
        .optimizer = optimizer,
    };
    tile_t *tile = batch->accumulate     ? tile_add
                   : !is_momentum        ? tile_solver
                   : optimizer->nesterov ? tile_nesterov
                                         : tile_momentum;
    /* The next batch is fetched during the first layer's update, the last and mostly the longest. */
    tiles(&product, block, whole_lanes(linear->n_in), tile, linear->d_inputs ? NULL : batch->ahead);
}

static const operation_type_t linear_operation = {
    .forward = {tile_forward, BY_UNITS, READS_ALL, 1},
    .backward = {tile_backward, BY_UNITS, READS_ALL, 1},
    .update = {tile_update, BY_UNITS, READS_OWN},
};
