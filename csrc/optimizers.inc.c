/* optimizers.inc.c: one step of each solver; the gradient g first gains l2 * w.
 *
 * Each works on a block (n_rows, n) of parameters and moments, `stride` from row to row, and of gradients,
 * `g_stride` from row to row: a tile that was just computed, or with one row a whole vector.
 */

/* Gradient descent's numbers in the type they are used in. */
typedef struct {
    REAL rate, momentum, l2;
    int nesterov;
} NAME(sgd_t);

INLINE NAME(sgd_t) NAME(sgd_of)(const optimizer_t *optimizer)
{
    return (NAME(sgd_t)){(REAL)optimizer->learning_rate, (REAL)optimizer->momentum, (REAL)optimizer->l2,
                         optimizer->nesterov};
}

/* v = momentum v - rate g; w + v is returned, or with Nesterov w + momentum v - rate g (Sutskever et al.,
 * "On the importance of initialization and momentum in deep learning", 2013). */
INLINE VECTOR NAME(sgd_momentum)(VECTOR w, VECTOR *velocity, VECTOR g, const NAME(sgd_t) *sgd,
                                 const int nesterov)
{
    const VECTOR momentum = VECTOR_BROADCAST(sgd->momentum);
    const VECTOR step = VECTOR_BROADCAST(-sgd->rate) * VECTOR_FMA(VECTOR_BROADCAST(sgd->l2), w, g);
    *velocity = VECTOR_FMA(momentum, *velocity, step);
    const VECTOR ahead = VECTOR_FMA(momentum, *velocity, step);
    return nesterov ? w + ahead : w + *velocity;
}

/* The same for a block; without a velocity (NULL) plain w -= rate g. */
INLINE void NAME(sgd_block)(REAL *w_, REAL *velocity_, const REAL *g_, int64_t n_rows, int64_t n,
                            int64_t stride, int64_t g_stride, const optimizer_t *optimizer)
{
    const NAME(sgd_t) sgd = NAME(sgd_of)(optimizer);
    for (int64_t row = 0; row < n_rows; row++) {
        REAL *restrict w = w_ + row * stride;
        const REAL *restrict g = g_ + row * g_stride;
        if (!velocity_) {
            for (int64_t i = 0; i < n; i++)
                w[i] = FMA(-sgd.rate, FMA(sgd.l2, w[i], g[i]), w[i]);
            continue;
        }
        REAL *restrict velocity = velocity_ + row * stride;
        int64_t i = 0;
        for (; i + VECTOR_LENGTH <= n; i += VECTOR_LENGTH) {
            VECTOR speed = VECTOR_LOAD(velocity + i);
            VECTOR_STORE(w + i, NAME(sgd_momentum)(VECTOR_LOAD(w + i), &speed, VECTOR_LOAD(g + i), &sgd,
                                                   sgd.nesterov));
            VECTOR_STORE(velocity + i, speed);
        }
        for (; i < n; i++) { /* a member's last biases */
            const REAL step = -sgd.rate * FMA(sgd.l2, w[i], g[i]);
            velocity[i] = FMA(sgd.momentum, velocity[i], step);
            w[i] += sgd.nesterov ? FMA(sgd.momentum, velocity[i], step) : velocity[i];
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
