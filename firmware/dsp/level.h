/* The level of one channel of a window, and its samples with the level taken out.
 *
 *     m = floor((sum(x) + window / 2) / window)                     if the window mean is removed, else 0
 *     v = x - m
 *     d = floor(sqrt(floor(sum(v^2) / window))) + epsilon           only if epsilon > 0: then one RMS becomes 1024,
 *     v = sign(v) * min(floor((1024 * |v| + floor(d / 2)) / d), 2^17 - 1)
 *
 * samples  int16 [window][channels]
 *
 * Assumes  >> of a negative number is arithmetic (GCC defines it so); window = 2^window_log2 if the mean is removed;
 *          window <= 2^14, so that |sum(x)| < 2^30 and sum(v^2) < 2^46; 0 <= epsilon < 2^15.
 */
#ifndef TG_DSP_LEVEL_H
#define TG_DSP_LEVEL_H

#include <stdbool.h>
#include <stdint.h>

#include "isqrt.h"

#define TG_DSP_INLINE static inline __attribute__((always_inline))

typedef struct {
    int32_t window;
    int32_t window_log2; /* used only if remove_mean */
    int32_t channels;
    bool remove_mean;
    uint32_t epsilon; /* 0: windows are not divided by their RMS */
} tg_levelling;

typedef struct {
    int32_t mean;
    uint32_t divisor; /* used only if epsilon > 0 */
} tg_level;

TG_DSP_INLINE int32_t tg_window_mean(tg_levelling s, const int16_t *samples, int32_t channel)
{
    int32_t sum = 0;
    for (int32_t t = 0; t < s.window; t++) {
        sum += samples[t * s.channels + channel];
    }
    return (sum + s.window / 2) >> s.window_log2;
}

TG_DSP_INLINE uint32_t tg_window_rms(tg_levelling s, const int16_t *samples, int32_t channel, int32_t mean)
{
    uint64_t squares = 0;
    for (int32_t t = 0; t < s.window; t++) {
        const int64_t v = samples[t * s.channels + channel] - mean;
        squares += (uint64_t)(v * v);
    }
    return tg_isqrt(squares / (uint32_t)s.window);
}

TG_DSP_INLINE tg_level tg_window_level(tg_levelling s, const int16_t *samples, int32_t channel)
{
    const int32_t mean = s.remove_mean ? tg_window_mean(s, samples, channel) : 0;
    const uint32_t divisor = s.epsilon > 0 ? tg_window_rms(s, samples, channel, mean) + s.epsilon : 1;
    return (tg_level){ mean, divisor };
}

TG_DSP_INLINE int32_t tg_in_rms(int32_t v, uint32_t divisor)
{
    const int32_t limit = (INT32_C(1) << 17) - 1;
    const uint32_t magnitude = (uint32_t)(v < 0 ? -v : v);
    const int32_t scaled = (int32_t)((1024 * magnitude + divisor / 2) / divisor);
    const int32_t limited = scaled < limit ? scaled : limit;
    return v < 0 ? -limited : limited;
}

TG_DSP_INLINE int32_t tg_levelled(tg_levelling s, tg_level level, int16_t x)
{
    const int32_t v = x - level.mean;
    return s.epsilon > 0 ? tg_in_rms(v, level.divisor) : v;
}

#endif
