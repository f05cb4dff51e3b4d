/* optimizers.inc.c: one step of each solver.
 *
 * Each works on a block (n_rows, n) of parameters and moments, `stride` from row to row, and of gradients,
 * `g_stride` from row to row: a tile that was just computed, or with one row a whole vector. A solver is
 * a function of one weight, its gradient and its moments, and a line in each of the two tables below.
 */

/* A solver's numbers in the type they are used in. */
typedef struct {
    REAL rate, momentum, beta_1, beta_2, rest_1, rest_2, epsilon, l2, l1, shrink, scale, clip;
    int nesterov;
} NAME(rates_t);

INLINE NAME(rates_t) NAME(rates_of)(const optimizer_t *optimizer)
{
    return (NAME(rates_t)){
        .rate = (REAL)optimizer->learning_rate,
        .momentum = (REAL)optimizer->momentum,
        .beta_1 = (REAL)optimizer->beta_1,
        .beta_2 = (REAL)optimizer->beta_2,
        .rest_1 = (REAL)(1 - optimizer->beta_1),
        .rest_2 = (REAL)(1 - optimizer->beta_2),
        .epsilon = (REAL)optimizer->epsilon,
        .l2 = (REAL)optimizer->l2,
        .l1 = (REAL)optimizer->l1,
        .shrink = (REAL)optimizer->shrink,
        .scale = (REAL)optimizer->scale,
        .clip = optimizer->clip > 0 ? (REAL)optimizer->clip : (REAL)INFINITY,
        .nesterov = optimizer->nesterov,
    };
}

/* Whether the gradient is taken as it is, but for l2: the usual case, for which there are kernels of their own. */
INLINE int NAME(is_plain)(const optimizer_t *optimizer)
{
    return optimizer->l1 == 0 && optimizer->scale == 1 && optimizer->clip == 0;
}

/* v = momentum v - rate g; w + v is returned, or with Nesterov w + momentum v - rate g (Sutskever et al.,
 * "On the importance of initialization and momentum in deep learning", 2013). For the tiles, which know no
 * penalty but l2; `sgd` below is the same for one weight. */
INLINE VECTOR NAME(sgd_momentum)(VECTOR w, VECTOR *velocity, VECTOR g, const NAME(rates_t) *rates,
                                 const int nesterov)
{
    const VECTOR momentum = VECTOR_BROADCAST(rates->momentum), shrink = VECTOR_BROADCAST(rates->shrink);
    const VECTOR step = VECTOR_BROADCAST(-rates->rate) * VECTOR_FMA(VECTOR_BROADCAST(rates->l2), w, g);
    *velocity = VECTOR_FMA(momentum, *velocity, step);
    const VECTOR ahead = VECTOR_FMA(momentum, *velocity, step);
    return VECTOR_FMA(shrink, w, nesterov ? ahead : *velocity);
}

/* Each returns the new weight and changes its moments. */

INLINE REAL NAME(descent)(REAL w, REAL g, const NAME(rates_t) *r)
{
    return FMA(-r->rate, g, r->shrink * w);
}

INLINE REAL NAME(sgd)(REAL w, REAL g, REAL *velocity, const NAME(rates_t) *r)
{
    const REAL step = -r->rate * g;
    *velocity = FMA(r->momentum, *velocity, step);
    return FMA(r->shrink, w, r->nesterov ? FMA(r->momentum, *velocity, step) : *velocity);
}

/* D. P. Kingma, J. Ba, "Adam", 2014, in the efficient order of its section 2: the rate already holds the
 * bias corrections, sqrt(1 - beta_2^t) / (1 - beta_1^t). */
INLINE REAL NAME(adam)(REAL w, REAL g, REAL *m_1, REAL *m_2, const NAME(rates_t) *r)
{
    *m_1 = FMA(r->beta_1, *m_1, r->rest_1 * g);
    *m_2 = FMA(r->beta_2, *m_2, r->rest_2 * g * g);
    return r->shrink * w - r->rate * *m_1 / (SQRT(*m_2) + r->epsilon);
}

/* T. Tieleman, G. Hinton, "RMSProp", lecture 6.5 of "Neural Networks for Machine Learning", 2012. */
INLINE REAL NAME(rmsprop)(REAL w, REAL g, REAL *square, const NAME(rates_t) *r)
{
    *square = FMA(r->beta_2, *square, r->rest_2 * g * g);
    return r->shrink * w - r->rate * g / (SQRT(*square) + r->epsilon);
}

INLINE REAL NAME(rmsprop_momentum)(REAL w, REAL g, REAL *square, REAL *velocity, const NAME(rates_t) *r)
{
    *square = FMA(r->beta_2, *square, r->rest_2 * g * g);
    *velocity = FMA(r->momentum, *velocity, g / (SQRT(*square) + r->epsilon));
    return FMA(-r->rate, *velocity, r->shrink * w);
}

/* J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods", 2011. */
INLINE REAL NAME(adagrad)(REAL w, REAL g, REAL *sum, const NAME(rates_t) *r)
{
    *sum = FMA(g, g, *sum);
    return r->shrink * w - r->rate * g / (SQRT(*sum) + r->epsilon);
}

/* M. D. Zeiler, "ADADELTA", 2012. */
INLINE REAL NAME(adadelta)(REAL w, REAL g, REAL *square, REAL *moved, const NAME(rates_t) *r)
{
    *square = FMA(r->beta_2, *square, r->rest_2 * g * g);
    const REAL delta = SQRT((*moved + r->epsilon) / (*square + r->epsilon)) * g; /* one root is cheaper than two */
    *moved = FMA(r->beta_2, *moved, r->rest_2 * delta * delta);
    return FMA(-r->rate, delta, r->shrink * w);
}

enum NAME(step) {
    NAME(STEP_DESCENT),
    NAME(STEP_SGD),
    NAME(STEP_ADAM),
    NAME(STEP_RMSPROP),
    NAME(STEP_RMSPROP_MOMENTUM),
    NAME(STEP_ADAGRAD),
    NAME(STEP_ADADELTA),
};

INLINE REAL NAME(step_of)(const enum NAME(step) step, REAL w, REAL g, REAL *m_1, REAL *m_2,
                          const NAME(rates_t) *rates)
{
    switch (step) {
    case NAME(STEP_DESCENT):
        return NAME(descent)(w, g, rates);
    case NAME(STEP_SGD):
        return NAME(sgd)(w, g, m_1, rates);
    case NAME(STEP_ADAM):
        return NAME(adam)(w, g, m_1, m_2, rates);
    case NAME(STEP_RMSPROP):
        return NAME(rmsprop)(w, g, m_1, rates);
    case NAME(STEP_RMSPROP_MOMENTUM):
        return NAME(rmsprop_momentum)(w, g, m_1, m_2, rates);
    case NAME(STEP_ADAGRAD):
        return NAME(adagrad)(w, g, m_1, rates);
    default:
        return NAME(adadelta)(w, g, m_1, m_2, rates);
    }
}

/* A row of a block for one solver. The last three arguments are constants where this is inlined, so that the loop
 * is one of plain vectors. */
INLINE void NAME(block_row)(REAL *restrict w, REAL *restrict moment_1, REAL *restrict moment_2,
                            const REAL *restrict g, int64_t n, const NAME(rates_t) *rates,
                            const enum NAME(step) step, const int n_moments, const int is_plain)
{
    for (int64_t i = 0; i < n; i++) {
        REAL gradient = g[i];
        if (!is_plain) {
            gradient *= rates->scale; /* in this form NaN stays NaN, and is found */
            gradient = gradient > rates->clip ? rates->clip : gradient < -rates->clip ? -rates->clip : gradient;
        }
        gradient = FMA(rates->l2, w[i], gradient);
        if (!is_plain)
            gradient += w[i] > 0 ? rates->l1 : w[i] < 0 ? -rates->l1 : 0;
        REAL m_1 = n_moments > 0 ? moment_1[i] : 0, m_2 = n_moments > 1 ? moment_2[i] : 0;
        w[i] = NAME(step_of)(step, w[i], gradient, &m_1, &m_2, rates);
        if (n_moments > 0)
            moment_1[i] = m_1;
        if (n_moments > 1)
            moment_2[i] = m_2;
    }
}

/* The block. Nearly all of them are tiles, whose width is a constant: without it the compiler asks at every row
 * how many vectors it has (a step of 784-256-128-10 with Adam: 1.14 of SGD's time without, 1.07 with it). */
INLINE void NAME(block)(REAL *w_, REAL *moment_1_, REAL *moment_2_, const REAL *g_, int64_t n_rows, int64_t n,
                        int64_t stride, int64_t g_stride, const optimizer_t *optimizer,
                        const enum NAME(step) step, const int n_moments, const int is_plain)
{
    const NAME(rates_t) rates = NAME(rates_of)(optimizer);
    for (int64_t row = 0; row < n_rows; row++) {
        REAL *w = w_ + row * stride, *moment_1 = n_moments > 0 ? moment_1_ + row * stride : NULL;
        REAL *moment_2 = n_moments > 1 ? moment_2_ + row * stride : NULL;
        const REAL *g = g_ + row * g_stride;
        if (n == 2 * VECTOR_LENGTH)
            NAME(block_row)(w, moment_1, moment_2, g, 2 * VECTOR_LENGTH, &rates, step, n_moments, is_plain);
        else
            NAME(block_row)(w, moment_1, moment_2, g, n, &rates, step, n_moments, is_plain);
    }
}

#define BLOCK(step, n_moments)                                                                              \
    do {                                                                                                    \
        if (NAME(is_plain)(optimizer))                                                                      \
            NAME(block)(w, moment_1, moment_2, g, n_rows, n, stride, g_stride, optimizer, NAME(step),       \
                        n_moments, 1);                                                                      \
        else                                                                                                \
            NAME(block)(w, moment_1, moment_2, g, n_rows, n, stride, g_stride, optimizer, NAME(step),       \
                        n_moments, 0);                                                                      \
    } while (0)

/* The step of whichever solver it is. */
KERNEL void NAME(solver_step)(void *w, void *moment_1, void *moment_2, const void *g, int64_t n_rows,
                              int64_t n, int64_t stride, int64_t g_stride, const optimizer_t *optimizer)
{
    switch (optimizer->solver) {
    case SOLVER_SGD:
        if (moment_1)
            BLOCK(STEP_SGD, 1);
        else
            BLOCK(STEP_DESCENT, 0);
        break;
    case SOLVER_ADAM:
        BLOCK(STEP_ADAM, 2);
        break;
    case SOLVER_RMSPROP:
        if (moment_2)
            BLOCK(STEP_RMSPROP_MOMENTUM, 2);
        else
            BLOCK(STEP_RMSPROP, 1);
        break;
    case SOLVER_ADAGRAD:
        BLOCK(STEP_ADAGRAD, 1);
        break;
    case SOLVER_ADADELTA:
        BLOCK(STEP_ADADELTA, 2);
        break;
    }
}

/* A moving average of the parameters, a step of `rest` towards the present ones. */
KERNEL void NAME(average)(void *mean_, const void *w_, int64_t n, double rest_)
{
    REAL *restrict mean = mean_;
    const REAL *restrict w = w_;
    const REAL rest = (REAL)rest_;
    for (int64_t i = 0; i < n; i++)
        mean[i] = FMA(rest, w[i] - mean[i], mean[i]);
}
