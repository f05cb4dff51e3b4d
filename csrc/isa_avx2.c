/* isa_avx2.c: the kernels for x86-64 with AVX2 and FMA. */
#if defined(__x86_64__)
#define ISA avx2
#define TARGET __attribute__((target("avx2,fma")))
#define FMA_F32(a, b, c) __builtin_fmaf(a, b, c)
#define FMA_F64(a, b, c) __builtin_fma(a, b, c)
#include <immintrin.h>
#define TILE_ROWS 6 /* 16 registers hold no more than 6 x 2 sums, 2 inputs and a weight */
#define VECTOR_F32 __m256
#define VECTOR_LENGTH_F32 8
#define VECTOR_ZERO_F32 _mm256_setzero_ps()
#define VECTOR_LOAD_F32(p) _mm256_loadu_ps(p)
#define VECTOR_STORE_F32(p, v) _mm256_storeu_ps(p, v)
#define VECTOR_BROADCAST_F32(x) _mm256_set1_ps(x)
#define VECTOR_FMA_F32(a, b, c) _mm256_fmadd_ps(a, b, c)
#define VECTOR_RELU_F32(z) _mm256_max_ps(_mm256_setzero_ps(), z)
#define VECTOR_WHERE_POSITIVE_F32(x, y) _mm256_and_ps(_mm256_cmp_ps(y, _mm256_setzero_ps(), _CMP_GT_OQ), x)
#define VECTOR_F64 __m256d
#define VECTOR_LENGTH_F64 4
#define VECTOR_ZERO_F64 _mm256_setzero_pd()
#define VECTOR_LOAD_F64(p) _mm256_loadu_pd(p)
#define VECTOR_STORE_F64(p, v) _mm256_storeu_pd(p, v)
#define VECTOR_BROADCAST_F64(x) _mm256_set1_pd(x)
#define VECTOR_FMA_F64(a, b, c) _mm256_fmadd_pd(a, b, c)
#define VECTOR_RELU_F64(z) _mm256_max_pd(_mm256_setzero_pd(), z)
#define VECTOR_WHERE_POSITIVE_F64(x, y) _mm256_and_pd(_mm256_cmp_pd(y, _mm256_setzero_pd(), _CMP_GT_OQ), x)
#include "kernels.inc.c"
#else
typedef int isa_avx2_is_empty_here; /* ISO C wants a declaration in every file */
#endif
