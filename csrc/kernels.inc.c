/* kernels.inc.c: all kernels of one instruction set, for float and for double.
 *
 * An isa_*.c file sets ISA, TARGET (the function attribute; Clang ignores GCC's pragma) and the two
 * fused multiply-adds, and includes this file, which includes every body once per type.
 */
#include "walk.h"
#include "words.h"

#include <math.h>
#include <string.h>

#define KERNEL static TARGET
#define INLINE static inline __attribute__((always_inline)) TARGET

/* Before a short loop of known length inside a long one: unless it is unrolled whole, the long one
 * is not vectorised. */
#if defined(__clang__) /* takes GCC's for a hint, and keeps the sums of a tile in memory: five times slower */
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Interleave the lower, or the upper, halves of two vectors of n elements. */
#define ZIP_LOW_2(a, b) __builtin_shufflevector(a, b, 0, 2)
#define ZIP_HIGH_2(a, b) __builtin_shufflevector(a, b, 1, 3)
#define ZIP_LOW_4(a, b) __builtin_shufflevector(a, b, 0, 4, 1, 5)
#define ZIP_HIGH_4(a, b) __builtin_shufflevector(a, b, 2, 6, 3, 7)
#define ZIP_LOW_8(a, b) __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define ZIP_HIGH_8(a, b) __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define ZIP_LOW_16(a, b) \
    __builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define ZIP_HIGH_16(a, b) \
    __builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)

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
#define EXP_LOWEST -87.336544f /* below it 2^n leaves the range of normal numbers */
#define EXP_DEGREE 7
#define LOG_TERMS 5
#define LOG1P_TERMS 7
#define TAIL_PAIRS 5
#define CIRCLE_DEGREE 8
#define TAIL_EVEN \
    { \
        0.1538386086, 0.3962450616, 0.5280206148, 0.2674540223, -0.05364057313 \
    }
#define TAIL_ODD \
    { \
        0.2661529657, 0.5016579309, 0.4422189481, 0.07691499232, -0.0381774451 \
    }
#define VECTOR VECTOR_F32
#define VECTOR_LENGTH VECTOR_LENGTH_F32
#define VECTOR_ZERO VECTOR_ZERO_F32
#define VECTOR_LOAD(p) VECTOR_LOAD_F32(p)
#define VECTOR_STORE(p, v) VECTOR_STORE_F32(p, v)
#define VECTOR_BROADCAST(x) VECTOR_BROADCAST_F32(x)
#define VECTOR_FMA(a, b, c) VECTOR_FMA_F32(a, b, c)
#define VECTOR_RELU(z) VECTOR_RELU_F32(z)
#define VECTOR_WHERE_POSITIVE(x, y) VECTOR_WHERE_POSITIVE_F32(x, y)
#ifdef TRANSPOSE_F32
#define TRANSPOSE(block) TRANSPOSE_F32(block)
#endif
#define VECTOR_ZIP_LOW(a, b) PASTE(ZIP_LOW_, VECTOR_LENGTH_F32, , )(a, b)
#define VECTOR_ZIP_HIGH(a, b) PASTE(ZIP_HIGH_, VECTOR_LENGTH_F32, , )(a, b)
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
#undef LOG1P_TERMS
#undef TAIL_PAIRS
#undef CIRCLE_DEGREE
#undef TAIL_EVEN
#undef TAIL_ODD
#undef VECTOR
#undef VECTOR_LENGTH
#undef VECTOR_ZERO
#undef VECTOR_LOAD
#undef VECTOR_STORE
#undef VECTOR_BROADCAST
#undef VECTOR_FMA
#undef VECTOR_RELU
#undef VECTOR_WHERE_POSITIVE
#undef TRANSPOSE
#undef VECTOR_ZIP_LOW
#undef VECTOR_ZIP_HIGH
#undef SUMMED_LOSS
#undef TILE_COLUMNS
#undef FEW
#undef TILE_OF
#undef TILE_KERNEL
#undef BLOCK

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
#define EXP_LOWEST -708.39641
#define EXP_DEGREE 13
#define LOG_TERMS 11
#define LOG1P_TERMS 16
#define TAIL_PAIRS 11
#define CIRCLE_DEGREE 16
#define TAIL_EVEN \
    { \
        0.153838609950012593, 0.3962444927759795191, 0.5280651717455664164, 0.266176855011091279, \
        -0.04085091205374445893, -0.01216017678206928287, 0.01366565520953155386, \
        -0.009077939928178592978, 0.005695806039918775647, -0.003502562814161458119, \
        0.001612110716352244715 \
    }
#define TAIL_ODD \
    { \
        0.2661530011560227226, 0.501653050674071999, 0.4423592877219024416, \
        0.07663044526381807108, -0.0557976632423650113, 0.02038285063981452359, \
        -0.00652262059483585807, 0.002210915779572269445, -0.00114448883963142567, \
        0.001112402499218484389, -0.000940901826329009763 \
    }
#define VECTOR VECTOR_F64
#define VECTOR_LENGTH VECTOR_LENGTH_F64
#define VECTOR_ZERO VECTOR_ZERO_F64
#define VECTOR_LOAD(p) VECTOR_LOAD_F64(p)
#define VECTOR_STORE(p, v) VECTOR_STORE_F64(p, v)
#define VECTOR_BROADCAST(x) VECTOR_BROADCAST_F64(x)
#define VECTOR_FMA(a, b, c) VECTOR_FMA_F64(a, b, c)
#define VECTOR_RELU(z) VECTOR_RELU_F64(z)
#define VECTOR_WHERE_POSITIVE(x, y) VECTOR_WHERE_POSITIVE_F64(x, y)
#define VECTOR_ZIP_LOW(a, b) PASTE(ZIP_LOW_, VECTOR_LENGTH_F64, , )(a, b)
#define VECTOR_ZIP_HIGH(a, b) PASTE(ZIP_HIGH_, VECTOR_LENGTH_F64, , )(a, b)
#include "bodies.inc.c"
