/* cpu.c: what depends on the machine: instruction sets, denormal numbers, the clock. */
#define _POSIX_C_SOURCE 200809L
#include "operations.h"

#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The tables of the units in isa/; those for other families of processors are not compiled. */
extern const kernels_t kernels_portable_f32, kernels_portable_f64;
extern const operations_t operations_portable_f32, operations_portable_f64;
#if defined(__x86_64__)
extern const kernels_t kernels_avx2_f32, kernels_avx2_f64, kernels_avx512_f32, kernels_avx512_f64;
extern const operations_t operations_avx2_f32, operations_avx2_f64, operations_avx512_f32,
    operations_avx512_f64;
#elif defined(__aarch64__)
extern const kernels_t kernels_neon_f32, kernels_neon_f64;
extern const operations_t operations_neon_f32, operations_neon_f64;
#endif

static int always(void) { return 1; }

#if defined(__x86_64__)
static int has_avx2(void) { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }

static int has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("fma");
}
#endif

/* The instruction sets that were compiled, the best one last; an isa_t is an index here. */
static const struct {
    const char *name;
    int (*is_available)(void);
    const kernels_t *kernels[2]; /* by dtype_t */
    const operations_t *operations[2];
} instruction_sets[] = {
    {"portable",
     always,
     {&kernels_portable_f32, &kernels_portable_f64},
     {&operations_portable_f32, &operations_portable_f64}},
#if defined(__x86_64__)
    {"avx2", has_avx2, {&kernels_avx2_f32, &kernels_avx2_f64}, {&operations_avx2_f32, &operations_avx2_f64}},
    {"avx512",
     has_avx512,
     {&kernels_avx512_f32, &kernels_avx512_f64},
     {&operations_avx512_f32, &operations_avx512_f64}},
#elif defined(__aarch64__)
    {"neon", always, {&kernels_neon_f32, &kernels_neon_f64}, {&operations_neon_f32, &operations_neon_f64}},
#endif
};

int fastmlp_n_isas(void) { return sizeof instruction_sets / sizeof *instruction_sets; }

const char *fastmlp_isa_name(isa_t isa) { return instruction_sets[isa].name; }

int fastmlp_isa_available(isa_t isa) { return instruction_sets[isa].is_available(); }

const kernels_t *fastmlp_kernels(isa_t isa, dtype_t dtype)
{
    return fastmlp_isa_available(isa) ? instruction_sets[isa].kernels[dtype] : NULL;
}

const operations_t *fastmlp_operations(isa_t isa, dtype_t dtype)
{
    return fastmlp_isa_available(isa) ? instruction_sets[isa].operations[dtype] : NULL;
}

int fastmlp_has_bfloat16(void)
{
#if defined(__x86_64__)
    return has_avx512() && __builtin_cpu_supports("avx512bf16");
#else
    return 0;
#endif
}

const char *fastmlp_compiler(void)
{
#if defined(__clang__)
    return "Clang " __clang_version__;
#elif defined(__GNUC__)
    return "GCC " __VERSION__;
#else
    return "unknown";
#endif
}

/* Adam's second moments decay into denormals, on which some processors are a hundred times slower.
 * The mode is a thread's own: set for the length of a call and restored, it never leaks. */
uint64_t fastmlp_flush_denormals(void)
{
#if defined(__x86_64__)
    const unsigned flush_to_zero = 0x8000, denormals_are_zero = 0x0040;
    const unsigned state = _mm_getcsr();
    _mm_setcsr(state | flush_to_zero | denormals_are_zero);
    return state;
#elif defined(__aarch64__)
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" : : "r"(state | ((uint64_t)1 << 24)));
    return state;
#else
    return 0;
#endif
}

void fastmlp_restore_denormals(uint64_t state)
{
#if defined(__x86_64__)
    _mm_setcsr((unsigned)state);
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
#else
    (void)state;
#endif
}

double fastmlp_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
