/* Runs feature extractors on frames from stdin and writes their features to stdout. Every buffer is allocated to its
 * exact size, so that the address sanitizer sees any access outside it. A case is 3 int32 (bands, or -1 for stats; frame;
 * 1 for the Hann window), its values and, for bands, the cosine table and the edges. */
#include <stdio.h>
#include <stdlib.h>

#include "dsp/bands.h"
#include "dsp/stats.h"

static void *take(int32_t count, size_t size)
{
    void *data = malloc((size_t)count * size);
    if (data == NULL || fread(data, size, (size_t)count, stdin) != (size_t)count) {
        abort();
    }
    return data;
}

static void put(int32_t *features, int32_t count)
{
    fwrite(features, sizeof *features, (size_t)count, stdout);
    free(features);
}

static void run_stats(int32_t frame, const int32_t *values)
{
    const tg_stats spec = { frame };
    int32_t *features = calloc(TG_STATS_FEATURES, sizeof *features);
    tg_stats_frame(&spec, values, features);
    put(features, TG_STATS_FEATURES);
}

static void run_bands(int32_t bands, int32_t frame, bool hann, const int32_t *values)
{
    int32_t *cosine = take(3 * frame / 4, sizeof *cosine);
    uint16_t *edges = take(bands + 1, sizeof *edges);
    int32_t *re = calloc((size_t)frame, sizeof *re);
    int32_t *im = calloc((size_t)frame, sizeof *im);
    int32_t *features = calloc((size_t)(bands + TG_BANDS_BESIDE), sizeof *features);
    const tg_bands spec = { frame, hann, bands, edges, cosine };
    tg_bands_frame(&spec, values, re, im, features);
    put(features, bands + TG_BANDS_BESIDE);
    free(cosine);
    free(edges);
    free(re);
    free(im);
}

int main(void)
{
    int32_t f[3];
    while (fread(f, sizeof f, 1, stdin) == 1) {
        int32_t *values = take(f[1], sizeof *values);
        if (f[0] < 0) {
            run_stats(f[1], values);
        } else {
            run_bands(f[0], f[1], f[2] != 0, values);
        }
        free(values);
    }
    return 0;
}
