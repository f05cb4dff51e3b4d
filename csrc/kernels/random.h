/* random.h: dropout and noise, by Philox4x32-10 for LANES counters at a time.
 *
 * A draw is told by (seed, step, stream, unit or feature, sample of the batch) alone: no member of a team
 * needs to know what others drew, and what was drawn on the way up need not be drawn again on the way down.
 */

#ifndef MULTIPLY_WORDS_IS_DEFINED /* by the unit */
/* The lower and the upper halves of the products of words with a constant. */
INLINE void multiply_words(words_t *low, words_t *high, const words_t *x, uint32_t constant)
{
    const wide_words_t product = __builtin_convertvector(*x, wide_words_t) * (uint64_t)constant;
    *low = __builtin_convertvector(product, words_t);
    *high = __builtin_convertvector(product >> 32, words_t);
}
#endif

/* words[w][k] = word w of the block with the counter (first[k], second[k], step, stream). */
INLINE void draw(uint32_t words[4][LANES], const words_t *first, const words_t *second,
                 const random_t *random)
{
    words_t c0 = *first, c1 = *second, c2 = {0}, c3 = {0};
    c2 += random->step;
    c3 += random->stream;
    uint32_t k0 = random->key[0], k1 = random->key[1];
    UNROLL
    for (int round = 0; round < 10; round++) {
        words_t low_a, high_a, low_b, high_b;
        multiply_words(&low_a, &high_a, &c0, 0xD2511F53u);
        multiply_words(&low_b, &high_b, &c2, 0xCD9E8D57u);
        c0 = high_b ^ c1 ^ k0;
        c2 = high_a ^ c3 ^ k1;
        c1 = low_b;
        c3 = low_a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    memcpy(words[0], &c0, sizeof c0);
    memcpy(words[1], &c1, sizeof c1);
    memcpy(words[2], &c2, sizeof c2);
    memcpy(words[3], &c3, sizeof c3);
}

/* Consecutive words, from `first` on; and LANES times the same one. By pointers, since vectors longer than the
 * processor's are neither passed nor returned alike by all compilers. */
INLINE void next_words(words_t *out, uint32_t first)
{
    *out = (words_t){0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15} + first;
}
INLINE void same_words(words_t *out, uint32_t word) { *out = (words_t){0} + word; }

/* A word below this drops: rate of all words. */
INLINE uint32_t threshold_of(double rate)
{
    return rate <= 0 ? 0 : rate < 1 ? (uint32_t)(rate * 4294967296.0) : UINT32_MAX;
}

/* 0 for the words below the threshold, else `kept`: by its bits, since compilers make sixteen jumps of a choice
 * (dropout on the hidden layers of 784-256-128-10, batch 128: 246 us of a step, so 54). */
INLINE void factors_of(real_t factors[LANES], const uint32_t words[LANES], uint32_t threshold, real_t kept)
{
    const bits_t bits = to_bits(kept);
    for (int k = 0; k < LANES; k++)
        factors[k] = from_bits(-(bits_t)(words[k] >= threshold) & bits);
}

/* outputs <- factors outputs, each factor 0 with probability `rate`, else 1 / (1 - rate). Unit u of sample s takes
 * word u % 4 of the block (u / 4, s). */
static void dropout_forward(const void *operation, batch_t *batch, const block_t *block)
{
    const dropout_t *dropout = operation;
    const uint32_t threshold = threshold_of(dropout->rate);
    const real_t kept = (real_t)(1 / (1 - dropout->rate));
    const int64_t end = block->unit + block->n_units;
    random_t random = batch->random;
    random.stream = dropout->stream;
    for (int64_t group = block->unit / 4; 4 * group < end; group++)
        for (int64_t i = block->sample; i < block->sample + block->n_samples; i += LANES) {
            uint32_t words[4][LANES];
            words_t units, samples;
            same_words(&units, (uint32_t)group);
            next_words(&samples, (uint32_t)i);
            draw(words, &units, &samples, &random);
            for (int w = 0; w < 4; w++) {
                const int64_t unit = 4 * group + w, at = unit * batch->stride + i;
                if (unit < block->unit || unit >= end)
                    continue;
                real_t *restrict y = (real_t *)dropout->outputs + at;
                real_t *restrict factors = (real_t *)dropout->factors + at;
                if (dropout->undropped)
                    memcpy((real_t *)dropout->undropped + at, y, LANES * sizeof *y);
                factors_of(factors, words[w], threshold, kept);
                for (int k = 0; k < LANES; k++)
                    y[k] *= factors[k];
            }
        }
}

static void dropout_backward(const void *operation, batch_t *batch, const block_t *block)
{
    const dropout_t *dropout = operation;
    const int64_t at = block->unit * batch->stride + block->sample;
    backward_by_slopes((real_t *)dropout->d_outputs + at, (const real_t *)dropout->factors + at,
                       block->n_units, whole_lanes(block->n_samples), batch->stride);
}

static const operation_type_t dropout_operation = {
    .forward = {dropout_forward, BY_EITHER, READS_OWN},
    .backward = {dropout_backward, BY_EITHER, READS_OWN},
};

/* Feature 64 b + 16 w + k of sample s takes word w of the block (16 b + k, s). */
static void input_dropout(void *x_, const random_t *random, int64_t first_sample, int64_t n_samples,
                          int64_t n_features, int64_t stride, double rate)
{
    const uint32_t threshold = threshold_of(rate);
    const real_t kept = (real_t)(1 / (1 - rate));
    for (int64_t i = 0; i < n_samples; i++)
        for (int64_t first = 0; first < n_features; first += 4 * LANES) {
            uint32_t words[4][LANES];
            words_t features, sample;
            next_words(&features, (uint32_t)(first / 4));
            same_words(&sample, (uint32_t)(first_sample + i));
            draw(words, &features, &sample, random);
            for (int w = 0; w < 4; w++) {
                const int64_t column = first + w * LANES;
                if (column >= n_features)
                    break;
                real_t *restrict x =
                    (real_t *)x_ + i * stride + column; /* rows are padded to LANES, with zeros */
                real_t factors[LANES];
                factors_of(factors, words[w], threshold, kept);
                for (int k = 0; k < LANES; k++)
                    x[k] *= factors[k];
            }
        }
}

/* cos and sin of 2 pi word / 2^32: of a turn's quarter, the nearest one, and what is left, at most pi / 4. */
INLINE void circle(uint32_t word, real_t *cosine, real_t *sine)
{
    static const double factorial[] = {1,
                                       1,
                                       2,
                                       6,
                                       24,
                                       120,
                                       720,
                                       5040,
                                       40320.,
                                       362880.,
                                       3628800.,
                                       39916800.,
                                       479001600.,
                                       6227020800.,
                                       87178291200.,
                                       1307674368000.,
                                       20922789888000.,
                                       355687428096000.};
    const uint32_t quarter = (word + 0x20000000u) >> 30;
    const int32_t rest = (int32_t)(word - (quarter << 30));
    const real_t x = (real_t)rest * (real_t)(6.283185307179586477 / 4294967296.0), square = x * x;
    real_t c = (real_t)(1 / factorial[CIRCLE_DEGREE]), s = (real_t)(1 / factorial[CIRCLE_DEGREE + 1]);
    UNROLL
    for (int k = CIRCLE_DEGREE - 2; k >= 0; k -= 2) {
        c = real_fma(-c, square, (real_t)(1 / factorial[k]));
        s = real_fma(-s, square, (real_t)(1 / factorial[k + 1]));
    }
    s *= x;
    const real_t a = quarter & 1 ? s : c, b = quarter & 1 ? c : s;
    *cosine = quarter == 1 || quarter == 2 ? -a : a;
    *sine = quarter & 2 ? -b : b;
}

/* Box and Muller: of two words the normal deviates sqrt(-2 log u) cos(2 pi v) and sin. Features as above. */
static void input_noise(void *x_, const random_t *random, int64_t first_sample, int64_t n_samples,
                        int64_t n_features, int64_t stride, double deviation)
{
    for (int64_t i = 0; i < n_samples; i++)
        for (int64_t first = 0; first < n_features; first += 4 * LANES) {
            uint32_t words[4][LANES];
            real_t noise[4][LANES];
            words_t features, sample;
            next_words(&features, (uint32_t)(first / 4));
            same_words(&sample, (uint32_t)(first_sample + i));
            draw(words, &features, &sample, random);
            for (int w = 0; w < 4; w += 2)
                for (int k = 0; k < LANES; k++) {
                    const real_t u = ((real_t)words[w][k] + (real_t)0.5) * (real_t)(1 / 4294967296.0);
                    const real_t radius = real_sqrt(-2 * log_positive(u));
                    real_t cosine, sine;
                    circle(words[w + 1][k], &cosine, &sine);
                    noise[w][k] = radius * cosine;
                    noise[w + 1][k] = radius * sine;
                }
            for (int w = 0; w < 4; w++)
                for (int k = 0; k < LANES && first + w * LANES + k < n_features; k++) {
                    real_t *x = (real_t *)x_ + i * stride + first + w * LANES + k;
                    *x = real_fma((real_t)deviation, noise[w][k], *x);
                }
        }
}
