/* tiles.inc.c: our own matrix products, for the shapes and machines where BLAS leaves speed unused.
 *
 * Design. All three products of a layer are C (m, n) = A (m, k) B (k, n) with vectors along n and one
 * element of A broadcast at a time, so one kernel serves them: only the strides of A differ. A tile of
 * up to TILE_ROWS x 2 vectors of C stays in registers for the whole sum over k, each element one chain of
 * fused multiply-adds in the order of k: the same bits on every instruction set. Nothing is packed: W is
 * read by broadcast where it lies. A finished tile goes through a scratch of at most 1.5 KB, still in the
 * first cache, to what belongs to the product: bias and activation, its derivative, the solver's step.
 *
 *   forward   z (n_out, samples)  = W (n_out, n_in)       x (n_in, samples)
 *   backward  d_x (n_in, samples) = W^T (n_in, n_out)     d_y (n_out, samples)
 *   update    d_W (n_out, n_in)   = d_y (n_out, samples)  x^T (samples, n_in)
 */

#define TILE_COLUMNS (2 * VECTOR_LENGTH)

/* One tile: tile (rows, vectors) = A B over n_k; `rows` and `vectors` are constants where this is inlined. */
INLINE void NAME(accumulate)(REAL *tile, const REAL *a, ptrdiff_t a_row, ptrdiff_t a_k, const REAL *b,
                             ptrdiff_t b_row, int64_t n_k, const int rows, const int vectors)
{
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
        group[g] = a + 3 * g * a_row;
    for (int64_t k = 0; k < n_k; k++) {
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
    }
    UNROLL
    for (int i = 0; i < rows; i++)
        UNROLL
        for (int v = 0; v < vectors; v++)
            VECTOR_STORE(tile + i * TILE_COLUMNS + v * VECTOR_LENGTH, sum[i][v]);
}

#define ACCUMULATE(rows)                                                                               \
    case rows:                                                                                         \
        if (vectors == 2)                                                                              \
            NAME(accumulate)(tile, a, a_row, a_k, b, b_row, n_k, rows, 2);                             \
        else                                                                                           \
            NAME(accumulate)(tile, a, a_row, a_k, b, b_row, n_k, rows, 1);                             \
        break;

/* The tile of these sizes; not inlined, or each of the three products would hold all sizes again. */
KERNEL __attribute__((noinline)) void NAME(accumulate_tile)(REAL *tile, const REAL *a, ptrdiff_t a_row,
                                                            ptrdiff_t a_k, const REAL *b, ptrdiff_t b_row,
                                                            int64_t n_k, int rows, int vectors)
{
    switch (rows) {
        ACCUMULATE(1)
        ACCUMULATE(2)
        ACCUMULATE(3)
        ACCUMULATE(4)
        ACCUMULATE(5)
        ACCUMULATE(6)
#if TILE_ROWS > 6
        ACCUMULATE(7)
        ACCUMULATE(8)
        ACCUMULATE(9)
        ACCUMULATE(10)
        ACCUMULATE(11)
        ACCUMULATE(12)
#endif
    }
}

/* What becomes of a finished tile: C[row .. row + rows, column .. column + columns]. */
typedef void NAME(finish_t)(const REAL *tile, const layer_t *layer, const step_t *step, int64_t row,
                            int64_t column, int rows, int columns);

/* Tile by tile over C (m, n); n is padded to LANES. The rows are dealt out evenly: 50 rows are five tiles
 * of 10, not four of 12 and one of 2. */
INLINE void NAME(product)(const REAL *a, ptrdiff_t a_row, ptrdiff_t a_k, const REAL *b, ptrdiff_t b_row,
                          int64_t m, int64_t n, int64_t n_k, NAME(finish_t) *finish, const layer_t *layer,
                          const step_t *step)
{
    _Alignas(64) REAL tile[TILE_ROWS * TILE_COLUMNS];
    const int64_t n_tiles = (m + TILE_ROWS - 1) / TILE_ROWS;
    for (int64_t column = 0; column < n; column += TILE_COLUMNS) {
        const int columns = n - column < TILE_COLUMNS ? (int)(n - column) : TILE_COLUMNS;
        for (int64_t t = 0; t < n_tiles; t++) {
            const int64_t row = m * t / n_tiles;
            const int rows = (int)(m * (t + 1) / n_tiles - row);
            NAME(accumulate_tile)(tile, a + row * a_row, a_row, a_k, b + column, b_row, n_k, rows,
                                  columns / VECTOR_LENGTH);
            finish(tile, layer, step, row, column, rows, columns);
        }
    }
}

/* z + bias -> activation -> outputs; softmax looks across units and follows when all tiles are done. */
INLINE void NAME(finish_outputs)(const REAL *tile, const layer_t *layer, const step_t *step, int64_t row,
                                 int64_t column, int rows, int columns, const activation_t kind)
{
    const REAL *bias = (const REAL *)layer->bias + row;
    REAL *out = (REAL *)layer->outputs + row * step->stride + column;
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++)
            out[i * step->stride + j] = NAME(activate)(tile[i * TILE_COLUMNS + j] + bias[i], kind);
}

KERNEL void NAME(finish_forward)(const REAL *tile, const layer_t *layer, const step_t *step, int64_t row,
                                 int64_t column, int rows, int columns)
{
    switch (layer->activation) { /* each its own loop, which then vectorises */
    case ACTIVATION_RELU:
        NAME(finish_outputs)(tile, layer, step, row, column, rows, columns, ACTIVATION_RELU);
        break;
    case ACTIVATION_TANH:
        NAME(finish_outputs)(tile, layer, step, row, column, rows, columns, ACTIVATION_TANH);
        break;
    case ACTIVATION_LOGISTIC:
        NAME(finish_outputs)(tile, layer, step, row, column, rows, columns, ACTIVATION_LOGISTIC);
        break;
    case ACTIVATION_IDENTITY:
    case ACTIVATION_SOFTMAX:
        NAME(finish_outputs)(tile, layer, step, row, column, rows, columns, ACTIVATION_IDENTITY);
        break;
    }
}

KERNEL void NAME(finish_backward)(const REAL *tile, const layer_t *layer, const step_t *step, int64_t row,
                                  int64_t column, int rows, int columns)
{
    REAL *out = (REAL *)layer->d_inputs + row * step->stride + column;
    for (int i = 0; i < rows; i++)
        memcpy(out + i * step->stride, tile + i * TILE_COLUMNS, (size_t)columns * sizeof(REAL));
}

KERNEL void NAME(finish_update)(const REAL *tile, const layer_t *layer, const step_t *step, int64_t row,
                                int64_t column, int rows, int columns)
{
    const int64_t at = row * layer->weight_stride + column;
    if (step->accumulate) {
        REAL *gradient = (REAL *)layer->d_weight + at;
        for (int i = 0; i < rows; i++)
            for (int j = 0; j < columns; j++)
                gradient[i * layer->weight_stride + j] += tile[i * TILE_COLUMNS + j];
        return;
    }
    REAL *moment_1 = layer->moment_weight[0], *moment_2 = layer->moment_weight[1];
    NAME(solver_step)((REAL *)layer->weight + at, moment_1 ? moment_1 + at : NULL,
                      moment_2 ? moment_2 + at : NULL, tile, rows, columns, layer->weight_stride,
                      TILE_COLUMNS, &step->optimizer);
}

KERNEL void NAME(tile_forward)(const layer_t *layer, const step_t *step)
{
    NAME(product)(layer->weight, layer->weight_stride, 1, layer->inputs, step->stride, layer->n_out,
                  whole_lanes(step->n_samples), layer->n_in, NAME(finish_forward), layer, step);
    if (layer->activation == ACTIVATION_SOFTMAX)
        NAME(activation_forward)(layer->outputs, NULL, layer->n_out, step->n_samples, step->stride,
                                 ACTIVATION_SOFTMAX);
    if (layer->outputs_rows)
        NAME(transpose)(layer->outputs_rows, layer->outputs, layer->n_out, step->n_samples,
                        whole_lanes(layer->n_out), step->stride);
}

KERNEL void NAME(tile_backward)(const layer_t *layer, const step_t *step)
{
    NAME(product)(layer->weight, 1, layer->weight_stride, layer->d_outputs, step->stride, layer->n_in,
                  whole_lanes(step->n_samples), layer->n_out, NAME(finish_backward), layer, step);
    NAME(activation_backward)(layer->d_inputs, layer->inputs, layer->n_in, step->n_samples, step->stride,
                              layer->input_activation);
}

KERNEL void NAME(tile_update)(const layer_t *layer, const step_t *step)
{
    optimizer_t of_bias = step->optimizer;
    of_bias.l2 = 0;
    NAME(row_sums)(layer->d_bias, layer->d_outputs, layer->n_out, step->n_samples, step->stride,
                   step->accumulate);
    NAME(product)(layer->d_outputs, step->stride, 1, layer->inputs_rows, whole_lanes(layer->n_in),
                  layer->n_out, whole_lanes(layer->n_in), step->n_samples, NAME(finish_update), layer, step);
    if (!step->accumulate)
        NAME(solver_step)(layer->bias, layer->moment_bias[0], layer->moment_bias[1], layer->d_bias, 1,
                          layer->n_out, 0, 0, &of_bias);
}
