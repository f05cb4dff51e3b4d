/* few.inc.c: products for a few samples, where vectors over the batch would be nearly empty.
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

/* z = W x for the units [begin, end) and n_samples, a constant where this is inlined. */
INLINE void few_units(const layer_t *layer, ptrdiff_t stride, int64_t begin, int64_t end, int64_t sample,
                      const int n_samples)
{
    enum { GROUPS = 2 }; /* their chains of additions overlap */
    const real_t *x = (const real_t *)layer->inputs + sample;
    for (int64_t unit = begin; unit < end; unit += GROUPS * VECTOR_LENGTH) {
        vector_t sum[GROUPS][4];
        for (int g = 0; g < GROUPS; g++)
            for (int s = 0; s < n_samples; s++)
                sum[g][s] = vector_zero();
        const real_t *weight = (const real_t *)layer->weight + unit * layer->weight_stride;
        for (int64_t k = 0; k < layer->n_in; k += VECTOR_LENGTH) {
            UNROLL
            for (int g = 0; g < GROUPS; g++) {
                const real_t *at = weight + g * VECTOR_LENGTH * layer->weight_stride + k;
                const int64_t n_units = end - unit - g * VECTOR_LENGTH;
                if (n_units >= VECTOR_LENGTH) /* without a question at every row */
                    few_block(sum[g], at, layer->weight_stride, VECTOR_LENGTH, x + k * stride, stride,
                              layer->n_in - k, n_samples);
                else if (n_units > 0)
                    few_block(sum[g], at, layer->weight_stride, n_units, x + k * stride, stride,
                              layer->n_in - k, n_samples);
            }
        }
        for (int g = 0; g < GROUPS; g++)
            for (int s = 0; s < n_samples; s++) {
                real_t z[VECTOR_LENGTH];
                vector_store(z, sum[g][s]);
                for (int64_t i = 0; i < VECTOR_LENGTH && unit + g * VECTOR_LENGTH + i < end; i++)
                    ((real_t *)layer->outputs)[(unit + g * VECTOR_LENGTH + i) * stride + sample + s] = z[i];
            }
    }
}

static void few_forward(const layer_t *layer, const step_t *step, int64_t begin, int64_t end)
{
    int64_t sample = 0;
    for (; sample + 4 <= step->n_samples; sample += 4)
        few_units(layer, step->stride, begin, end, sample, 4);
    for (; sample < step->n_samples; sample++)
        few_units(layer, step->stride, begin, end, sample, 1);
    activate_units(layer, step, 0, begin, end);
}

/* d_x = W^T d for the inputs [begin, end): along the rows of W, several vectors and samples at a time. */
INLINE void few_inputs(const layer_t *layer, ptrdiff_t stride, int64_t begin, int64_t end, int64_t sample,
                       const int n_samples)
{
    enum { VECTORS = 4 };
    const real_t *d = (const real_t *)layer->d_outputs + sample;
    for (int64_t input = begin; input < end; input += VECTORS * VECTOR_LENGTH) {
        vector_t sum[VECTORS][4];
        UNROLL
        for (int v = 0; v < VECTORS; v++)
            for (int s = 0; s < n_samples; s++)
                sum[v][s] = vector_zero();
        const real_t *weight = (const real_t *)layer->weight + input;
        /* The last vectors may reach beyond the row, by less than the padding that follows the last row. */
        for (int64_t unit = 0; unit < layer->n_out; unit++, weight += layer->weight_stride) {
            UNROLL
            for (int v = 0; v < VECTORS; v++)
                if (input + v * VECTOR_LENGTH < end) {
                    UNROLL
                    for (int s = 0; s < n_samples; s++)
                        sum[v][s] = vector_fma(vector_load(weight + v * VECTOR_LENGTH),
                                               vector_broadcast(d[unit * stride + s]), sum[v][s]);
                }
        }
        for (int v = 0; v < VECTORS; v++)
            for (int s = 0; s < n_samples; s++) {
                real_t d_x[VECTOR_LENGTH];
                vector_store(d_x, sum[v][s]);
                for (int64_t i = 0; i < VECTOR_LENGTH && input + v * VECTOR_LENGTH + i < end; i++)
                    ((real_t *)layer->d_inputs)[(input + v * VECTOR_LENGTH + i) * stride + sample + s] =
                        d_x[i];
            }
    }
}

static void few_backward(const layer_t *layer, const step_t *step, int64_t begin, int64_t end)
{
    int64_t sample = 0;
    for (; sample + 4 <= step->n_samples; sample += 4)
        few_inputs(layer, step->stride, begin, end, sample, 4);
    for (; sample < step->n_samples; sample++)
        few_inputs(layer, step->stride, begin, end, sample, 1);
    for (int64_t i = begin; i < end; i++) /* beyond the last sample gradients are zero */
        for (int64_t s = step->n_samples; s < whole_lanes(step->n_samples); s++)
            ((real_t *)layer->d_inputs)[i * step->stride + s] = 0;
    derive_inputs(layer, step, begin, end);
}
