/* optimizers.inc.c: one step of each solver; the gradient g first gains l2 * w.
 *
 * Each works on a block (n_rows, n) of parameters and moments, `stride` from row to row, and of gradients,
 * `g_stride` from row to row: a tile that was just computed, or with one row a whole vector.
 */

/* v = momentum v - rate g; w += v, or with Nesterov w += momentum v - rate g; without a velocity
 * (NULL) plain w -= rate g (Sutskever et al., "On the importance of initialization and momentum in deep
 * learning", 2013). */
INLINE void NAME(sgd_block)(REAL *w_, REAL *velocity_, const REAL *g_, int64_t n_rows, int64_t n,
                            int64_t stride, int64_t g_stride, const optimizer_t *optimizer)
{
    const REAL rate = (REAL)optimizer->learning_rate, momentum = (REAL)optimizer->momentum;
    const REAL l2 = (REAL)optimizer->l2;
    for (int64_t row = 0; row < n_rows; row++) {
        REAL *restrict w = w_ + row * stride;
        const REAL *restrict g = g_ + row * g_stride;
        if (!velocity_) {
            for (int64_t i = 0; i < n; i++)
                w[i] = FMA(-rate, FMA(l2, w[i], g[i]), w[i]);
            continue;
        }
        REAL *restrict velocity = velocity_ + row * stride;
        if (optimizer->nesterov)
            for (int64_t i = 0; i < n; i++) {
                const REAL step = rate * FMA(l2, w[i], g[i]);
                velocity[i] = FMA(momentum, velocity[i], -step);
                w[i] += FMA(momentum, velocity[i], -step);
            }
        else
            for (int64_t i = 0; i < n; i++) {
                velocity[i] = FMA(momentum, velocity[i], -rate * FMA(l2, w[i], g[i]));
                w[i] += velocity[i];
            }
    }
}

/* D. P. Kingma, J. Ba, "Adam", 2014, in the efficient order of its section 2: learning_rate already
 * holds the bias corrections, sqrt(1 - beta_2^t) / (1 - beta_1^t). */
INLINE void NAME(adam_block)(REAL *w_, REAL *moment_1_, REAL *moment_2_, const REAL *g_, int64_t n_rows,
                             int64_t n, int64_t stride, int64_t g_stride, const optimizer_t *optimizer)
{
    const REAL rate = (REAL)optimizer->learning_rate, epsilon = (REAL)optimizer->epsilon;
    const REAL beta_1 = (REAL)optimizer->beta_1, beta_2 = (REAL)optimizer->beta_2;
    const REAL rest_1 = (REAL)(1 - optimizer->beta_1), rest_2 = (REAL)(1 - optimizer->beta_2);
    const REAL l2 = (REAL)optimizer->l2;
    for (int64_t row = 0; row < n_rows; row++) {
        REAL *restrict w = w_ + row * stride;
        REAL *restrict moment_1 = moment_1_ + row * stride, *restrict moment_2 = moment_2_ + row * stride;
        const REAL *restrict g = g_ + row * g_stride;
        for (int64_t i = 0; i < n; i++) {
            const REAL gradient = FMA(l2, w[i], g[i]);
            moment_1[i] = FMA(beta_1, moment_1[i], rest_1 * gradient);
            moment_2[i] = FMA(beta_2, moment_2[i], rest_2 * gradient * gradient);
            w[i] -= rate * moment_1[i] / (SQRT(moment_2[i]) + epsilon);
        }
    }
}

/* The step of whichever solver it is. */
KERNEL void NAME(solver_step)(void *w, void *moment_1, void *moment_2, const void *g, int64_t n_rows,
                              int64_t n, int64_t stride, int64_t g_stride, const optimizer_t *optimizer)
{
    switch (optimizer->solver) {
    case SOLVER_SGD:
        NAME(sgd_block)(w, moment_1, g, n_rows, n, stride, g_stride, optimizer);
        break;
    case SOLVER_ADAM:
        NAME(adam_block)(w, moment_1, moment_2, g, n_rows, n, stride, g_stride, optimizer);
        break;
    }
}
