/* portable_f64.c: every kernel in float64 for any machine. No fused multiply-add is assumed, so its results
 * agree with those of the other instruction sets to rounding, not to the bit. */
#include "isa/begin.h"

#define FUSED 0
#define TILE_ROWS 6
#define KERNELS_OF_UNIT kernels_portable_f64
#define OPERATIONS_OF_UNIT operations_portable_f64
#include "isa/real_f64.h"

/* Vectors of 16 bytes as GCC and Clang have them on every machine. */
typedef double vector_t __attribute__((vector_size(16)));
typedef int64_t vector_bits_t __attribute__((vector_size(16)));
enum { VECTOR_LENGTH = 2 };

INLINE vector_t vector_zero(void) { return (vector_t){0}; }
INLINE vector_t vector_load(const real_t *from)
{
    vector_t x;
    memcpy(&x, from, sizeof x); /* at any address */
    return x;
}
INLINE void vector_store(real_t *to, vector_t x) { memcpy(to, &x, sizeof x); }
INLINE vector_t vector_broadcast(real_t x) { return x - (vector_t){0}; }
INLINE vector_t vector_fma(vector_t a, vector_t b, vector_t c) { return a * b + c; }
/* max(0, x), in a form that keeps NaN; and x where y > 0, else 0. */
INLINE vector_t vector_relu(vector_t x) { return (vector_t)(~(x < vector_zero()) & (vector_bits_t)x); }
INLINE vector_t vector_where_positive(vector_t x, vector_t y)
{
    return (vector_t)((y > vector_zero()) & (vector_bits_t)x);
}

/* Interleave the lower, or the upper, halves of two vectors. */
INLINE vector_t vector_zip_low(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 0, 2); }
INLINE vector_t vector_zip_high(vector_t a, vector_t b) { return __builtin_shufflevector(a, b, 1, 3); }

#include "isa/end.h"
