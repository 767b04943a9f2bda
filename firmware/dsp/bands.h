/* Band energies, RMS, peak-to-peak and spectral centroid of one frame of one channel.
 *
 *     x[t]            v[t], or with the Hann window (v[t] * (2^30 - c[min(t, n - t)]) + 2^30) >> 31
 *     P[k]            re^2 + im^2 of the integer FFT of x
 *     band[b]         log2_q8(sum of P[k] for edges[b] <= k < edges[b + 1])
 *     rms             log2_q8(sum of v^2)
 *     peak_to_peak    min(max(v) - min(v), 2^17 - 1)
 *     centroid        floor((128 * M + floor(D / 2)) / D) in 1/128 bin, 0 for D = 0, over all bins of the bands:
 *                     D = sum of P[k] >> s,  M = sum of k * (P[k] >> s),  s = max(0, bits of sum of P[k] - 40)
 *
 * values    int32 [frame]
 * re, im    int32 [frame], scratch
 * features  int32 [bands + TG_BANDS_BESIDE], in this order
 *
 * Assumes  what fft.h assumes of n = frame, v and cosine; 0 <= edges <= n / 2 + 1, rising. By Parseval all P sum to
 *          less than 2^55. D < 2^40 and k <= 512 keep 128 * M below 2^56. Every feature is below 2^17.
 */
#ifndef TG_DSP_BANDS_H
#define TG_DSP_BANDS_H

#include <stdbool.h>
#include <stdint.h>

#include "fft.h"
#include "log2.h"
#include "moments.h"

enum { TG_BANDS_BESIDE = 3, TG_CENTROID_BITS = 40 };

typedef struct {
    int32_t frame;
    bool hann;
    int32_t bands;
    const uint16_t *edges; /* [bands + 1] */
    const int32_t *cosine; /* [3 * frame / 4] */
} tg_bands;

static inline int32_t tg_hann(const tg_bands *spec, int32_t value, int32_t t)
{
    const int32_t mirrored = t <= spec->frame / 2 ? t : spec->frame - t;
    const int64_t weight = (INT64_C(1) << 30) - spec->cosine[mirrored];
    return (int32_t)((value * weight + (INT64_C(1) << 30)) >> 31);
}

static inline void tg_spectrum(const tg_bands *spec, const int32_t *values, int32_t *re, int32_t *im)
{
    for (int32_t t = 0, place = 0; t < spec->frame; t++, place = tg_next_reversed(place, spec->frame)) {
        re[place] = spec->hann ? tg_hann(spec, values[t], t) : values[t];
        im[place] = 0;
    }
    tg_fft(spec->frame, spec->cosine, re, im);
}

static inline uint64_t tg_power(const int32_t *re, const int32_t *im, int32_t k)
{
    return (uint64_t)((int64_t)re[k] * re[k] + (int64_t)im[k] * im[k]);
}

static inline uint64_t tg_energy(const int32_t *re, const int32_t *im, int32_t first, int32_t end)
{
    uint64_t energy = 0;
    for (int32_t k = first; k < end; k++) {
        energy += tg_power(re, im, k);
    }
    return energy;
}

static inline int32_t tg_centroid(const int32_t *re, const int32_t *im, int32_t first, int32_t end)
{
    const int32_t excess = tg_bit_length(tg_energy(re, im, first, end)) - TG_CENTROID_BITS;
    uint64_t total = 0;
    uint64_t moment = 0;
    for (int32_t k = first; k < end; k++) {
        const uint64_t power = tg_power(re, im, k) >> (excess > 0 ? excess : 0);
        total += power;
        moment += power * (uint64_t)k;
    }
    return total == 0 ? 0 : (int32_t)((128 * moment + total / 2) / total);
}

static inline void tg_bands_frame(const tg_bands *spec, const int32_t *values, int32_t *re, int32_t *im,
                                  int32_t *features)
{
    const int32_t bands = spec->bands;
    const tg_moments m = tg_measure(spec->frame, values);
    tg_spectrum(spec, values, re, im);
    for (int32_t b = 0; b < bands; b++) {
        features[b] = tg_log2_q8(tg_energy(re, im, spec->edges[b], spec->edges[b + 1]));
    }
    features[bands] = tg_log2_q8(m.squares);
    features[bands + 1] = tg_saturate((uint32_t)(m.max - m.min));
    features[bands + 2] = tg_centroid(re, im, spec->edges[0], spec->edges[bands]);
}

#endif
