/* isa_avx2.c: the kernels for x86-64 with AVX2 and FMA. */
#if defined(__x86_64__)
#define ISA avx2
#define TARGET __attribute__((target("avx2,fma")))
#define FMA_F32(a, b, c) __builtin_fmaf(a, b, c)
#define FMA_F64(a, b, c) __builtin_fma(a, b, c)
#include "kernels.inc.c"
#else
typedef int isa_avx2_is_empty_here; /* ISO C wants a declaration in every file */
#endif
