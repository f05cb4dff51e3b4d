/* team.h: a few threads that share the work of one call. */
#ifndef FASTMLP_TEAM_H
#define FASTMLP_TEAM_H

#include <stdatomic.h>
#include <stdint.h>

typedef struct team team_t;

/* One of the threads, and what is its share of n units, samples or whatever; without a division where none is
 * needed, which a batch of a small network asks for a hundred times. */
typedef struct {
    int64_t index, count;
    team_t *team; /* NULL for a team of one */
} member_t;

static inline int64_t share_begin(int64_t n, const member_t *member)
{
    return member->index == 0 ? 0 : n * member->index / member->count;
}

static inline int64_t share_end(int64_t n, const member_t *member)
{
    return member->index + 1 == member->count ? n : n * (member->index + 1) / member->count;
}

/* Call work(context, member) once for each member of a team of n_threads, of which the caller is the first; of
 * fewer, if threads cannot be started or, being not awake from an earlier call, may not be. Returns the number of
 * members, when all are done. */
int fastmlp_run_team(int n_threads, int may_start, void (*work)(void *context, const member_t *member),
                     void *context);

/* Wait until every member of the team has come here; what they wrote before can then be read. */
void fastmlp_barrier(const member_t *member);

/* A flag that any member may raise. Relaxed: who wants to know what was written before must wait at a barrier, or
 * for the end of the call. */
typedef struct {
    atomic_int raised;
} flag_t;

static inline void flag_raise(flag_t *flag) { atomic_store_explicit(&flag->raised, 1, memory_order_relaxed); }

static inline int flag_is_raised(const flag_t *flag)
{
    return atomic_load_explicit(&flag->raised, memory_order_relaxed);
}

/* Lower it: before the team begins, while no other thread knows of it. */
static inline void flag_clear(flag_t *flag) { atomic_init(&flag->raised, 0); }

#endif
