/* words.h: one 32-bit word for each of LANES samples, as the random numbers of random.h are made. */
#ifndef FASTMLP_WORDS_H
#define FASTMLP_WORDS_H

#include "fastmlp.h"

typedef uint32_t words_t __attribute__((vector_size(4 * LANES)));
typedef uint64_t wide_words_t __attribute__((vector_size(8 * LANES)));

#endif
