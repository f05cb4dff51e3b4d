/* isa_portable.c: the kernels for any machine. No fused multiply-add is assumed, so its results agree
 * with the other instruction sets to rounding, not to the bit. */
#define ISA portable
#define TARGET
#define FMA_F32(a, b, c) ((a) * (b) + (c))
#define FMA_F64(a, b, c) ((a) * (b) + (c))
#define TILE_ROWS 6
#include <stdint.h>
/* Vectors of 16 bytes as GCC and Clang have them on every machine. */
typedef float portable_f32 __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t portable_i32 __attribute__((vector_size(16)));
typedef int64_t portable_i64 __attribute__((vector_size(16)));
typedef double portable_f64 __attribute__((vector_size(16), aligned(8), may_alias));
#define VECTOR_F32 portable_f32
#define VECTOR_LENGTH_F32 4
#define VECTOR_ZERO_F32 ((portable_f32){0})
#define VECTOR_LOAD_F32(p) (*(const portable_f32 *)(p))
#define VECTOR_STORE_F32(p, v) (*(portable_f32 *)(p) = (v))
#define VECTOR_BROADCAST_F32(x) ((x) - (portable_f32){0})
#define VECTOR_FMA_F32(a, b, c) ((a) * (b) + (c))
#define VECTOR_RELU_F32(z) ((portable_f32)(~((z) < (portable_f32){0}) & (portable_i32)(z)))
#define VECTOR_WHERE_POSITIVE_F32(x, y) ((portable_f32)(((y) > (portable_f32){0}) & (portable_i32)(x)))
#define VECTOR_F64 portable_f64
#define VECTOR_LENGTH_F64 2
#define VECTOR_ZERO_F64 ((portable_f64){0})
#define VECTOR_LOAD_F64(p) (*(const portable_f64 *)(p))
#define VECTOR_STORE_F64(p, v) (*(portable_f64 *)(p) = (v))
#define VECTOR_BROADCAST_F64(x) ((x) - (portable_f64){0})
#define VECTOR_FMA_F64(a, b, c) ((a) * (b) + (c))
#define VECTOR_RELU_F64(z) ((portable_f64)(~((z) < (portable_f64){0}) & (portable_i64)(z)))
#define VECTOR_WHERE_POSITIVE_F64(x, y) ((portable_f64)(((y) > (portable_f64){0}) & (portable_i64)(x)))
#include "kernels.inc.c"
