/* few.h: products for a few samples, where vectors over the batch would be nearly empty.
 *
 * Learning online and predicting a row read every weight once; what counts is how fast they stream by.
 * Vectors run along the rows of W instead. Forward, a block of weights is transposed in registers, so that
 * every output is still one chain of fused multiply-adds in the order of k: the bits are those of the tiles.
 * (784-256-128-10, one row: 12 us; in tiles 29.)
 */

enum { FEW = 8 }; /* up to this many samples */

/* Add to sum[s], for the units of one block, the products of their weights from column k on with x. */
INLINE void few_block(vector_t *sum, const real_t *weight, ptrdiff_t weight_stride, int64_t n_units,
                      const real_t *x, ptrdiff_t stride, int64_t n_k, const int n_samples)
{
    vector_t block[VECTOR_LENGTH];
    UNROLL
    for (int i = 0; i < VECTOR_LENGTH; i++)
        block[i] = i < n_units ? vector_load(weight + i * weight_stride) : vector_zero();
    vector_transpose(block);
    if (n_k >= VECTOR_LENGTH) {
        UNROLL
        for (int k = 0; k < VECTOR_LENGTH; k++) {
            UNROLL
            for (int s = 0; s < n_samples; s++)
                sum[s] = vector_fma(block[k], vector_broadcast(x[k * stride + s]), sum[s]);
        }
        return;
    }
    UNROLL
    for (int k = 0; k < VECTOR_LENGTH; k++)
        if (k < n_k) {
            UNROLL
            for (int s = 0; s < n_samples; s++)
                sum[s] = vector_fma(block[k], vector_broadcast(x[k * stride + s]), sum[s]);
        }
}

/* z = W x for the block's units and n_samples from `sample` on, a constant where this is inlined. */
INLINE void few_units(const linear_t *linear, ptrdiff_t stride, const block_t *block, int64_t sample,
                      const int n_samples)
{
    enum { GROUPS = 2 }; /* their chains of additions overlap */
    const real_t *x = (const real_t *)linear->inputs + sample;
    const int64_t end = block->unit + block->n_units, weight_stride = linear->weight.stride,
                  n_k = linear->n_in;
    for (int64_t unit = block->unit; unit < end; unit += GROUPS * VECTOR_LENGTH) {
        vector_t sum[GROUPS][4];
        for (int g = 0; g < GROUPS; g++)
            for (int s = 0; s < n_samples; s++)
                sum[g][s] = vector_zero();
        const real_t *weight = (const real_t *)linear->weight.value + unit * weight_stride;
        for (int64_t k = 0; k < n_k; k += VECTOR_LENGTH) {
            UNROLL
            for (int g = 0; g < GROUPS; g++) {
                const int64_t at = g * VECTOR_LENGTH * weight_stride + k;
                const int64_t n_units = end - unit - g * VECTOR_LENGTH;
                if (n_units >= VECTOR_LENGTH) /* without a question at every row */
                    few_block(sum[g], weight + at, weight_stride, VECTOR_LENGTH, x + k * stride, stride,
                              n_k - k, n_samples);
                else if (n_units > 0)
                    few_block(sum[g], weight + at, weight_stride, n_units, x + k * stride, stride, n_k - k,
                              n_samples);
            }
        }
        for (int g = 0; g < GROUPS; g++)
            for (int s = 0; s < n_samples; s++) {
                real_t z[VECTOR_LENGTH];
                vector_store(z, sum[g][s]);
                for (int64_t i = 0; i < VECTOR_LENGTH && unit + g * VECTOR_LENGTH + i < end; i++)
                    ((real_t *)linear->outputs)[(unit + g * VECTOR_LENGTH + i) * stride + sample + s] = z[i];
            }
    }
}

static NOINLINE void few_forward(const linear_t *linear, const batch_t *batch, const block_t *block)
{
    int64_t sample = 0;
    for (; sample + 4 <= batch->n_samples; sample += 4)
        few_units(linear, batch->stride, block, sample, 4);
    for (; sample < batch->n_samples; sample++)
        few_units(linear, batch->stride, block, sample, 1);
    activate_outputs(linear, batch, block, 0);
}

/* d_x = W^T d for the block's inputs: along the rows of W, several vectors and samples at a time. */
INLINE void few_inputs(const linear_t *linear, ptrdiff_t stride, const block_t *block, int64_t sample,
                       const int n_samples)
{
    enum { VECTORS = 4 };
    const real_t *d = (const real_t *)linear->d_outputs + sample;
    const int64_t end = block->unit + block->n_units, weight_stride = linear->weight.stride;
    /* From whole groups of LANES on, so that no vector leaves its row. */
    for (int64_t input = block->unit & ~(int64_t)(LANES - 1); input < end; input += VECTORS * VECTOR_LENGTH) {
        vector_t sum[VECTORS][4];
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            for (int s = 0; s < n_samples; s++)
                sum[v][s] = vector_zero();
        const real_t *weight = (const real_t *)linear->weight.value + input;
        for (int64_t unit = 0; unit < linear->n_out; unit++) {
            const real_t *row = weight + unit * weight_stride;
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                if (input + v * VECTOR_LENGTH < end) {
                    UNROLL
                    for (int s = 0; s < n_samples; s++)
                        sum[v][s] = vector_fma(vector_load(row + v * VECTOR_LENGTH),
                                               vector_broadcast(d[unit * stride + s]), sum[v][s]);
                }
        }
        for (int v = 0; v < VECTORS; v++)
            for (int s = 0; s < n_samples; s++) {
                real_t d_x[VECTOR_LENGTH];
                vector_store(d_x, sum[v][s]);
                for (int64_t i = 0; i < VECTOR_LENGTH; i++) {
                    const int64_t at = input + v * VECTOR_LENGTH + i;
                    if (block->unit <= at && at < end)
                        ((real_t *)linear->d_inputs)[at * stride + sample + s] = d_x[i];
                }
            }
    }
}

static NOINLINE void few_backward(const linear_t *linear, const batch_t *batch, const block_t *block)
{
    int64_t sample = 0;
    for (; sample + 4 <= batch->n_samples; sample += 4)
        few_inputs(linear, batch->stride, block, sample, 4);
    for (; sample < batch->n_samples; sample++)
        few_inputs(linear, batch->stride, block, sample, 1);
    for (int64_t i = block->unit; i < block->unit + block->n_units;
         i++) /* beyond the last sample it is zero */
        for (int64_t s = batch->n_samples; s < whole_lanes(batch->n_samples); s++)
            ((real_t *)linear->d_inputs)[i * batch->stride + s] = 0;
    derive_inputs(linear, batch, block);
}
