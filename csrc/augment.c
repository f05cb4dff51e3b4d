/* augment.c: images changed at random while they are read, in the type that they have in memory.
 *
 * What is drawn depends on the seed, the step and the sample's place in the batch alone, so that neither
 * the number of threads nor the point at which a fit goes on changes it.
 */
#include "fastmlp.h"

#include <string.h>

/* Copy n pixels of `channels` elements; from one to the next the source goes on by `pixel_stride`, which is
 * negative where it is read backwards. `size` is a constant where this is inlined. */
static inline void copy_pixels(char *out, const char *in, int64_t n, int64_t channels, ptrdiff_t pixel_stride,
                               ptrdiff_t column_stride, const size_t size)
{
    for (int64_t x = 0; x < n; x++)
        for (int64_t c = 0; c < channels; c++)
            memcpy(out + (size_t)(x * channels + c) * size, in + x * pixel_stride + c * column_stride, size);
}

/* The same for pixels of one element that lie side by side, read backwards from the last. */
static void mirror_pixels(char *out, const char *last, int64_t n, size_t size)
{
    if (size == sizeof(float)) {
        copy_pixels(out, last, n, 1, -(ptrdiff_t)sizeof(float), 0, sizeof(float));
        return;
    }
    if (size == sizeof(double)) {
        copy_pixels(out, last, n, 1, -(ptrdiff_t)sizeof(double), 0, sizeof(double));
        return;
    }
    int64_t x = 0;
    for (; x + 8 <= n; x += 8) { /* bytes, eight at a time */
        uint64_t word;
        memcpy(&word, last - x - 7, 8);
        word = __builtin_bswap64(word);
        memcpy(out + x, &word, 8);
    }
    copy_pixels(out + x, last - x, n - x, 1, -1, 0, 1);
}

size_t fastmlp_source_size(source_type_t type)
{
    return type == SOURCE_U8 ? 1 : type == SOURCE_F32 ? sizeof(float) : sizeof(double);
}

/* One image: out(y, x) = in(y - down, x - right), or with flip what mirrors it; 0 where nothing is. */
static void change_image(char *out, const char *in, const source_t *source,
                         const augmentation_t *augmentation, int64_t down, int64_t right, int flip)
{
    const int64_t height = augmentation->height, width = augmentation->width,
                  channels = augmentation->channels;
    const size_t size = fastmlp_source_size(source->type);
    const ptrdiff_t step = source->column_stride, pixel_stride = channels * step;
    const int64_t first_y = down > 0 ? down : 0, end_y = down < 0 ? height + down : height;
    const int64_t first_x = right > 0 ? right : 0, n = width - (right < 0 ? -right : right);
    const int64_t from_x = flip ? width - 1 - (first_x - right) : first_x - right;
    memset(out, 0, (size_t)(height * width * channels) * size);
    if (n <= 0)
        return;
    for (int64_t y = first_y; y < end_y; y++) {
        char *to = out + (size_t)((y * width + first_x) * channels) * size;
        const char *from = in + ((y - down) * width + from_x) * pixel_stride;
        const ptrdiff_t stride = flip ? -pixel_stride : pixel_stride;
        if (!flip && step == (ptrdiff_t)size)
            memcpy(to, from, (size_t)(n * channels) * size);
        else if (flip && channels == 1 && step == (ptrdiff_t)size)
            mirror_pixels(to, from, n, size);
        else if (size == 1)
            copy_pixels(to, from, n, channels, stride, step, 1);
        else if (size == sizeof(float))
            copy_pixels(to, from, n, channels, stride, step, sizeof(float));
        else
            copy_pixels(to, from, n, channels, stride, step, sizeof(double));
    }
}

void fastmlp_augment(void *out, const source_t *source, const int64_t *rows, int64_t n_rows,
                     const augmentation_t *augmentation, const random_t *random, int64_t first_position)
{
    const int64_t farthest = augmentation->pixels;
    const uint64_t n_places = (uint64_t)(2 * farthest + 1);
    const size_t row_bytes = (size_t)source->n_columns * fastmlp_source_size(source->type);
    for (int64_t i = 0; i < n_rows; i++) {
        const uint32_t counter[4] = {(uint32_t)(first_position + i), 0, random->step, STREAM_AUGMENT};
        uint32_t draws[4];
        fastmlp_philox4x32(draws, counter, random->key);
        const int64_t down = (int64_t)(draws[0] * n_places >> 32) - farthest;
        const int64_t right = (int64_t)(draws[1] * n_places >> 32) - farthest;
        const int flip = augmentation->flip && draws[2] >> 31;
        change_image((char *)out + (size_t)i * row_bytes, source->data + rows[i] * source->row_stride, source,
                     augmentation, down, right, flip);
    }
}
