/* isa_neon.c: the kernels for 64-bit ARM, where NEON and fused multiply-add are always there. */
#if defined(__aarch64__)
#define ISA neon
#define TARGET
#define FMA_F32(a, b, c) __builtin_fmaf(a, b, c)
#define FMA_F64(a, b, c) __builtin_fma(a, b, c)
#include "kernels.inc.c"
#else
typedef int isa_neon_is_empty_here; /* ISO C wants a declaration in every file */
#endif
