/* neon_f32.c: every kernel in float32 for 64-bit ARM, where NEON and fused multiply-add are always there. */
#include "isa/begin.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#define FUSED 1
#define TILE_ROWS 12
#define KERNELS_OF_UNIT kernels_neon_f32
#define OPERATIONS_OF_UNIT operations_neon_f32
#include "isa/real_f32.h"

typedef float32x4_t vector_t;
enum { VECTOR_LENGTH = 4 };

INLINE vector_t vector_zero(void) { return vdupq_n_f32(0); }
INLINE vector_t vector_load(const real_t *from) { return vld1q_f32(from); }
INLINE void vector_store(real_t *to, vector_t x) { vst1q_f32(to, x); }
INLINE vector_t vector_broadcast(real_t x) { return vdupq_n_f32(x); }
INLINE vector_t vector_fma(vector_t a, vector_t b, vector_t c) { return vfmaq_f32(c, a, b); }
/* max(0, x), in a form that keeps NaN; and x where y > 0, else 0. */
INLINE vector_t vector_relu(vector_t x) { return vbslq_f32(vcltzq_f32(x), vector_zero(), x); }
INLINE vector_t vector_where_positive(vector_t x, vector_t y)
{
    return vbslq_f32(vcgtzq_f32(y), x, vector_zero());
}

/* Interleave the lower, or the upper, halves of two vectors. */
INLINE vector_t vector_zip_low(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 0, 4, 1, 5); }
INLINE vector_t vector_zip_high(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 2, 6, 3, 7); }

#include "isa/end.h"
#else
typedef int neon_f32_is_empty_here; /* ISO C wants a declaration in every file */
#endif
