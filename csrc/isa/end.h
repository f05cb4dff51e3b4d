/* end.h: every kernel, for the type and the vectors that the unit has defined, and the unit's tables. */
#include "kernels/elementary.h"
#include "kernels/gather.h"
#include "kernels/activations.h"
#include "kernels/losses.h"
#include "kernels/sums.h"
#include "kernels/norms.h"
#include "kernels/random.h"
#include "kernels/optimizers.h"
#include "kernels/transpose.h"
#include "kernels/few.h"
#include "kernels/sparse.h"
#include "kernels/tiles.h"

const kernels_t KERNELS_OF_UNIT = {
#define KERNEL(type, name, arguments) .name = name,
#include "kernels.def"
#undef KERNEL
};

const operations_t OPERATIONS_OF_UNIT = {
    .linear_forward = tile_forward,
    .linear_backward = tile_backward,
    .linear_update = tile_update,
};
