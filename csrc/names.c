/* names.c: the names of activations, losses and solvers, from the lists that stand with their kernels. */
#include "fastmlp.h"

static const char *const activations[] = {
#define ACTIVATION(CODE, name) name,
    ACTIVATIONS
#undef ACTIVATION
};

static const char *const losses[] = {
#define LOSS(CODE, name) name,
    LOSSES
#undef LOSS
};

static const char *const solvers[] = {
#define SOLVER(CODE, name) name,
    SOLVERS
#undef SOLVER
};

static const char *name_of(const char *const *names, size_t n, int code)
{
    return code >= 0 && (size_t)code < n ? names[code] : NULL;
}

const char *fastmlp_activation_name(int code)
{
    return name_of(activations, sizeof activations / sizeof *activations, code);
}

const char *fastmlp_loss_name(int code) { return name_of(losses, sizeof losses / sizeof *losses, code); }

const char *fastmlp_solver_name(int code) { return name_of(solvers, sizeof solvers / sizeof *solvers, code); }
