/* sparse.h: the first layer's products with sparse inputs.
 *
 * A batch of text is nearly all zeros: 200 rows of 100,000 columns, 50 of them used in each, would be 80 MB as a
 * matrix. Here only what is there is read, once for every few units, whose rows of W stay in the caches. Every
 * sum is one chain in the order of the stored elements, whoever makes it.
 */

/* z (n_units, stride) = W x^T for the chosen rows of x, zero beyond the last sample. */
static void sparse_forward(void *z_, const void *weight_, const csr_t *x, const int64_t *rows,
                           int64_t n_units, int64_t n_samples, int64_t stride, int64_t weight_stride)
{
    enum {
        GROUP = 8
    }; /* chains of additions that overlap, and share the reading of x: 3 times as fast as one */
    const real_t *weight = weight_, *values = x->values;
    real_t *z = z_;
    for (int64_t unit = 0; unit < n_units; unit += GROUP) {
        const int64_t n = n_units - unit < GROUP ? n_units - unit : GROUP;
        const real_t *w[GROUP]; /* beyond the last unit, the last one's again */
        for (int64_t i = 0; i < GROUP; i++)
            w[i] = weight + (unit + (i < n ? i : n - 1)) * weight_stride;
        for (int64_t sample = 0; sample < n_samples; sample++) {
            const int64_t end = x->starts[rows[sample] + 1];
            real_t sum[GROUP] = {0};
            for (int64_t k = x->starts[rows[sample]]; k < end; k++) {
                const int64_t column = x->columns[k];
                UNROLL
                for (int i = 0; i < GROUP; i++)
                    sum[i] = real_fma(values[k], w[i][column], sum[i]);
            }
            for (int64_t i = 0; i < n; i++)
                z[(unit + i) * stride + sample] = sum[i];
        }
        for (int64_t i = 0; i < n; i++)
            for (int64_t sample = n_samples; sample < whole_lanes(n_samples); sample++)
                z[(unit + i) * stride + sample] = 0;
    }
}

/* g (n_columns) += the sum over the samples of d (n_samples) times x: one unit's gradient. */
static void sparse_gradient(void *g_, const void *d_, const csr_t *x, const int64_t *rows, int64_t n_samples)
{
    const real_t *d = d_, *values = x->values;
    real_t *g = g_;
    for (int64_t sample = 0; sample < n_samples; sample++) {
        const int64_t end = x->starts[rows[sample] + 1];
        if (d[sample] != 0) /* a unit that is off has nothing to add */
            for (int64_t k = x->starts[rows[sample]]; k < end; k++)
                g[x->columns[k]] = real_fma(d[sample], values[k], g[x->columns[k]]);
    }
}

static void sparse_linear_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const sparse_linear_t *own = operation;
    const linear_t *linear = &own->linear;
    sparse_forward((real_t *)linear->outputs + block->unit * batch->stride,
                   (const real_t *)linear->weight.value + block->unit * linear->weight.stride, &own->x,
                   batch->rows, block->n_units, batch->n_samples, batch->stride, linear->weight.stride);
    activate_outputs(linear, batch, block, 0);
}

/* The gradient of the units' weights, and the solver's step on all of them: their moments go on where a column is
 * empty. */
static void sparse_linear_update(const void *operation, batch_t *batch, const block_t *block)
{
    const sparse_linear_t *own = operation;
    const learned_t *weight = &own->linear.weight;
    real_t *gradients = (real_t *)weight->gradient + block->unit * weight->stride;
    for (int64_t i = 0; i < block->n_units; i++) {
        const int64_t at = (block->unit + i) * weight->stride;
        /* One row, of zeros again when it is done, serves all units if nobody wants the gradient: it stays in the
         * caches. */
        real_t *gradient = gradients + (batch->accumulate ? i * weight->stride : 0);
        sparse_gradient(gradient, (const real_t *)own->linear.d_outputs + (block->unit + i) * batch->stride,
                        &own->x, batch->rows, batch->n_samples);
        if (batch->accumulate)
            continue;
        solver_step((real_t *)weight->value + at,
                    weight->moments[0] ? (real_t *)weight->moments[0] + at : NULL,
                    weight->moments[1] ? (real_t *)weight->moments[1] + at : NULL, gradient, 1,
                    weight->stride, 0, 0, &batch->optimizer);
        memset(gradient, 0, (size_t)weight->stride * sizeof *gradient);
    }
}

static const operation_type_t sparse_linear_operation = {
    .forward = {sparse_linear_forward, BY_UNITS, READS_ALL, 1},
    .update = {sparse_linear_update, BY_UNITS, READS_OWN},
};
