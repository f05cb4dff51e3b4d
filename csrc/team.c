/* team.c: plain threads that live as long as the call that started them, and a barrier.
 *
 * There is no pool that would idle between calls: nothing to break at fork(), nothing that takes cores
 * from other libraries. Starting a thread costs some 30 us, a call is some 50 ms long.
 *
 * All that two threads touch is atomic or under the mutex, without bare fences, so that ThreadSanitizer
 * understands it.
 */
#define _GNU_SOURCE /* the processors that a thread may run on */
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define RELAX() _mm_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() ((void)0)
#endif

enum {
    MAX_THREADS = 256,
    /* Some 40 us. Members with equal shares arrive within a few; one that does not has lost its core to
     * another program, and its core is better given away than spun on. */
    SPINS = 4000,
};

struct team {
    /* Each on a cache line of its own: those who spin read `round` only. */
    _Alignas(64) atomic_int n_arrived;
    _Alignas(64) atomic_uint round; /* how often all have arrived */
    _Alignas(64) atomic_int n_asleep;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int count; /* written before the first member begins */
    void (*work)(void *context, const member_t *member);
    void *context;
};

typedef struct {
    team_t *team;
    int64_t index;
} seat_t;

void fastmlp_barrier(const member_t *member)
{
    team_t *team = member->team;
    if (member->count == 1)
        return;
    const unsigned round = atomic_load_explicit(&team->round, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&team->n_arrived, 1, memory_order_acq_rel) == member->count - 1) {
        atomic_store_explicit(&team->n_arrived, 0, memory_order_relaxed);
        /* Sequentially consistent, as are the sleepers' two: either they see the new round, or we see them. */
        atomic_store(&team->round, round + 1);
        if (atomic_load(&team->n_asleep)) {
            pthread_mutex_lock(&team->mutex);
            pthread_cond_broadcast(&team->wake);
            pthread_mutex_unlock(&team->mutex);
        }
        return;
    }
    for (int spin = 0; spin < SPINS; spin++) {
        if (atomic_load_explicit(&team->round, memory_order_acquire) != round)
            return;
        RELAX();
    }
    pthread_mutex_lock(&team->mutex);
    atomic_fetch_add(&team->n_asleep, 1);
    while (atomic_load(&team->round) == round)
        pthread_cond_wait(&team->wake, &team->mutex);
    atomic_fetch_sub(&team->n_asleep, 1);
    pthread_mutex_unlock(&team->mutex);
}

static void *run_member(void *seat_)
{
    const seat_t *seat = seat_;
    team_t *team = seat->team;
    pthread_mutex_lock(&team->mutex); /* until it is known how many we are */
    const member_t member = {seat->index, team->count, team};
    pthread_mutex_unlock(&team->mutex);
    team->work(team->context, &member);
    return NULL;
}

/* Keep new threads off the processor that the caller is running on. Kernels that save power or pack virtual
 * processors start them there, where they wait until the caller sleeps: 0.5 ms into calls of 0.5 ms, 0.05 ms with
 * this. */
static void place_elsewhere(pthread_attr_t *attributes)
{
#ifdef __linux__
    cpu_set_t processors;
    const int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || sched_getaffinity(0, sizeof processors, &processors))
        return;
    CPU_CLR(here, &processors);
    if (CPU_COUNT(&processors) > 0)
        pthread_attr_setaffinity_np(attributes, sizeof processors, &processors);
#else
    (void)attributes;
#endif
}

int fastmlp_run_team(int n_threads, void (*work)(void *context, const member_t *member), void *context)
{
    if (n_threads <= 1) {
        work(context, &(member_t){0, 1, NULL});
        return 1;
    }
    team_t team = {.work = work, .context = context, .count = 1};
    pthread_t threads[MAX_THREADS];
    seat_t seats[MAX_THREADS];
    pthread_attr_t attributes;
    sigset_t all, before;
    pthread_attr_init(&attributes);
    place_elsewhere(&attributes);
    pthread_mutex_init(&team.mutex, NULL);
    pthread_cond_init(&team.wake, NULL);
    /* Signals such as Ctrl-C are the caller's: Python handles them in its own threads. */
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_mutex_lock(&team.mutex);
    for (; team.count < n_threads && team.count < MAX_THREADS; team.count++) {
        seats[team.count] = (seat_t){&team, team.count};
        if (pthread_create(&threads[team.count], &attributes, run_member, &seats[team.count]))
            break;
    }
    pthread_mutex_unlock(&team.mutex);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    work(context, &(member_t){0, team.count, &team});
    for (int i = 1; i < team.count; i++)
        pthread_join(threads[i], NULL);
    pthread_cond_destroy(&team.wake);
    pthread_mutex_destroy(&team.mutex);
    return team.count;
}
