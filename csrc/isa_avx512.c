/* isa_avx512.c: the kernels for x86-64 with AVX-512 (F, BW, DQ, VL). */
#if defined(__x86_64__)
#define ISA avx512
#if defined(__clang__)
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512)))
#else
/* GCC would otherwise stop at 256 bits. */
#define TARGET __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")))
#endif
#define FMA_F32(a, b, c) __builtin_fmaf(a, b, c)
#define FMA_F64(a, b, c) __builtin_fma(a, b, c)
#include <immintrin.h>
#define TILE_ROWS 12
#define VECTOR_F32 __m512
#define VECTOR_LENGTH_F32 16
#define VECTOR_ZERO_F32 _mm512_setzero_ps()
#define VECTOR_LOAD_F32(p) _mm512_loadu_ps(p)
#define VECTOR_STORE_F32(p, v) _mm512_storeu_ps(p, v)
#define VECTOR_BROADCAST_F32(x) _mm512_set1_ps(x)
#define VECTOR_FMA_F32(a, b, c) _mm512_fmadd_ps(a, b, c)
#define VECTOR_RELU_F32(z) _mm512_max_ps(_mm512_setzero_ps(), z)
#define VECTOR_WHERE_POSITIVE_F32(x, y) _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, _mm512_setzero_ps(), _CMP_GT_OQ), x)
#define VECTOR_F64 __m512d
#define VECTOR_LENGTH_F64 8
#define VECTOR_ZERO_F64 _mm512_setzero_pd()
#define VECTOR_LOAD_F64(p) _mm512_loadu_pd(p)
#define VECTOR_STORE_F64(p, v) _mm512_storeu_pd(p, v)
#define VECTOR_BROADCAST_F64(x) _mm512_set1_pd(x)
#define VECTOR_FMA_F64(a, b, c) _mm512_fmadd_pd(a, b, c)
#define VECTOR_RELU_F64(z) _mm512_max_pd(_mm512_setzero_pd(), z)
#define VECTOR_WHERE_POSITIVE_F64(x, y) _mm512_maskz_mov_pd(_mm512_cmp_pd_mask(y, _mm512_setzero_pd(), _CMP_GT_OQ), x)
#include "kernels.inc.c"
#else
typedef int isa_avx512_is_empty_here; /* ISO C wants a declaration in every file */
#endif
