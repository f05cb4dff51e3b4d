/* machine.c: two facts about this machine, printed as one line of JSON.
 *
 *   round_trip_ns  a cache line's way from one core to another and back: the median of many; null if
 *                  only one processor may be used
 *   peak_gflops    the most that one core did in float32 fused multiply-adds, two operations each
 *   instructions   what it did them with
 *
 * Build: cc -O2 -ffp-contract=fast -pthread
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

/* --- The round trip: two threads, each bound to a processor, pass a number to and fro --- */

enum { GROUPS = 201, TRIPS = 100 }; /* a group is timed as one; the median drops the interrupted ones */

static _Alignas(128) atomic_int ball;

/* Bind the calling thread to the `index`-th processor that the process may use; return how many there are. */
static int bind(int index) {
#ifdef __linux__
    static cpu_set_t allowed; /* as it was before the first binding, which the partner inherits */
    cpu_set_t one;
    if (CPU_COUNT(&allowed) == 0 && sched_getaffinity(0, sizeof allowed, &allowed)) return 1;
    for (int cpu = 0, seen = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &allowed) && seen++ == index) {
            CPU_ZERO(&one);
            CPU_SET(cpu, &one);
            if (pthread_setaffinity_np(pthread_self(), sizeof one, &one)) return 1;
        }
    return CPU_COUNT(&allowed);
#else
    (void)index;
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
#endif
}

static void *echo(void *unused) {
    bind(1);
    for (int turn = 1; turn < 2 * GROUPS * TRIPS; turn += 2) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != turn) {}
        atomic_store_explicit(&ball, turn + 1, memory_order_release);
    }
    return unused;
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Return the nanoseconds of a round trip, or 0 if there is nowhere to go. */
static double round_trip(void) {
    static double group[GROUPS];
    pthread_t partner;
    if (bind(0) < 2 || pthread_create(&partner, NULL, echo, NULL)) return 0;
    for (int i = 0, turn = 1; i < GROUPS; i++) {
        double start = seconds();
        for (int trip = 0; trip < TRIPS; trip++, turn += 2) {
            atomic_store_explicit(&ball, turn, memory_order_release);
            while (atomic_load_explicit(&ball, memory_order_acquire) != turn + 1) {}
        }
        group[i] = (seconds() - start) / TRIPS;
    }
    pthread_join(partner, NULL);
    qsort(group, GROUPS, sizeof group[0], by_size);
    return 1e9 * group[GROUPS / 2];
}

/* --- The peak: independent chains of x = x * half + half, enough of them to hide the latency --- */

enum { BURSTS = 30, STEPS = 100000 }; /* the best burst is one that nothing interrupted */

static volatile float half = 0.5f, sink; /* volatile: the compiler must not know the result */

#define CHAINS_12(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11)
#define CHAINS_24(DO) \
    CHAINS_12(DO) DO(12) DO(13) DO(14) DO(15) DO(16) DO(17) DO(18) DO(19) DO(20) DO(21) DO(22) DO(23)
#define BEGIN(i) vector x##i = h * (float)i;
#define STEP(i) x##i = x##i * h + h;
#define ADD(i) total += x##i;

/* Define `name`, which returns the operations that it did. */
#define BURST(name, attributes, bytes, chains, n_chains)          \
    attributes static double name(void) {                         \
        typedef float vector __attribute__((vector_size(bytes))); \
        vector h = (vector){0} + half, total = {0};               \
        chains(BEGIN)                                             \
        for (int step = 0; step < STEPS; step++) { chains(STEP) } \
        chains(ADD)                                               \
        sink = total[0];                                          \
        return 2.0 * STEPS * n_chains * (bytes / sizeof(float));  \
    }

#if defined(__x86_64__) /* 32 registers with AVX-512, else 16 */
BURST(burst_avx512, __attribute__((target("avx512f"))), 64, CHAINS_24, 24)
BURST(burst_avx2, __attribute__((target("avx2,fma"))), 32, CHAINS_12, 12)
BURST(burst_baseline, , 16, CHAINS_12, 12)
#else
BURST(burst_baseline, , 16, CHAINS_24, 24)
#endif

static double peak(double (*burst)(void)) {
    double best = 0;
    for (int i = 0; i < BURSTS; i++) {
        double start = seconds(), operations = burst(), rate = operations / (seconds() - start);
        if (rate > best) best = rate;
    }
    return 1e-9 * best;
}

int main(void) {
    double (*burst)(void) = burst_baseline;
    const char *instructions = "baseline";
    double trip = round_trip();
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f")) {
        burst = burst_avx512, instructions = "AVX-512";
    } else if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
        burst = burst_avx2, instructions = "AVX2";
    }
#elif defined(__aarch64__)
    instructions = "NEON";
#endif
    if (trip > 0) printf("{\"round_trip_ns\": %.1f, ", trip);
    else printf("{\"round_trip_ns\": null, ");
    printf("\"peak_gflops\": %.1f, \"instructions\": \"%s\"}\n", peak(burst), instructions);
    return 0;
}
