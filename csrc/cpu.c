/* cpu.c: what depends on the machine: instruction sets, denormal numbers, the clock. */
#define _POSIX_C_SOURCE 200809L
#include "layers.h"

#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

/* The tables that isa_*.c define; one that this processor's family lacks is not compiled. */
#define DECLARE(isa)                                                 \
    extern const kernels_t kernels_##isa##_f32, kernels_##isa##_f64; \
    extern const operations_t tile_##isa##_f32, tile_##isa##_f64;
#define TABLES(isa)                                                                            \
    {                                                                                          \
        {&kernels_##isa##_f32, &tile_##isa##_f32}, { &kernels_##isa##_f64, &tile_##isa##_f64 } \
    }

DECLARE(portable)
#if defined(__x86_64__)
DECLARE(avx2)
DECLARE(avx512)
#elif defined(__aarch64__)
DECLARE(neon)
#endif

static const struct {
    const kernels_t *kernels;
    const operations_t *tile;
} tables[N_ISAS][2] = {
    [ISA_PORTABLE] = TABLES(portable),
#if defined(__x86_64__)
    [ISA_AVX2] = TABLES(avx2),
    [ISA_AVX512] = TABLES(avx512),
#elif defined(__aarch64__)
    [ISA_NEON] = TABLES(neon),
#endif
};

const char *fastmlp_isa_name(isa_t isa)
{
    static const char *const names[N_ISAS] = {"portable", "neon", "avx2", "avx512"};
    return names[isa];
}

int fastmlp_isa_available(isa_t isa)
{
    switch (isa) {
    case ISA_PORTABLE:
        return 1;
#if defined(__x86_64__)
    case ISA_AVX2:
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case ISA_AVX512:
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("fma");
#elif defined(__aarch64__)
    case ISA_NEON:
        return 1;
#endif
    default:
        return 0;
    }
}

isa_t fastmlp_best_isa(void)
{
    for (int isa = N_ISAS - 1; isa > ISA_PORTABLE; isa--)
        if (fastmlp_isa_available((isa_t)isa))
            return (isa_t)isa;
    return ISA_PORTABLE;
}

const kernels_t *fastmlp_kernels(isa_t isa, dtype_t dtype)
{
    return fastmlp_isa_available(isa) ? tables[isa][dtype].kernels : NULL;
}

const operations_t *fastmlp_tile_operations(isa_t isa, dtype_t dtype)
{
    return fastmlp_isa_available(isa) ? tables[isa][dtype].tile : NULL;
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
