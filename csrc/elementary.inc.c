/* elementary.inc.c: exp, expm1, log, log1p, tanh, the logistic sigmoid and the normal distribution,
 * branch-free, for loops that vectorise.
 *
 * Only explicit fused multiply-adds in one order: every instruction set that has them gives the same
 * bits. The polynomials are plain Taylor series, long enough for the type on the reduced interval;
 * a minimax fit would save one or two terms.
 *
 * The largest errors in float32 over some millions of points where the result is a normal number, in units
 * in the last place, with fused multiply-add: exp 1.2, tanh 2.5, logistic 2.8; and of what activations.inc.c
 * makes of them: elu 1.2, selu 2.1, softplus 2.8, silu 3.5, mish 4.2, gelu 7.5, and gelu_tanh, whose exponent
 * is a rounded polynomial, 17 above z = -3 and 191 down to -9.9, where y is 1e-37. Without fused
 * multiply-add gelu has 8 above z = -3 and 69 down to -12.9; the others have about the same.
 * In float64 gelu is within 6.1e-16 of mpmath's. (tests/test_activations_accuracy.py)
 */

INLINE REAL NAME(from_bits)(BITS bits)
{
    REAL x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

INLINE BITS NAME(to_bits)(REAL x)
{
    BITS bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* x = n ln 2 + r with |r| <= ln 2 / 2, for EXP_LOWEST <= x <= 0: returns e^r - 1 and stores 2^n. */
INLINE REAL NAME(exp_reduced)(REAL x, REAL *power)
{
    static const double factorial[] = {1,     1,      2,       6,        24,        120,       720,
                                       5040., 40320., 362880., 3628800., 39916800., 479001600., 6227020800.};
    const REAL shifted = FMA(x, (REAL)1.4426950408889634074, (REAL)ROUNDING_SHIFT);
    const REAL n = shifted - (REAL)ROUNDING_SHIFT;
    REAL r = FMA(n, -(REAL)LN2_HIGH, x);
    r = FMA(n, -(REAL)LN2_LOW, r);
    /* The low bits of `shifted` hold n; moved into the exponent they make 2^n. */
    const BITS exponent = (BITS)((uint64_t)NAME(to_bits)(shifted) << MANTISSA_BITS);
    *power = NAME(from_bits)(exponent + ((BITS)EXPONENT_BIAS << MANTISSA_BITS));
    REAL sum = (REAL)(1 / factorial[EXP_DEGREE]);
    UNROLL
    for (int k = EXP_DEGREE - 1; k >= 1; k--)
        sum = FMA(sum, r, (REAL)(1 / factorial[k]));
    return sum * r;
}

/* e^x for x <= 0; zero where the result would not be a normal number. NaN stays NaN. */
INLINE REAL NAME(exp_nonpositive)(REAL x)
{
    REAL power;
    const REAL r = NAME(exp_reduced)(x < (REAL)EXP_LOWEST ? (REAL)EXP_LOWEST : x, &power);
    return x < (REAL)EXP_LOWEST ? (REAL)0 : FMA(power, r, power);
}

/* log x for normal x > 0: x = m 2^n with m in [sqrt(1/2), sqrt(2)), log m = 2 artanh((m-1)/(m+1)). */
INLINE REAL NAME(log_positive)(REAL x)
{
    const BITS sqrt_half = NAME(to_bits)((REAL)0.70710678118654752440);
    const BITS offset = NAME(to_bits)(x) - sqrt_half;
    const BITS exponent = offset >> MANTISSA_BITS;
    const REAL m = NAME(from_bits)(NAME(to_bits)(x) - (BITS)((uint64_t)exponent << MANTISSA_BITS));
    const REAL n = (REAL)exponent;
    const REAL s = (m - 1) / (m + 1), square = s * s;
    REAL sum = (REAL)(1.0 / (2 * LOG_TERMS + 1));
    UNROLL
    for (int k = LOG_TERMS - 1; k >= 1; k--)
        sum = FMA(sum, square, (REAL)(1.0 / (2 * k + 1)));
    const REAL tail = FMA(n, (REAL)LN2_LOW, 2 * s * square * sum);
    return FMA(n, (REAL)LN2_HIGH, 2 * s + tail);
}

/* e^x - 1 for x <= 0, without cancellation near zero. */
INLINE REAL NAME(expm1_nonpositive)(REAL x)
{
    REAL power;
    const REAL r = NAME(exp_reduced)(x < (REAL)EXP_LOWEST ? (REAL)EXP_LOWEST : x, &power);
    return FMA(power, r, power - 1);
}

/* log(1 + q) for 0 <= q <= 1: 2 artanh(s) with s = q / (2 + q), at most 1/3. */
INLINE REAL NAME(log1p_unit)(REAL q)
{
    const REAL s = q / (2 + q), square = s * s;
    REAL sum = (REAL)(1.0 / (2 * LOG1P_TERMS + 1));
    UNROLL
    for (int k = LOG1P_TERMS - 1; k >= 1; k--)
        sum = FMA(sum, square, (REAL)(1.0 / (2 * k + 1)));
    return 2 * FMA(s * square, sum, s);
}

/* 1 / (1 + e^-x) and e^-x / (1 + e^-x), by e^-|x|, so that nothing overflows and small values keep their
 * digits. */
INLINE REAL NAME(logistic_and_complement)(REAL x, REAL *complement)
{
    const REAL e = NAME(exp_nonpositive)(-FABS(x));
    const REAL p = 1 / (1 + e), q = e * p;
    *complement = x < 0 ? p : q;
    return x < 0 ? q : p;
}

INLINE REAL NAME(logistic)(REAL x)
{
    REAL complement;
    return NAME(logistic_and_complement)(x, &complement);
}

/* tanh |x| = -t / (2 + t) with t = e^(-2|x|) - 1. */
INLINE REAL NAME(tanh)(REAL x)
{
    const REAL t = NAME(expm1_nonpositive)(-2 * FABS(x));
    return COPYSIGN(-t / (2 + t), x);
}

/* The normal distribution beyond a >= 0, erfc(a / sqrt 2) / 2, and its density at a.
 *
 * With t = 5 / (5 + a) it is t R(t - 1/2) e^(-a^2 / 2), and R a polynomial, its even and its odd
 * coefficients in turn below: the Chebyshev interpolant of e^(a^2 / 2) erfc(a / sqrt 2) / (2 t) in t,
 * made with mpmath in 60 digits. What rounding takes from a^2 is given back, or the tail would lose digits. */
INLINE REAL NAME(normal_tail)(REAL a, REAL *density)
{
    static const double even[] = TAIL_EVEN, odd[] = TAIL_ODD;
    const REAL bounded = a > 40 ? (REAL)40 : a; /* e^-800 is 0 for every type */
    const REAL square = bounded * bounded, rest = FMA(bounded, bounded, -square);
    REAL e = NAME(exp_nonpositive)((REAL)-0.5 * square);
    e = FMA(e, (REAL)-0.5 * rest, e);
    const REAL t = 5 / (5 + bounded), u = t - (REAL)0.5, u_square = u * u;
    REAL of_even = (REAL)even[TAIL_PAIRS - 1], of_odd = (REAL)odd[TAIL_PAIRS - 1];
    UNROLL
    for (int k = TAIL_PAIRS - 2; k >= 0; k--) {
        of_even = FMA(of_even, u_square, (REAL)even[k]);
        of_odd = FMA(of_odd, u_square, (REAL)odd[k]);
    }
    *density = (REAL)0.39894228040143267794 * e;
    return t * FMA(u, of_odd, of_even) * e;
}
