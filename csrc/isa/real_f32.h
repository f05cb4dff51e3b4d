/* real_f32.h: the type that a unit computes in, float, and the constants of its elementary functions.
 * FUSED (the processor has fused multiply-add) is defined by the unit. */
typedef float real_t;
typedef int32_t bits_t;

INLINE real_t real_fma(real_t a, real_t b, real_t c) { return FUSED ? __builtin_fmaf(a, b, c) : a * b + c; }
INLINE double double_fma(double a, double b, double c) { return FUSED ? __builtin_fma(a, b, c) : a * b + c; }
INLINE real_t real_abs(real_t x) { return __builtin_fabsf(x); }
INLINE real_t real_sqrt(real_t x) { return __builtin_sqrtf(x); }
INLINE real_t real_copysign(real_t x, real_t sign) { return __builtin_copysignf(x, sign); }

enum {
    MANTISSA_BITS = 23,
    EXPONENT_BIAS = 127,
    EXP_DEGREE = 7,
    LOG_TERMS = 5,
    LOG1P_TERMS = 7,
    TAIL_PAIRS = 5,
    CIRCLE_DEGREE = 8,
};
static const real_t ROUNDING_SHIFT =
    12582912.0f; /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
/* ln 2 in two parts, so that n * LN2_HIGH is exact. */
static const real_t LN2_HIGH = 0.693359375f, LN2_LOW = -2.12194440e-4f;
static const real_t EXP_LOWEST = -87.336544f; /* below it 2^n leaves the range of normal numbers */
static const double TAIL_EVEN[TAIL_PAIRS] = {0.1538386086, 0.3962450616, 0.5280206148, 0.2674540223,
                                             -0.05364057313};
static const double TAIL_ODD[TAIL_PAIRS] = {0.2661529657, 0.5016579309, 0.4422189481, 0.07691499232,
                                            -0.0381774451};
