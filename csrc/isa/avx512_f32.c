/* avx512_f32.c: every kernel in float32 for x86-64 with AVX-512 (F, BW, DQ, VL). */
#include "isa/begin.h"

#if defined(__x86_64__)
#include "isa/avx512.h"
#define FUSED 1
#define TILE_ROWS 12
#define KERNELS_OF_UNIT kernels_avx512_f32
#define OPERATIONS_OF_UNIT operations_avx512_f32
#include "isa/real_f32.h"

typedef __m512 vector_t;
enum { VECTOR_LENGTH = 16 };

INLINE vector_t vector_zero(void) { return _mm512_setzero_ps(); }
INLINE vector_t vector_load(const real_t *from) { return _mm512_loadu_ps(from); }
INLINE void vector_store(real_t *to, vector_t x) { _mm512_storeu_ps(to, x); }
INLINE vector_t vector_broadcast(real_t x) { return _mm512_set1_ps(x); }
INLINE vector_t vector_fma(vector_t a, vector_t b, vector_t c) { return _mm512_fmadd_ps(a, b, c); }
/* max(0, x), in the order that keeps NaN; and x where y > 0, else 0. */
INLINE vector_t vector_relu(vector_t x) { return _mm512_max_ps(vector_zero(), x); }
INLINE vector_t vector_where_positive(vector_t x, vector_t y)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(y, vector_zero(), _CMP_GT_OQ), x);
}

/* Interleave pairs of floats of each quarter's lower, or upper, half. */
INLINE vector_t unpack_low_pairs(vector_t a, vector_t b)
{
    return _mm512_castpd_ps(_mm512_unpacklo_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}
INLINE vector_t unpack_high_pairs(vector_t a, vector_t b)
{
    return _mm512_castpd_ps(_mm512_unpackhi_pd(_mm512_castps_pd(a), _mm512_castps_pd(b)));
}

/* 16 x 16 floats, by shuffles within 16 bytes, then of 16 bytes: they are twice as fast as the zips across a
 * whole vector that do for the other types. */
#define VECTOR_TRANSPOSE_IS_DEFINED
INLINE void vector_transpose(vector_t r[VECTOR_LENGTH])
{
    __m512 t[16];
    UNROLL
    for (int i = 0; i < 16; i += 2) {
        t[i] = _mm512_unpacklo_ps(r[i], r[i + 1]);
        t[i + 1] = _mm512_unpackhi_ps(r[i], r[i + 1]);
    }
    UNROLL
    for (int i = 0; i < 16; i += 4) {
        r[i] = unpack_low_pairs(t[i], t[i + 2]);
        r[i + 1] = unpack_high_pairs(t[i], t[i + 2]);
        r[i + 2] = unpack_low_pairs(t[i + 1], t[i + 3]);
        r[i + 3] = unpack_high_pairs(t[i + 1], t[i + 3]);
    }
    /* r[4 g + c] now holds, in its quarter q, column 4 q + c of the rows 4 g .. 4 g + 3. */
    UNROLL
    for (int c = 0; c < 4; c++) {
        t[c] = _mm512_shuffle_f32x4(r[c], r[4 + c], 0x88);
        t[4 + c] = _mm512_shuffle_f32x4(r[c], r[4 + c], 0xdd);
        t[8 + c] = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0x88);
        t[12 + c] = _mm512_shuffle_f32x4(r[8 + c], r[12 + c], 0xdd);
    }
    UNROLL
    for (int c = 0; c < 4; c++) {
        r[c] = _mm512_shuffle_f32x4(t[c], t[8 + c], 0x88);
        r[8 + c] = _mm512_shuffle_f32x4(t[c], t[8 + c], 0xdd);
        r[4 + c] = _mm512_shuffle_f32x4(t[4 + c], t[12 + c], 0x88);
        r[12 + c] = _mm512_shuffle_f32x4(t[4 + c], t[12 + c], 0xdd);
    }
}

#include "isa/end.h"
END_TARGET_REGION
#else
typedef int avx512_f32_is_empty_here; /* ISO C wants a declaration in every file */
#endif
