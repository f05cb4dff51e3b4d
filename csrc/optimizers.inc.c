/* optimizers.inc.c: one step of each solver for n parameters; the gradient g first gains l2 * w. */

/* v = momentum v - rate g; w += v, or with Nesterov w += momentum v - rate g; without a velocity
 * (NULL) plain w -= rate g (Sutskever et al., "On the importance of initialization and momentum in deep learning", 2013). */
KERNEL void NAME(sgd_step)(void *w_, void *velocity_, const void *g_, int64_t n, const optimizer_t *optimizer)
{
    REAL *restrict w = w_, *restrict velocity = velocity_;
    const REAL *restrict g = g_;
    const REAL rate = (REAL)optimizer->learning_rate, momentum = (REAL)optimizer->momentum;
    const REAL l2 = (REAL)optimizer->l2;
    if (!velocity)
        for (int64_t i = 0; i < n; i++)
            w[i] = FMA(-rate, FMA(l2, w[i], g[i]), w[i]);
    else if (optimizer->nesterov)
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

/* D. P. Kingma, J. Ba, "Adam", 2014, in the efficient order of its section 2: learning_rate already
 * holds the bias corrections, sqrt(1 - beta_2^t) / (1 - beta_1^t). */
KERNEL void NAME(adam_step)(void *w_, void *moment_1_, void *moment_2_, const void *g_, int64_t n,
                            const optimizer_t *optimizer)
{
    REAL *restrict w = w_, *restrict moment_1 = moment_1_, *restrict moment_2 = moment_2_;
    const REAL *restrict g = g_;
    const REAL rate = (REAL)optimizer->learning_rate, epsilon = (REAL)optimizer->epsilon;
    const REAL beta_1 = (REAL)optimizer->beta_1, beta_2 = (REAL)optimizer->beta_2;
    const REAL rest_1 = (REAL)(1 - optimizer->beta_1), rest_2 = (REAL)(1 - optimizer->beta_2);
    const REAL l2 = (REAL)optimizer->l2;
    for (int64_t i = 0; i < n; i++) {
        const REAL gradient = FMA(l2, w[i], g[i]);
        moment_1[i] = FMA(beta_1, moment_1[i], rest_1 * gradient);
        moment_2[i] = FMA(beta_2, moment_2[i], rest_2 * gradient * gradient);
        w[i] -= rate * moment_1[i] / (SQRT(moment_2[i]) + epsilon);
    }
}
