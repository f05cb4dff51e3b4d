/* team.c: threads that share the work of a call, and a barrier.
 *
 * There is no pool that idles: a thread that has done its work looks out for more for LINGER, and ends. Calls
 * that follow one another closely find it awake (a thread takes 50 us to start and as long to be waited for; a
 * prediction of 32 rows takes 70 us on one), and between others there is nothing that would take cores from
 * other libraries. After fork() the child has none of them and knows it.
 *
 * All that two threads touch is atomic, or handed over by an atomic, without bare fences, so that
 * ThreadSanitizer understands it.
 */
#define _GNU_SOURCE /* the processors that a thread may run on */
#include "team.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define RELAX() _mm_pause()
#elif defined(__aarch64__)
#define RELAX() __asm__ volatile("yield")
#else
#define RELAX() ((void)0)
#endif

/* The processors that a thread may run on, where the system tells. */
#ifdef __linux__
typedef cpu_set_t processors_t;
#else
typedef int processors_t;
#endif

enum {
    MAX_THREADS = 256,
    /* Some 40 us. Members with equal shares arrive within a few; one that does not has lost its core to
     * another program, and its core is better given away than spun on. */
    SPINS = 4000,
    /* Some 100 us, in which Python comes from one call to the next. */
    LINGER = 10000,
    NAP_NANOSECONDS = 50000,
};

struct team {
    /* Each on a cache line of its own: those who spin read `round` only. */
    _Alignas(64) atomic_int n_arrived;
    _Alignas(64) atomic_uint round; /* how often all have arrived */
    _Alignas(64) atomic_int n_asleep;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    int count; /* this and all below are written before the first member begins */
    void (*work)(void *context, const member_t *member);
    void *context;
    int has_processors;
    processors_t processors; /* the caller's */
};

/* A place for a thread. It goes from ABSENT through TAKEN (by a caller, who starts the thread) to WORKING, then
 * IDLE, and from there to ABSENT again, or to TAKEN by another caller. Above these two bits the state counts
 * the callers, so that each can tell its own work from the next one's. */
enum { ABSENT, TAKEN, WORKING, IDLE, PHASE = 3, NEXT_CALLER = 4 };
typedef struct {
    _Alignas(64) atomic_uint state;
    team_t *team; /* this and the next belong to the caller while the seat is TAKEN */
    int64_t index;
} seat_t;

static seat_t seats[MAX_THREADS];
static atomic_int n_seats_used; /* beyond these all have always been ABSENT */

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

/* Read what processors the calling thread may run on; return whether they are known. */
static int read_processors(processors_t *out)
{
#ifdef __linux__
    return sched_getaffinity(0, sizeof *out, out) == 0;
#else
    (void)out;
    return 0;
#endif
}

/* Move the calling thread to the processors of its team's caller, unless it is bound to just these. One that
 * lingers may have come from a caller with others, and a new one was kept off the processor of its own. */
static void follow_caller(const team_t *team, processors_t *own, int *is_known)
{
#ifdef __linux__
    if (!team->has_processors || (*is_known && CPU_EQUAL(own, &team->processors)))
        return;
    *own = team->processors;
    *is_known = sched_setaffinity(0, sizeof *own, own) == 0;
#else
    (void)team, (void)own, (void)is_known;
#endif
}

/* The life of a thread: work, linger, and so on until nobody comes. */
static void *live(void *seat_)
{
    seat_t *seat = seat_;
    processors_t processors;
    int spin = 0, knows_processors = 0;
    for (;;) {
        unsigned state = atomic_load_explicit(&seat->state, memory_order_acquire);
        if ((state & PHASE) == WORKING) {
            team_t *team = seat->team;
            follow_caller(team, &processors, &knows_processors);
            team->work(team->context, &(member_t){seat->index, team->count, team});
            /* After this nothing of the team may be touched: the caller goes on. */
            atomic_store_explicit(&seat->state, state - WORKING + IDLE, memory_order_release);
            spin = 0;
        } else if ((state & PHASE) == IDLE && ++spin >= LINGER) {
            if (atomic_compare_exchange_strong(&seat->state, &state, state - IDLE + ABSENT))
                return NULL;
            spin = 0; /* somebody has just taken the seat */
        }
        RELAX();
    }
}

static void forget_all(void)
{
    for (int i = 0; i < MAX_THREADS; i++)
        atomic_store(&seats[i].state, ABSENT);
}

static void prepare(void) { pthread_atfork(NULL, NULL, forget_all); }

/* Start new threads off the processor that the caller is running on. Kernels that save power or pack virtual
 * processors start them there, where they wait until the caller sleeps: 0.5 ms into calls of 0.5 ms, 0.05 ms with
 * this. Once they run, they may go wherever the caller may. */
static void place_elsewhere(pthread_attr_t *attributes, const team_t *team)
{
#ifdef __linux__
    const int here = sched_getcpu();
    if (here < 0 || here >= CPU_SETSIZE || !team->has_processors)
        return;
    processors_t elsewhere = team->processors;
    CPU_CLR(here, &elsewhere);
    if (CPU_COUNT(&elsewhere) > 0)
        pthread_attr_setaffinity_np(attributes, sizeof elsewhere, &elsewhere);
#else
    (void)attributes, (void)team;
#endif
}

/* The signals that a new thread blocks: those such as Ctrl-C are the caller's, since Python handles them in its
 * own threads. Faults are as open as the caller has them: they belong to the thread that makes them, and a
 * handler such as faulthandler's is never called for one that is blocked. */
static sigset_t signals_to_block(const sigset_t *blocked_by_caller)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS};
    sigset_t blocked;
    sigfillset(&blocked);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++)
        if (!sigismember(blocked_by_caller, faults[i]))
            sigdelset(&blocked, faults[i]);
    return blocked;
}

/* Take a seat if it is in this phase. */
static int take(seat_t *seat, unsigned phase)
{
    unsigned state = atomic_load_explicit(&seat->state, memory_order_relaxed);
    return (state & PHASE) == phase &&
           atomic_compare_exchange_strong(&seat->state, &state, state - phase + TAKEN + NEXT_CALLER);
}

/* Take up to n seats whose threads linger; return how many. */
static int take_idle(seat_t **taken, int n)
{
    int n_taken = 0;
    for (int i = 0; i < atomic_load_explicit(&n_seats_used, memory_order_relaxed) && n_taken < n; i++)
        if (take(&seats[i], IDLE))
            taken[n_taken++] = &seats[i];
    return n_taken;
}

/* Take up to n empty seats and start threads for them; return how many. */
static int start_threads(seat_t **taken, int n, const team_t *team)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_attr_t attributes;
    sigset_t before, blocked;
    int n_taken = 0;
    pthread_once(&once, prepare);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    place_elsewhere(&attributes, team);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    blocked = signals_to_block(&before);
    pthread_sigmask(SIG_SETMASK, &blocked, NULL);
    for (int i = 0; i < MAX_THREADS && n_taken < n; i++) {
        pthread_t thread;
        if (!take(&seats[i], ABSENT))
            continue;
        if (pthread_create(&thread, &attributes, live, &seats[i])) {
            atomic_store(&seats[i].state, ABSENT);
            break;
        }
        taken[n_taken++] = &seats[i];
        int used = atomic_load(&n_seats_used);
        while (used <= i && !atomic_compare_exchange_weak(&n_seats_used, &used, i + 1)) {
        }
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return n_taken;
}

static void wait_while(const seat_t *seat, unsigned state)
{
    for (int spin = 0; atomic_load_explicit(&seat->state, memory_order_acquire) == state; spin++)
        if (spin < SPINS)
            RELAX();
        else
            nanosleep(&(struct timespec){0, NAP_NANOSECONDS}, NULL);
}

int fastmlp_run_team(int n_threads, int may_start, void (*work)(void *context, const member_t *member),
                     void *context)
{
    seat_t *taken[MAX_THREADS];
    unsigned states[MAX_THREADS];
    team_t team = {.work = work, .context = context};
    int n_taken = 0;
    if (n_threads > MAX_THREADS)
        n_threads = MAX_THREADS;
    if (n_threads > 1) {
        n_taken = take_idle(taken, n_threads - 1);
        if (n_taken > 0 || may_start)
            team.has_processors = read_processors(&team.processors);
        if (may_start && n_taken < n_threads - 1)
            n_taken += start_threads(taken + n_taken, n_threads - 1 - n_taken, &team);
    }
    if (n_taken == 0) {
        work(context, &(member_t){0, 1, NULL});
        return 1;
    }
    team.count = n_taken + 1;
    pthread_mutex_init(&team.mutex, NULL);
    pthread_cond_init(&team.wake, NULL);
    for (int i = 0; i < n_taken; i++) {
        taken[i]->team = &team;
        taken[i]->index = i + 1;
        states[i] = atomic_load_explicit(&taken[i]->state, memory_order_relaxed) - TAKEN + WORKING;
        atomic_store_explicit(&taken[i]->state, states[i], memory_order_release);
    }
    work(context, &(member_t){0, team.count, &team});
    for (int i = 0; i < n_taken; i++)
        wait_while(taken[i], states[i]);
    pthread_cond_destroy(&team.wake);
    pthread_mutex_destroy(&team.mutex);
    return team.count;
}
