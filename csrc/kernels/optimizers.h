/* optimizers.h: one step of each solver.
 *
 * Each works on a block (n_rows, n) of parameters and moments, `stride` from row to row, and of gradients,
 * `g_stride` from row to row: a tile that was just computed, or with one row a whole vector. A solver is
 * a function of one weight, its gradient and its moments, and a line in each of the two tables below.
 */
#ifndef SOLVERS
/* The list, which fastmlp.h makes an enum of, and names.c names. */
#define SOLVERS                \
    SOLVER(SGD, "sgd")         \
    SOLVER(ADAM, "adam")       \
    SOLVER(RMSPROP, "rmsprop") \
    SOLVER(ADAGRAD, "adagrad") \
    SOLVER(ADADELTA, "adadelta")
#endif

#ifdef FASTMLP_UNIT

/* A solver's numbers in the type they are used in. */
typedef struct {
    real_t rate, momentum, beta_1, beta_2, rest_1, rest_2, epsilon, l2, l1, shrink, scale, clip;
    int nesterov;
} rates_t;

INLINE rates_t rates_of(const optimizer_t *optimizer)
{
    return (rates_t){
        .rate = (real_t)optimizer->learning_rate,
        .momentum = (real_t)optimizer->momentum,
        .beta_1 = (real_t)optimizer->beta_1,
        .beta_2 = (real_t)optimizer->beta_2,
        .rest_1 = (real_t)(1 - optimizer->beta_1),
        .rest_2 = (real_t)(1 - optimizer->beta_2),
        .epsilon = (real_t)optimizer->epsilon,
        .l2 = (real_t)optimizer->l2,
        .l1 = (real_t)optimizer->l1,
        .shrink = (real_t)optimizer->shrink,
        .scale = (real_t)optimizer->scale,
        .clip = optimizer->clip > 0 ? (real_t)optimizer->clip : (real_t)INFINITY,
        .nesterov = optimizer->nesterov,
    };
}

/* v = momentum v - rate g; w + v is returned, or with Nesterov w + momentum v - rate g (Sutskever et al.,
 * "On the importance of initialization and momentum in deep learning", 2013). For the tiles, which know no
 * penalty but l2; `sgd` below is the same for one weight. */
INLINE vector_t sgd_momentum(vector_t w, vector_t *velocity, vector_t g, const rates_t *rates,
                             const int nesterov)
{
    const vector_t momentum = vector_broadcast(rates->momentum), shrink = vector_broadcast(rates->shrink);
    const vector_t step = vector_broadcast(-rates->rate) * vector_fma(vector_broadcast(rates->l2), w, g);
    *velocity = vector_fma(momentum, *velocity, step);
    const vector_t ahead = vector_fma(momentum, *velocity, step);
    return vector_fma(shrink, w, nesterov ? ahead : *velocity);
}

/* Each returns the new weight and changes its moments. */

INLINE real_t descent(real_t w, real_t g, const rates_t *r) { return real_fma(-r->rate, g, r->shrink * w); }

INLINE real_t sgd(real_t w, real_t g, real_t *velocity, const rates_t *r)
{
    const real_t step = -r->rate * g;
    *velocity = real_fma(r->momentum, *velocity, step);
    return real_fma(r->shrink, w, r->nesterov ? real_fma(r->momentum, *velocity, step) : *velocity);
}

/* D. P. Kingma, J. Ba, "Adam", 2014, in the efficient order of its section 2: the rate already holds the
 * bias corrections, sqrt(1 - beta_2^t) / (1 - beta_1^t). */
INLINE real_t adam(real_t w, real_t g, real_t *m_1, real_t *m_2, const rates_t *r)
{
    *m_1 = real_fma(r->beta_1, *m_1, r->rest_1 * g);
    *m_2 = real_fma(r->beta_2, *m_2, r->rest_2 * g * g);
    return r->shrink * w - r->rate * *m_1 / (real_sqrt(*m_2) + r->epsilon);
}

/* T. Tieleman, G. Hinton, "RMSProp", lecture 6.5 of "Neural Networks for Machine Learning", 2012. */
INLINE real_t rmsprop(real_t w, real_t g, real_t *square, const rates_t *r)
{
    *square = real_fma(r->beta_2, *square, r->rest_2 * g * g);
    return r->shrink * w - r->rate * g / (real_sqrt(*square) + r->epsilon);
}

INLINE real_t rmsprop_momentum(real_t w, real_t g, real_t *square, real_t *velocity, const rates_t *r)
{
    *square = real_fma(r->beta_2, *square, r->rest_2 * g * g);
    *velocity = real_fma(r->momentum, *velocity, g / (real_sqrt(*square) + r->epsilon));
    return real_fma(-r->rate, *velocity, r->shrink * w);
}

/* J. Duchi, E. Hazan, Y. Singer, "Adaptive Subgradient Methods", 2011. */
INLINE real_t adagrad(real_t w, real_t g, real_t *sum, const rates_t *r)
{
    *sum = real_fma(g, g, *sum);
    return r->shrink * w - r->rate * g / (real_sqrt(*sum) + r->epsilon);
}

/* M. D. Zeiler, "ADADELTA", 2012. */
INLINE real_t adadelta(real_t w, real_t g, real_t *square, real_t *moved, const rates_t *r)
{
    *square = real_fma(r->beta_2, *square, r->rest_2 * g * g);
    const real_t delta =
        real_sqrt((*moved + r->epsilon) / (*square + r->epsilon)) * g; /* one root is cheaper than two */
    *moved = real_fma(r->beta_2, *moved, r->rest_2 * delta * delta);
    return real_fma(-r->rate, delta, r->shrink * w);
}

enum step {
    STEP_DESCENT,
    STEP_SGD,
    STEP_ADAM,
    STEP_RMSPROP,
    STEP_RMSPROP_MOMENTUM,
    STEP_ADAGRAD,
    STEP_ADADELTA,
};

INLINE real_t step_of(const enum step step, real_t w, real_t g, real_t *m_1, real_t *m_2,
                      const rates_t *rates)
{
    switch (step) {
    case STEP_DESCENT:
        return descent(w, g, rates);
    case STEP_SGD:
        return sgd(w, g, m_1, rates);
    case STEP_ADAM:
        return adam(w, g, m_1, m_2, rates);
    case STEP_RMSPROP:
        return rmsprop(w, g, m_1, rates);
    case STEP_RMSPROP_MOMENTUM:
        return rmsprop_momentum(w, g, m_1, m_2, rates);
    case STEP_ADAGRAD:
        return adagrad(w, g, m_1, rates);
    default:
        return adadelta(w, g, m_1, m_2, rates);
    }
}

/* A row of a block for one solver. The last three arguments are constants where this is inlined, so that the loop
 * is one of plain vectors. */
INLINE void block_row(real_t *restrict w, real_t *restrict moment_1, real_t *restrict moment_2,
                      const real_t *restrict g, int64_t n, const rates_t *rates, const enum step step,
                      const int n_moments, const int is_plain)
{
    for (int64_t i = 0; i < n; i++) {
        real_t gradient = g[i];
        if (!is_plain) {
            gradient *= rates->scale; /* in this form NaN stays NaN, and is found */
            gradient = gradient > rates->clip    ? rates->clip
                       : gradient < -rates->clip ? -rates->clip
                                                 : gradient;
        }
        gradient = real_fma(rates->l2, w[i], gradient);
        if (!is_plain)
            gradient += w[i] > 0 ? rates->l1 : w[i] < 0 ? -rates->l1 : 0;
        real_t m_1 = n_moments > 0 ? moment_1[i] : 0, m_2 = n_moments > 1 ? moment_2[i] : 0;
        w[i] = step_of(step, w[i], gradient, &m_1, &m_2, rates);
        if (n_moments > 0)
            moment_1[i] = m_1;
        if (n_moments > 1)
            moment_2[i] = m_2;
    }
}

/* A block of parameters (n_rows, n), as `solver_step` has them. */
typedef struct {
    real_t *w, *moment_1, *moment_2;
    const real_t *g;
    int64_t n_rows, n, stride, g_stride;
    const optimizer_t *optimizer;
} parameter_block_t;

/* Nearly all blocks are tiles, whose width is a constant: without it the compiler asks at every row how many vectors
 * it has (a step of 784-256-128-10 with Adam: 1.14 of SGD's time without, 1.07 with it). */
INLINE void block_rows(const parameter_block_t *block, const enum step step, const int n_moments,
                       const int is_plain)
{
    const rates_t rates = rates_of(block->optimizer);
    for (int64_t row = 0; row < block->n_rows; row++) {
        real_t *w = block->w + row * block->stride;
        real_t *moment_1 = n_moments > 0 ? block->moment_1 + row * block->stride : NULL;
        real_t *moment_2 = n_moments > 1 ? block->moment_2 + row * block->stride : NULL;
        const real_t *g = block->g + row * block->g_stride;
        if (block->n == 2 * VECTOR_LENGTH)
            block_row(w, moment_1, moment_2, g, 2 * VECTOR_LENGTH, &rates, step, n_moments, is_plain);
        else
            block_row(w, moment_1, moment_2, g, block->n, &rates, step, n_moments, is_plain);
    }
}

INLINE void step_block(const parameter_block_t *block, const enum step step, const int n_moments)
{
    if (fastmlp_is_plain(block->optimizer))
        block_rows(block, step, n_moments, 1);
    else
        block_rows(block, step, n_moments, 0);
}

/* The step of whichever solver it is. */
static void solver_step(void *w, void *moment_1, void *moment_2, const void *g, int64_t n_rows, int64_t n,
                        int64_t stride, int64_t g_stride, const optimizer_t *optimizer)
{
    const parameter_block_t block = {w, moment_1, moment_2, g, n_rows, n, stride, g_stride, optimizer};
    switch (optimizer->solver) {
    case SOLVER_SGD:
        if (moment_1)
            step_block(&block, STEP_SGD, 1);
        else
            step_block(&block, STEP_DESCENT, 0);
        break;
    case SOLVER_ADAM:
        step_block(&block, STEP_ADAM, 2);
        break;
    case SOLVER_RMSPROP:
        if (moment_2)
            step_block(&block, STEP_RMSPROP_MOMENTUM, 2);
        else
            step_block(&block, STEP_RMSPROP, 1);
        break;
    case SOLVER_ADAGRAD:
        step_block(&block, STEP_ADAGRAD, 1);
        break;
    case SOLVER_ADADELTA:
        step_block(&block, STEP_ADADELTA, 2);
        break;
    }
}

/* A moving average of the parameters, a step of `rest` towards the present ones. */
static void average(void *mean_, const void *w_, int64_t n, double rest_)
{
    real_t *restrict mean = mean_;
    const real_t *restrict w = w_;
    const real_t rest = (real_t)rest_;
    for (int64_t i = 0; i < n; i++)
        mean[i] = real_fma(rest, w[i] - mean[i], mean[i]);
}

/* The step on some units' part of what a layer learns, by the gradient that is there. Penalties are for weights. */
static void step_learned(const learned_t *learned, int64_t unit, int64_t n_units,
                         const optimizer_t *optimizer)
{
    const int64_t at = unit * learned->stride;
    real_t *moment_1 = learned->moments[0], *moment_2 = learned->moments[1];
    optimizer_t own = *optimizer;
    if (!learned->is_penalised)
        own.l2 = 0, own.l1 = 0, own.shrink = 1;
    solver_step((real_t *)learned->value + at, moment_1 ? moment_1 + at : NULL,
                moment_2 ? moment_2 + at : NULL, (const real_t *)learned->gradient + at, 1,
                n_units * learned->stride, 0, 0, &own);
}

/* The update of a vector whose gradient the backward pass has left. */
INLINE void step_vector(const learned_t *vector, const batch_t *batch, const block_t *block)
{
    if (!batch->accumulate)
        step_learned(vector, block->unit, block->n_units, &batch->optimizer);
}

static void bias_update(const void *operation, batch_t *batch, const block_t *block)
{
    const bias_t *own = operation;
    row_sums((real_t *)own->bias.gradient + block->unit,
             (const real_t *)own->d_outputs + block->unit * batch->stride, block->n_units, batch->n_samples,
             batch->stride, batch->accumulate);
    step_vector(&own->bias, batch, block);
}

static const operation_type_t bias_operation = {
    .update = {bias_update, BY_UNITS, READS_OWN},
};

/* What is done to all that a layer learns, once the whole gradient is known; of some units. */

static void clear_gradient(const parameters_t *layer, int64_t unit, int64_t n_units)
{
    for (int64_t k = 0; k < layer->n_learned; k++) {
        const learned_t *learned = layer->learned[k];
        memset((real_t *)learned->gradient + unit * learned->stride, 0,
               (size_t)(n_units * learned->stride) * sizeof(real_t));
    }
}

static void penalise(double *penalties, const parameters_t *layer, int64_t unit, int64_t n_units,
                     double of_squares, double of_magnitudes)
{
    const learned_t *weight = layer->learned[0];
    for (int64_t i = unit; i < unit + n_units; i++) {
        const real_t *row = (const real_t *)weight->value + i * weight->stride;
        penalties[i] = 0;
        if (of_squares != 0)
            penalties[i] += of_squares * sum_of_squares(row, weight->stride);
        if (of_magnitudes != 0)
            penalties[i] += of_magnitudes * sum_of_magnitudes(row, weight->stride);
    }
}

static void gradient_squares(double *squares, const parameters_t *layer, int64_t unit, int64_t n_units)
{
    for (int64_t i = unit; i < unit + n_units; i++) {
        squares[i] = 0;
        for (int64_t k = 0; k < layer->n_learned; k++) {
            const learned_t *learned = layer->learned[k];
            squares[i] +=
                sum_of_squares((const real_t *)learned->gradient + i * learned->stride, learned->stride);
        }
    }
}

static void step_parameters(const parameters_t *layer, int64_t unit, int64_t n_units,
                            const optimizer_t *optimizer)
{
    for (int64_t k = 0; k < layer->n_learned; k++)
        step_learned(layer->learned[k], unit, n_units, optimizer);
}

#endif
