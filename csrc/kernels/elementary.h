/* elementary.h: exp, expm1, log, log1p, tanh, the logistic sigmoid and the normal distribution,
 * branch-free, for loops that vectorise.
 *
 * Only explicit fused multiply-adds in one order: every instruction set that has them gives the same
 * bits. The polynomials are plain Taylor series, long enough for the type on the reduced interval;
 * a minimax fit would save one or two terms.
 *
 * The largest errors in float32 over some millions of points where the result is a normal number, in units
 * in the last place, with fused multiply-add: exp 1.2, tanh 2.5, logistic 2.8; and of what activations.h
 * makes of them: elu 1.2, selu 2.1, softplus 2.8, silu 3.5, mish 4.2, gelu 7.5, and gelu_tanh, whose exponent
 * is a rounded polynomial, 17 above z = -3 and 191 down to -9.9, where y is 1e-37. Without fused
 * multiply-add gelu has 8 above z = -3 and 69 down to -12.9; the others have about the same.
 * In float64 gelu is within 6.1e-16 of mpmath's. (tests/test_activations_accuracy.py)
 */

INLINE real_t from_bits(bits_t bits)
{
    real_t x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

INLINE bits_t to_bits(real_t x)
{
    bits_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* x = n ln 2 + r with |r| <= ln 2 / 2, for EXP_LOWEST <= x <= 0: returns e^r - 1 and stores 2^n. */
INLINE real_t exp_reduced(real_t x, real_t *power)
{
    static const double factorial[] = {1,     1,      2,       6,        24,        120,        720,
                                       5040., 40320., 362880., 3628800., 39916800., 479001600., 6227020800.};
    const real_t shifted = real_fma(x, (real_t)1.4426950408889634074, ROUNDING_SHIFT);
    const real_t n = shifted - ROUNDING_SHIFT;
    real_t r = real_fma(n, -LN2_HIGH, x);
    r = real_fma(n, -LN2_LOW, r);
    /* The low bits of `shifted` hold n; moved into the exponent they make 2^n. */
    const bits_t exponent = (bits_t)((uint64_t)to_bits(shifted) << MANTISSA_BITS);
    *power = from_bits(exponent + ((bits_t)EXPONENT_BIAS << MANTISSA_BITS));
    real_t sum = (real_t)(1 / factorial[EXP_DEGREE]);
    UNROLL
    for (int k = EXP_DEGREE - 1; k >= 1; k--)
        sum = real_fma(sum, r, (real_t)(1 / factorial[k]));
    return sum * r;
}

/* e^x for x <= 0; zero where the result would not be a normal number. NaN stays NaN. */
INLINE real_t exp_nonpositive(real_t x)
{
    real_t power;
    const real_t r = exp_reduced(x < EXP_LOWEST ? EXP_LOWEST : x, &power);
    return x < EXP_LOWEST ? (real_t)0 : real_fma(power, r, power);
}

/* log x for normal x > 0: x = m 2^n with m in [sqrt(1/2), sqrt(2)), log m = 2 artanh((m-1)/(m+1)). */
INLINE real_t log_positive(real_t x)
{
    const bits_t sqrt_half = to_bits((real_t)0.70710678118654752440);
    const bits_t offset = to_bits(x) - sqrt_half;
    const bits_t exponent = offset >> MANTISSA_BITS;
    const real_t m = from_bits(to_bits(x) - (bits_t)((uint64_t)exponent << MANTISSA_BITS));
    const real_t n = (real_t)exponent;
    const real_t s = (m - 1) / (m + 1), square = s * s;
    real_t sum = (real_t)(1.0 / (2 * LOG_TERMS + 1));
    UNROLL
    for (int k = LOG_TERMS - 1; k >= 1; k--)
        sum = real_fma(sum, square, (real_t)(1.0 / (2 * k + 1)));
    const real_t tail = real_fma(n, LN2_LOW, 2 * s * square * sum);
    return real_fma(n, LN2_HIGH, 2 * s + tail);
}

/* e^x - 1 for x <= 0, without cancellation near zero. */
INLINE real_t expm1_nonpositive(real_t x)
{
    real_t power;
    const real_t r = exp_reduced(x < EXP_LOWEST ? EXP_LOWEST : x, &power);
    return real_fma(power, r, power - 1);
}

/* log(1 + q) for 0 <= q <= 1: 2 artanh(s) with s = q / (2 + q), at most 1/3. */
INLINE real_t log1p_unit(real_t q)
{
    const real_t s = q / (2 + q), square = s * s;
    real_t sum = (real_t)(1.0 / (2 * LOG1P_TERMS + 1));
    UNROLL
    for (int k = LOG1P_TERMS - 1; k >= 1; k--)
        sum = real_fma(sum, square, (real_t)(1.0 / (2 * k + 1)));
    return 2 * real_fma(s * square, sum, s);
}

/* 1 / (1 + e^-x) and e^-x / (1 + e^-x), by e^-|x|, so that nothing overflows and small values keep their
 * digits. */
INLINE real_t logistic_and_complement(real_t x, real_t *complement)
{
    const real_t e = exp_nonpositive(-real_abs(x));
    const real_t p = 1 / (1 + e), q = e * p;
    *complement = x < 0 ? p : q;
    return x < 0 ? q : p;
}

INLINE real_t logistic(real_t x)
{
    real_t complement;
    return logistic_and_complement(x, &complement);
}

/* tanh |x| = -t / (2 + t) with t = e^(-2|x|) - 1. */
INLINE real_t real_tanh(real_t x)
{
    const real_t t = expm1_nonpositive(-2 * real_abs(x));
    return real_copysign(-t / (2 + t), x);
}

/* The normal distribution beyond a >= 0, erfc(a / sqrt 2) / 2, and its density at a.
 *
 * With t = 5 / (5 + a) it is t R(t - 1/2) e^(-a^2 / 2), and R a polynomial, its even and its odd
 * coefficients in turn below: the Chebyshev interpolant of e^(a^2 / 2) erfc(a / sqrt 2) / (2 t) in t,
 * made with mpmath in 60 digits. What rounding takes from a^2 is given back, or the tail would lose digits. */
INLINE real_t normal_tail(real_t a, real_t *density)
{
    const real_t bounded = a > 40 ? (real_t)40 : a; /* e^-800 is 0 for every type */
    const real_t square = bounded * bounded, rest = real_fma(bounded, bounded, -square);
    real_t e = exp_nonpositive((real_t)-0.5 * square);
    e = real_fma(e, (real_t)-0.5 * rest, e);
    const real_t t = 5 / (5 + bounded), u = t - (real_t)0.5, u_square = u * u;
    real_t of_even = (real_t)TAIL_EVEN[TAIL_PAIRS - 1], of_odd = (real_t)TAIL_ODD[TAIL_PAIRS - 1];
    UNROLL
    for (int k = TAIL_PAIRS - 2; k >= 0; k--) {
        of_even = real_fma(of_even, u_square, (real_t)TAIL_EVEN[k]);
        of_odd = real_fma(of_odd, u_square, (real_t)TAIL_ODD[k]);
    }
    *density = (real_t)0.39894228040143267794 * e;
    return t * real_fma(u, of_odd, of_even) * e;
}
