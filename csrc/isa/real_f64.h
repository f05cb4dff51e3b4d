/* real_f64.h: the type that a unit computes in, double; see real_f32.h. */
typedef double real_t;
typedef int64_t bits_t;

INLINE real_t real_fma(real_t a, real_t b, real_t c) { return FUSED ? __builtin_fma(a, b, c) : a * b + c; }
INLINE double double_fma(double a, double b, double c) { return real_fma(a, b, c); }
INLINE real_t real_abs(real_t x) { return __builtin_fabs(x); }
INLINE real_t real_sqrt(real_t x) { return __builtin_sqrt(x); }
INLINE real_t real_copysign(real_t x, real_t sign) { return __builtin_copysign(x, sign); }

enum {
    MANTISSA_BITS = 52,
    EXPONENT_BIAS = 1023,
    EXP_DEGREE = 13,
    LOG_TERMS = 11,
    LOG1P_TERMS = 16,
    TAIL_PAIRS = 11,
    CIRCLE_DEGREE = 16,
};
static const real_t ROUNDING_SHIFT = 6755399441055744.0; /* 1.5 * 2^52 */
static const real_t LN2_HIGH = 0.693147180369123816490, LN2_LOW = 1.90821492927058770002e-10;
static const real_t EXP_LOWEST = -708.39641;
static const double TAIL_EVEN[TAIL_PAIRS] = {
    0.153838609950012593,    0.3962444927759795191,    0.5280651717455664164,   0.266176855011091279,
    -0.04085091205374445893, -0.01216017678206928287,  0.01366565520953155386,  -0.009077939928178592978,
    0.005695806039918775647, -0.003502562814161458119, 0.001612110716352244715,
};
static const double TAIL_ODD[TAIL_PAIRS] = {
    0.2661530011560227226,   0.501653050674071999,    0.4423592877219024416,    0.07663044526381807108,
    -0.0557976632423650113,  0.02038285063981452359,  -0.00652262059483585807,  0.002210915779572269445,
    -0.00114448883963142567, 0.001112402499218484389, -0.000940901826329009763,
};
