/* random.c: the counter-based generator Philox4x32-10 and the shuffle that uses it.
 *
 * J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3",
 * SC'11. A draw depends on its key and counter alone, so neither the number of threads nor the point
 * at which a run resumes changes what is drawn.
 */
#include "fastmlp.h"

void fastmlp_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t a = (uint64_t)0xD2511F53u * c0;
        const uint64_t b = (uint64_t)0xCD9E8D57u * c2;
        c0 = (uint32_t)(b >> 32) ^ c1 ^ k0;
        c2 = (uint32_t)(a >> 32) ^ c3 ^ k1;
        c1 = (uint32_t)b;
        c3 = (uint32_t)a;
        k0 += 0x9E3779B9u; /* the golden ratio and sqrt(3) - 1, as the paper's Weyl sequences */
        k1 += 0xBB67AE85u;
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

/* Fisher and Yates, from the end; draw i is word i of the stream keyed by (seed, epoch). The bound is
 * applied by the high half of a product (Lemire), whose bias, below n / 2^32, is not worth a loop. */
void fastmlp_shuffle(int64_t *order, int64_t n, uint64_t seed, uint64_t epoch)
{
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t draws[4];
    for (int64_t i = 0; i < n - 1; i++) {
        if (i % 4 == 0) {
            const uint64_t block = (uint64_t)i / 4;
            const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32), (uint32_t)epoch,
                                         STREAM_SHUFFLE};
            fastmlp_philox4x32(draws, counter, key);
        }
        const int64_t last = n - 1 - i;
        const int64_t other = (int64_t)(((uint64_t)draws[i % 4] * (uint64_t)(last + 1)) >> 32);
        const int64_t swapped = order[last];
        order[last] = order[other];
        order[other] = swapped;
    }
}
