/* kernels.inc.c: all kernels of one instruction set, for float and for double.
 *
 * An isa_*.c file sets ISA, TARGET (the function attribute; Clang ignores GCC's pragma) and the two
 * fused multiply-adds, and includes this file, which includes every body once per type.
 */
#include "fastmlp.h"

#include <math.h>
#include <string.h>

#define KERNEL static TARGET
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Before a short loop of known length inside a long one: unless it is unrolled whole, the long one
 * is not vectorised. */
#define UNROLL _Pragma("GCC unroll 16")

#define PASTE_(a, b, c, d) a##b##c##d
#define PASTE(a, b, c, d) PASTE_(a, b, c, d)

/* n, rounded up to whole groups of LANES; the mask tells the compiler that no remainder is left. */
INLINE int64_t whole_lanes(int64_t n) { return (n + LANES - 1) & ~(int64_t)(LANES - 1); }

#define REAL float
#define BITS int32_t
#define NAME(base) base##_f32
#define FMA(a, b, c) FMA_F32(a, b, c)
#define FABS(x) __builtin_fabsf(x)
#define SQRT(x) __builtin_sqrtf(x)
#define COPYSIGN(x, y) __builtin_copysignf(x, y)
#define MANTISSA_BITS 23
#define EXPONENT_BIAS 127
#define ROUNDING_SHIFT 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer in the low bits */
#define LN2_HIGH 0.693359375f      /* ln 2 in two parts, so that n * LN2_HIGH is exact */
#define LN2_LOW -2.12194440e-4f
#define EXP_LOWEST -87.3f /* below it 2^n leaves the range of normal numbers */
#define EXP_DEGREE 7
#define LOG_TERMS 5
#include "bodies.inc.c"
#undef REAL
#undef BITS
#undef NAME
#undef FMA
#undef FABS
#undef SQRT
#undef COPYSIGN
#undef MANTISSA_BITS
#undef EXPONENT_BIAS
#undef ROUNDING_SHIFT
#undef LN2_HIGH
#undef LN2_LOW
#undef EXP_LOWEST
#undef EXP_DEGREE
#undef LOG_TERMS

#define REAL double
#define BITS int64_t
#define NAME(base) base##_f64
#define FMA(a, b, c) FMA_F64(a, b, c)
#define FABS(x) __builtin_fabs(x)
#define SQRT(x) __builtin_sqrt(x)
#define COPYSIGN(x, y) __builtin_copysign(x, y)
#define MANTISSA_BITS 52
#define EXPONENT_BIAS 1023
#define ROUNDING_SHIFT 6755399441055744.0 /* 1.5 * 2^52 */
#define LN2_HIGH 0.693147180369123816490
#define LN2_LOW 1.90821492927058770002e-10
#define EXP_LOWEST -708.0
#define EXP_DEGREE 13
#define LOG_TERMS 11
#include "bodies.inc.c"
