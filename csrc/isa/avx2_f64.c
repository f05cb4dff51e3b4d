/* avx2_f64.c: every kernel in float64 for x86-64 with AVX2 and FMA. */
#include "isa/begin.h"

#if defined(__x86_64__)
#include <immintrin.h>

TARGET_REGION("avx2,fma")
#define FUSED 1
#define TILE_ROWS 6 /* 16 registers hold no more than 6 x 2 sums, 2 inputs and a weight */
#define KERNELS_OF_UNIT kernels_avx2_f64
#define OPERATIONS_OF_UNIT operations_avx2_f64
#include "isa/real_f64.h"

typedef __m256d vector_t;
enum { VECTOR_LENGTH = 4 };

INLINE vector_t vector_zero(void) { return _mm256_setzero_pd(); }
INLINE vector_t vector_load(const real_t *from) { return _mm256_loadu_pd(from); }
INLINE void vector_store(real_t *to, vector_t x) { _mm256_storeu_pd(to, x); }
INLINE vector_t vector_broadcast(real_t x) { return _mm256_set1_pd(x); }
INLINE vector_t vector_fma(vector_t a, vector_t b, vector_t c) { return _mm256_fmadd_pd(a, b, c); }
/* max(0, x), in the order that keeps NaN; and x where y > 0, else 0. */
INLINE vector_t vector_relu(vector_t x) { return _mm256_max_pd(vector_zero(), x); }
INLINE vector_t vector_where_positive(vector_t x, vector_t y)
{
    return _mm256_and_pd(_mm256_cmp_pd(y, vector_zero(), _CMP_GT_OQ), x);
}

/* Interleave the lower, or the upper, halves of two vectors. */
INLINE vector_t vector_zip_low(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
INLINE vector_t vector_zip_high(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }

#include "isa/end.h"
END_TARGET_REGION
#else
typedef int avx2_f64_is_empty_here; /* ISO C wants a declaration in every file */
#endif
