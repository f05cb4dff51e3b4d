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
#include "words.h"

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

/* 16 x 16 floats, by shuffles within 16 bytes, then of 16 bytes: they are twice as fast as the zips across a
 * whole vector that do for the other types. */
static inline __attribute__((always_inline)) TARGET void transpose_avx512_f32(__m512 r[16])
{
    __m512 t[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
#define PAIRS(low, i, j) _mm512_castpd_ps(low(_mm512_castps_pd(t[i]), _mm512_castps_pd(t[j])))
#pragma GCC unroll 16
    for (int i = 0; i < 16; i += 4) {
        r[i] = PAIRS(_mm512_unpacklo_pd, i, i + 2);
        r[i + 1] = PAIRS(_mm512_unpackhi_pd, i, i + 2);
        r[i + 2] = PAIRS(_mm512_unpacklo_pd, i + 1, i + 3);
        r[i + 3] = PAIRS(_mm512_unpackhi_pd, i + 1, i + 3);
    }
#undef PAIRS
    /* r[4 g + c] now holds, in its quarter q, column 4 q + c of the rows 4 g .. 4 g + 3. */
#pragma GCC unroll 16
    for (int c = 0; c < 4; c++) {
        t[c] = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88);
        t[4 + c] = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd);
        t[8 + c] = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
        t[12 + c] = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
    }
#pragma GCC unroll 16
    for (int c = 0; c < 4; c++) {
        r[c] = _mm512_shuffle_f32x4(t[c], t[8 + c], 0x88);
        r[8 + c] = _mm512_shuffle_f32x4(t[c], t[8 + c], 0xdd);
        r[4 + c] = _mm512_shuffle_f32x4(t[4 + c], t[12 + c], 0x88);
        r[12 + c] = _mm512_shuffle_f32x4(t[4 + c], t[12 + c], 0xdd);
    }
}
#define TRANSPOSE_F32(block) transpose_avx512_f32(block)

#define MULTIPLY_WORDS(low, high, x, m)                                                              \
    do {                                                                                             \
        const __m512i even = _mm512_mul_epu32((__m512i)(x), _mm512_set1_epi64(m));                   \
        const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)(x), 32), _mm512_set1_epi64(m)); \
        low = (words_t)_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));            \
        high = (words_t)_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);           \
    } while (0)
#include "kernels.inc.c"
#else
typedef int isa_avx512_is_empty_here; /* ISO C wants a declaration in every file */
#endif
