/* teams.c: several callers run teams at the same time, with pauses around the time for which threads linger.
 *
 * Ends with 1 if a member's work is lost or done twice. Built with the thread sanitizer, which ends with 66.
 */
#define _POSIX_C_SOURCE 200809L
#include "team.h"

#include <pthread.h>
#include <stdio.h>
#include <time.h>

enum { N_CALLERS = 3, N_CALLS = 1000, N_STEPS = 4, MOST = 8 };

typedef struct {
    int sums[MOST], totals[N_STEPS];
} work_t;

static void add_up(void *context, const member_t *member)
{
    work_t *work = context;
    for (int step = 0; step < N_STEPS; step++) {
        work->sums[member->index]++; /* each its own */
        fastmlp_barrier(member);
        if (member->index == step % member->count)
            for (int i = 0; i < member->count; i++)
                work->totals[step] += work->sums[i]; /* all the others' */
        fastmlp_barrier(member);
    }
}

static void *call(void *seed_)
{
    unsigned seed = *(unsigned *)seed_;
    for (int i = 0; i < N_CALLS; i++) {
        seed = seed * 1664525u + 1013904223u;
        work_t work = {0};
        const int count = fastmlp_run_team(1 + (int)(seed >> 30) % 4, i % 3 == 0, add_up, &work);
        for (int step = 0; step < N_STEPS; step++)
            if (work.totals[step] != count * (step + 1)) {
                printf("%d members, step %d: %d\n", count, step, work.totals[step]);
                return seed_;
            }
        nanosleep(&(struct timespec){0, (long)(seed >> 8) % 400000}, NULL); /* threads linger some 100 us */
    }
    return NULL;
}

int main(void)
{
    pthread_t callers[N_CALLERS];
    unsigned seeds[N_CALLERS];
    int failed = 0;
    for (unsigned i = 0; i < N_CALLERS; i++) {
        seeds[i] = i;
        pthread_create(&callers[i], NULL, call, &seeds[i]);
    }
    for (int i = 0; i < N_CALLERS; i++) {
        void *result;
        pthread_join(callers[i], &result);
        failed |= result != NULL;
    }
    return failed;
}
