/* elementary.inc.c: exp, log, tanh and the logistic sigmoid, branch-free, for loops that vectorise.
 *
 * Only explicit fused multiply-adds in one order: every instruction set that has them gives the same
 * bits. The polynomials are plain Taylor series, long enough for the type on the reduced interval;
 * a minimax fit would save one or two terms.
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

/* 1 / (1 + e^-x), by e^-|x|, so that nothing overflows and small values keep their digits. */
INLINE REAL NAME(logistic)(REAL x)
{
    const REAL e = NAME(exp_nonpositive)(-FABS(x));
    const REAL p = 1 / (1 + e);
    return x < 0 ? e * p : p;
}

/* tanh |x| = -t / (2 + t) with t = e^(-2|x|) - 1 computed without cancellation near zero. */
INLINE REAL NAME(tanh)(REAL x)
{
    REAL power;
    const REAL y = -2 * FABS(x);
    const REAL r = NAME(exp_reduced)(y < (REAL)EXP_LOWEST ? (REAL)EXP_LOWEST : y, &power);
    const REAL t = FMA(power, r, power - 1);
    return COPYSIGN(-t / (2 + t), x);
}
