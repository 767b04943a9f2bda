/* Counts to input codes: the integer program of the preprocess contract, one channel at a time.
 *
 *     m    = floor((sum(x) + window / 2) / window)     if the window mean is removed, else 0
 *     q[t] = sat8(((x[t] - m - offset) * multiplier + 2^(shift-1)) >> shift)
 *
 * samples  int16 [window][channels]
 * codes    int8  [window][channels]
 *
 * Assumes  >> of a negative number is arithmetic (GCC defines it so); window = 2^window_log2 <= 2^15;
 *          (max|x - m - offset|) * multiplier + 2^(shift-1) < 2^31. The generated preprocess.c asserts the last two
 *          for the constants it was generated with.
 */
#ifndef TG_DSP_SCALE_H
#define TG_DSP_SCALE_H

#include <stdbool.h>
#include <stdint.h>

#define TG_DSP_INLINE static inline __attribute__((always_inline))

typedef struct {
    int32_t window;
    int32_t window_log2; /* used only if remove_mean */
    int32_t channels;
    int32_t channel;
    bool remove_mean;
    int32_t offset;
    int32_t multiplier;
    int32_t shift; /* 1 to 30 */
} tg_scale;

TG_DSP_INLINE int32_t tg_window_mean(tg_scale s, const int16_t *samples)
{
    int32_t sum = 0;
    for (int32_t t = 0; t < s.window; t++) {
        sum += samples[t * s.channels + s.channel];
    }
    return (sum + s.window / 2) >> s.window_log2;
}

TG_DSP_INLINE int8_t tg_scale_code(int32_t centred, int32_t multiplier, int32_t shift)
{
    const int32_t scaled = (centred * multiplier + (INT32_C(1) << (shift - 1))) >> shift;
    return (int8_t)(scaled < -128 ? -128 : scaled > 127 ? 127 : scaled);
}

TG_DSP_INLINE void tg_scale_channel(tg_scale s, const int16_t *restrict samples, int8_t *restrict codes)
{
    const int32_t origin = s.offset + (s.remove_mean ? tg_window_mean(s, samples) : 0);
    for (int32_t t = 0; t < s.window; t++) {
        const int32_t i = t * s.channels + s.channel;
        codes[i] = tg_scale_code(samples[i] - origin, s.multiplier, s.shift);
    }
}

#endif
