/* isa_neon.c: the kernels for 64-bit ARM, where NEON and fused multiply-add are always there. */
#if defined(__aarch64__)
#define ISA neon
#define TARGET
#define FMA_F32(a, b, c) __builtin_fmaf(a, b, c)
#define FMA_F64(a, b, c) __builtin_fma(a, b, c)
#include <arm_neon.h>
#define TILE_ROWS 12
#define VECTOR_F32 float32x4_t
#define VECTOR_LENGTH_F32 4
#define VECTOR_ZERO_F32 vdupq_n_f32(0)
#define VECTOR_LOAD_F32(p) vld1q_f32(p)
#define VECTOR_STORE_F32(p, v) vst1q_f32(p, v)
#define VECTOR_BROADCAST_F32(x) vdupq_n_f32(x)
#define VECTOR_FMA_F32(a, b, c) vfmaq_f32(c, a, b)
#define VECTOR_RELU_F32(z) vbslq_f32(vcltzq_f32(z), vdupq_n_f32(0), z)
#define VECTOR_WHERE_POSITIVE_F32(x, y) vbslq_f32(vcgtzq_f32(y), x, vdupq_n_f32(0))
#define VECTOR_F64 float64x2_t
#define VECTOR_LENGTH_F64 2
#define VECTOR_ZERO_F64 vdupq_n_f64(0)
#define VECTOR_LOAD_F64(p) vld1q_f64(p)
#define VECTOR_STORE_F64(p, v) vst1q_f64(p, v)
#define VECTOR_BROADCAST_F64(x) vdupq_n_f64(x)
#define VECTOR_FMA_F64(a, b, c) vfmaq_f64(c, a, b)
#define VECTOR_RELU_F64(z) vbslq_f64(vcltzq_f64(z), vdupq_n_f64(0), z)
#define VECTOR_WHERE_POSITIVE_F64(x, y) vbslq_f64(vcgtzq_f64(y), x, vdupq_n_f64(0))
#include "kernels.inc.c"
#else
typedef int isa_neon_is_empty_here; /* ISO C wants a declaration in every file */
#endif
