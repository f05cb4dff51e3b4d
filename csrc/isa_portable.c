/* isa_portable.c: the kernels for any machine. No fused multiply-add is assumed, so its results agree
 * with the other instruction sets to rounding, not to the bit. */
#define ISA portable
#define TARGET
#define FMA_F32(a, b, c) ((a) * (b) + (c))
#define FMA_F64(a, b, c) ((a) * (b) + (c))
#include "kernels.inc.c"
