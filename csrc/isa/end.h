/* end.h: every kernel, for the type and the vectors that the unit has defined, and the unit's tables. */
#define FASTMLP_UNIT /* some files have a list for everybody, too */
#include "kernels/elementary.h"
#include "kernels/sums.h"
#include "kernels/activations.h"
#include "kernels/optimizers.h"
#include "kernels/norms.h"
#include "kernels/random.h"
#include "kernels/transpose.h"
#include "kernels/gather.h"
#include "kernels/losses.h"
#include "kernels/sparse.h"
#include "kernels/few.h"
#include "kernels/tiles.h"

const kernels_t KERNELS_OF_UNIT = {
#define KERNEL(type, name, arguments) .name = name,
#define OPERATION(name)
#include "kernels.def"
#undef KERNEL
#undef OPERATION
};

const operations_t OPERATIONS_OF_UNIT = {
#define KERNEL(type, name, arguments)
#define OPERATION(name) .name = &name##_operation,
#include "kernels.def"
#undef KERNEL
#undef OPERATION
};
