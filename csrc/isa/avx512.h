/* avx512.h: what the units for AVX-512 (F, BW, DQ, VL) share. */
#include <immintrin.h>

#if defined(__clang__)
#pragma clang attribute push(                                                                      \
    __attribute__((target("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma"), min_vector_width(512))), \
    apply_to = function)
#else /* GCC would otherwise stop at 256 bits */
TARGET_REGION("avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,prefer-vector-width=512")
#endif

/* The lower and the upper halves of the products of words with a constant, by products of 32 bits (draws for
 * 384 x 128: 80 us with those of 64 that compilers make, so 60). */
#define MULTIPLY_WORDS_IS_DEFINED
INLINE void multiply_words(words_t *low, words_t *high, const words_t *x, uint32_t constant)
{
    const __m512i even = _mm512_mul_epu32((__m512i)*x, _mm512_set1_epi64(constant));
    const __m512i odd = _mm512_mul_epu32(_mm512_srli_epi64((__m512i)*x, 32), _mm512_set1_epi64(constant));
    *low = (words_t)_mm512_mask_blend_epi32(0xaaaa, even, _mm512_slli_epi64(odd, 32));
    *high = (words_t)_mm512_mask_blend_epi32(0xaaaa, _mm512_srli_epi64(even, 32), odd);
}
