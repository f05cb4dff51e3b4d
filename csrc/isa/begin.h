/* begin.h: what every file of this folder begins with.
 *
 * Each is one translation unit, for one instruction set and one type. It includes this header, opens its
 * target region, defines the vectors as typed inline functions, includes real_f32.h or real_f64.h, and
 * ends with end.h, which includes every kernel and makes the tables.
 */
#ifndef FASTMLP_BEGIN_H
#define FASTMLP_BEGIN_H

#include "operations.h"
#include "kernels/words.h"

#include <math.h>
#include <string.h>

#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))

/* All functions that follow are compiled for a processor with these features. */
#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define TARGET_REGION(features) \
    PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define END_TARGET_REGION PRAGMA(clang attribute pop)
#else
#define TARGET_REGION(features) PRAGMA(GCC push_options) PRAGMA(GCC target(features))
#define END_TARGET_REGION PRAGMA(GCC pop_options)
#endif

/* Before a short loop of known length inside a long one: unless it is unrolled whole, the long one is not
 * vectorised, and the sums of a tile stay in memory. Clang takes GCC's pragma for a hint only. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Round n up to whole groups of LANES; the mask tells the compiler that no remainder is left. */
INLINE int64_t whole_lanes(int64_t n) { return (n + LANES - 1) & ~(int64_t)(LANES - 1); }

#endif
