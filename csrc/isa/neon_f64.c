/* neon_f64.c: every kernel in float64 for 64-bit ARM, where NEON and fused multiply-add are always there. */
#include "isa/begin.h"

#if defined(__aarch64__)
#include <arm_neon.h>
#define FUSED 1
#define TILE_ROWS 12
#define KERNELS_OF_UNIT kernels_neon_f64
#define OPERATIONS_OF_UNIT operations_neon_f64
#include "isa/real_f64.h"

typedef float64x2_t vector_t;
enum { VECTOR_LENGTH = 2 };

INLINE vector_t vector_zero(void) { return vdupq_n_f64(0); }
INLINE vector_t vector_load(const real_t *from) { return vld1q_f64(from); }
INLINE void vector_store(real_t *to, vector_t x) { vst1q_f64(to, x); }
INLINE vector_t vector_broadcast(real_t x) { return vdupq_n_f64(x); }
INLINE vector_t vector_fma(vector_t a, vector_t b, vector_t c) { return vfmaq_f64(c, a, b); }
/* max(0, x), in a form that keeps NaN; and x where y > 0, else 0. */
INLINE vector_t vector_relu(vector_t x) { return vbslq_f64(vcltzq_f64(x), vector_zero(), x); }
INLINE vector_t vector_where_positive(vector_t x, vector_t y)
{
    return vbslq_f64(vcgtzq_f64(y), x, vector_zero());
}

/* Interleave the lower, or the upper, halves of two vectors. */
INLINE vector_t vector_zip_low(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 0, 2); }
INLINE vector_t vector_zip_high(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 1, 3); }

#include "isa/end.h"
#else
typedef int neon_f64_is_empty_here; /* ISO C wants a declaration in every file */
#endif
