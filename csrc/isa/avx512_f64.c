/* avx512_f64.c: every kernel in float64 for x86-64 with AVX-512 (F, BW, DQ, VL). */
#include "isa/begin.h"

#if defined(__x86_64__)
#include "isa/avx512.h"
#define FUSED 1
#define TILE_ROWS 12
#define KERNELS_OF_UNIT kernels_avx512_f64
#define OPERATIONS_OF_UNIT operations_avx512_f64
#include "isa/real_f64.h"

typedef __m512d vector_t;
enum { VECTOR_LENGTH = 8 };

INLINE vector_t vector_zero(void) { return _mm512_setzero_pd(); }
INLINE vector_t vector_load(const real_t *from) { return _mm512_loadu_pd(from); }
INLINE void vector_store(real_t *to, vector_t x) { _mm512_storeu_pd(to, x); }
INLINE vector_t vector_broadcast(real_t x) { return _mm512_set1_pd(x); }
INLINE vector_t vector_fma(vector_t a, vector_t b, vector_t c) { return _mm512_fmadd_pd(a, b, c); }
/* max(0, x), in the order that keeps NaN; and x where y > 0, else 0. */
INLINE vector_t vector_relu(vector_t x) { return _mm512_max_pd(vector_zero(), x); }
INLINE vector_t vector_where_positive(vector_t x, vector_t y)
{
    return _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(y, vector_zero(), _CMP_GT_OQ), x);
}

/* Interleave the lower, or the upper, halves of two vectors. */
INLINE vector_t vector_zip_low(vector_t a, vector_t b)
{
    return __builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
INLINE vector_t vector_zip_high(vector_t a, vector_t b)
{
    return __builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

#include "isa/end.h"
END_TARGET_REGION
#else
typedef int avx512_f64_is_empty_here; /* ISO C wants a declaration in every file */
#endif
