/* program.c: from a list of operations to the stages that all members of a team run.
 *
 * One rule places the barriers. Between two of them the matrix that runs through the operations belongs to
 * members: each has written or read a block of it, all in the same way. A pass that reads its own block, shared
 * in that way, goes on without waiting; one that is shared in another way, or reads everything, waits first.
 *
 * An update changes parameters that other members may still be reading in the backward pass. It waits for the
 * next barrier, which the following operations need anyway, or at the end for one of its own.
 */
#include "operations.h"

/* How the matrix has been used since the last barrier; the first four are those of sharing_t. */
enum { READ_BY_ALL = BY_EITHER + 1, SHARED };

typedef struct {
    stage_t *stages;
    int64_t n;
    int state;
} plan_t;

/* Append a pass; return whether there is a barrier before it. */
static int append(plan_t *plan, const pass_t *pass, const void *self, int64_t n_units, int waits)
{
    const int is_elementwise = pass->sharing == BY_EITHER;
    const int follows = plan->state == BY_UNITS || plan->state == BY_STRIPS;
    const int sharing = !is_elementwise ? (int)pass->sharing : follows ? plan->state : BY_UNITS;
    if (pass->reads == READS_OWN)
        waits |= plan->state != sharing && plan->state != SHARED;
    else if (pass->reads == READS_ALL)
        waits |= plan->state != READ_BY_ALL && plan->state != SHARED;
    if (waits)
        plan->state = SHARED;
    if (pass->makes_matrix || pass->reads == READS_OWN)
        plan->state = sharing;
    else if (pass->reads == READS_ALL)
        plan->state = READ_BY_ALL;
    plan->stages[plan->n++] = (stage_t){pass->run, self, (sharing_t)sharing, n_units, waits};
    return waits;
}

int64_t fastmlp_plan_forward(stage_t *stages, const operation_t *operations, int64_t n)
{
    plan_t plan = {stages, 0, SHARED};
    for (int64_t i = 0; i < n; i++)
        if (operations[i].type->forward.run)
            append(&plan, &operations[i].type->forward, operations[i].self, operations[i].n_units, 0);
    return plan.n;
}

int64_t fastmlp_plan_refresh(stage_t *stages, const operation_t *operations, int64_t n)
{
    plan_t plan = {stages, 0, SHARED};
    for (int64_t i = 0; i < n; i++)
        if (operations[i].type->refresh.run)
            append(&plan, &operations[i].type->refresh, operations[i].self, operations[i].n_units, 0);
    return plan.n;
}

/* Append the updates of the operations from `first` down to `end`, of which the first waits if `waits`; return
 * whether there was one. */
static int append_updates(plan_t *plan, const operation_t *operations, int64_t first, int64_t end, int waits)
{
    const int state = waits ? SHARED : plan->state;
    int is_any = 0;
    for (int64_t i = first; i > end; i--)
        if (operations[i].is_trainable && operations[i].type->update.run) {
            const pass_t *pass = &operations[i].type->update;
            plan->stages[plan->n++] = (stage_t){pass->run, operations[i].self, pass->sharing,
                                                operations[i].n_units, waits && !is_any};
            is_any = 1;
        }
    plan->state = state;
    return is_any;
}

int64_t fastmlp_plan_backward(stage_t *stages, const operation_t *operations, int64_t n)
{
    plan_t plan = {stages, 0, SHARED};
    int64_t first_pending = n - 1; /* the updates from here down to the present operation are not made yet */
    int is_read = 0;               /* parameters of those, since the last barrier */
    for (int64_t i = n - 1; i >= 0; i--) {
        const pass_t *pass = &operations[i].type->backward;
        if (!pass->run || !operations[i].passes_gradient)
            continue;
        const plan_t before = plan;
        if (append(&plan, pass, operations[i].self, operations[i].n_inputs, 0)) {
            /* The barrier that this pass needs is also that of the updates, which come first. */
            plan = before;
            const int is_any = append_updates(&plan, operations, first_pending, i, 1);
            append(&plan, pass, operations[i].self, operations[i].n_inputs, !is_any);
            first_pending = i;
            is_read = 0;
        }
        is_read |= operations[i].is_trainable && operations[i].type->update.run;
    }
    /* The last ones read gradients by units, whoever has written them. */
    append_updates(&plan, operations, first_pending, -1,
                   is_read || (plan.state != SHARED && plan.state != BY_UNITS));
    return plan.n;
}

static block_t block_of(const stage_t *stage, const batch_t *batch, const member_t *member)
{
    const int64_t n = stage->n_units;
    block_t block = {0, n, 0, batch->n_samples, member->index};
    if (stage->sharing == BY_STRIPS) {
        block.sample = strip_begin(batch->n_samples, member);
        block.n_samples = strip_end(batch->n_samples, member) - block.sample;
    } else if (stage->sharing == BY_PAIRS) {
        const int64_t end = 2 * share_end((n + 1) / 2, member);
        block.unit = 2 * share_begin((n + 1) / 2, member);
        block.unit = block.unit < n ? block.unit : n;
        block.n_units = (end < n ? end : n) - block.unit;
    } else {
        block.unit = share_begin(n, member);
        block.n_units = share_end(n, member) - block.unit;
    }
    return block;
}

void fastmlp_run_stages(const stage_t *stages, int64_t n, batch_t *batch, const member_t *member)
{
    if (member->count == 1) { /* a step of 20-32-32-3 takes 5 us, and has some 20 stages */
        block_t whole = {0, 0, 0, batch->n_samples, 0};
        for (int64_t i = 0; i < n; i++) {
            whole.n_units = stages[i].n_units;
            stages[i].run(stages[i].self, batch, &whole);
        }
        return;
    }
    for (int64_t i = 0; i < n; i++) {
        if (stages[i].waits)
            fastmlp_barrier(member);
        const block_t block = block_of(&stages[i], batch, member);
        stages[i].run(stages[i].self, batch, &block);
    }
}
