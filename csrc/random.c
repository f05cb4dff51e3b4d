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

/* The upper half of the product of two words of 64 bits. */
static uint64_t upper_half(uint64_t a, uint64_t b)
{
    const uint64_t low = 0xFFFFFFFFu;
    const uint64_t first = (a & low) * (b & low);
    const uint64_t second = (a >> 32) * (b & low) + (first >> 32);
    const uint64_t third = (a & low) * (b >> 32) + (second & low);
    return (a >> 32) * (b >> 32) + (second >> 32) + (third >> 32);
}

/* Words 4 block ... 4 block + 3 of the stream keyed by (seed, epoch); with SECOND in place of FIRST, of another
 * stream under the same key. */
enum { FIRST, SECOND };
static void draw_words(uint32_t words[4], uint64_t block, int which, uint64_t seed, uint64_t epoch)
{
    random_t random;
    fastmlp_set_step(&random, seed, epoch);
    const uint32_t counter[4] = {(uint32_t)block, (uint32_t)(block >> 32) | (uint32_t)which << 31,
                                 random.step, STREAM_SHUFFLE};
    fastmlp_philox4x32(words, counter, random.key);
}

/* An index below `bound`: the upper half of the product of the bound and a random word (Lemire). With one word of
 * 32 bits some indices are likelier than others, by up to bound / 2^32. Below 1/256 this is accepted, because the
 * order of smaller data sets must not change from version to version; a second word makes it bound / 2^64. */
enum { LARGEST_OF_ONE_WORD = 1 << 24 };
static int64_t index_below(int64_t bound, uint32_t first, uint32_t second)
{
    if (bound <= LARGEST_OF_ONE_WORD)
        return (int64_t)((uint64_t)first * (uint64_t)bound >> 32);
    return (int64_t)upper_half((uint64_t)first << 32 | second, (uint64_t)bound);
}

int64_t fastmlp_swap_place(int64_t i, int64_t n, uint64_t seed, uint64_t epoch)
{
    uint32_t first[4], second[4];
    draw_words(first, (uint64_t)i / 4, FIRST, seed, epoch);
    draw_words(second, (uint64_t)i / 4, SECOND, seed, epoch);
    return index_below(n - i, first[i % 4], second[i % 4]);
}

void fastmlp_shuffle(int64_t *order, int64_t n, uint64_t seed, uint64_t epoch)
{
    uint32_t first[4], second[4] = {0};
    for (int64_t i = 0; i < n - 1; i++) {
        if (i % 4 == 0) {
            draw_words(first, (uint64_t)i / 4, FIRST, seed, epoch);
            if (n - i > LARGEST_OF_ONE_WORD)
                draw_words(second, (uint64_t)i / 4, SECOND, seed, epoch);
        }
        const int64_t last = n - 1 - i, other = index_below(last + 1, first[i % 4], second[i % 4]);
        const int64_t swapped = order[last];
        order[last] = order[other];
        order[other] = swapped;
    }
}
