/* Statistics of one frame of one channel.
 *
 *     mean            floor((S1 + floor(n / 2)) / n)                         S1 = sum of v
 *     std             floor(sqrt(n * S2 - S1^2) / n)                         S2 = sum of v^2
 *     min, max
 *     energy          log2_q8(S2)
 *     mean_abs_diff   min(floor((D + floor((n - 1) / 2)) / (n - 1)), 2^17 - 1)    D = sum of |v[t + 1] - v[t]|
 *
 * values    int32 [frame]
 * features  int32 [TG_STATS_FEATURES], in this order
 *
 * Assumes  2 <= n = frame <= 2^14 and |v| < 2^17. Then S2 < 2^48, n * S2 and S1^2 are below 2^62, D < 2^32, and every
 *          feature is below 2^17.
 */
#ifndef TG_DSP_STATS_H
#define TG_DSP_STATS_H

#include <stdint.h>

#include "isqrt.h"
#include "log2.h"
#include "moments.h"

enum { TG_STATS_FEATURES = 6 };

typedef struct {
    int32_t frame;
} tg_stats;

/* floor((sum + floor(n / 2)) / n): C divides towards zero, so the dividend is first made positive by n * 2^17. */
static inline int32_t tg_rounded_mean(int32_t sum, int32_t n)
{
    const uint32_t positive = (uint32_t)sum + ((uint32_t)n << 17) + (uint32_t)(n / 2);
    return (int32_t)(positive / (uint32_t)n) - (1 << 17);
}

static inline uint32_t tg_absolute_steps(int32_t n, const int32_t *values)
{
    uint32_t steps = 0;
    for (int32_t t = 1; t < n; t++) {
        const int32_t step = values[t] - values[t - 1];
        steps += (uint32_t)(step < 0 ? -step : step);
    }
    return steps;
}

static inline void tg_stats_frame(const tg_stats *spec, const int32_t *values, int32_t *features)
{
    const int32_t n = spec->frame;
    const tg_moments m = tg_measure(n, values);
    const uint32_t steps = (uint32_t)(n - 1);
    features[0] = tg_rounded_mean(m.sum, n);
    features[1] = (int32_t)(tg_isqrt((uint64_t)n * m.squares - (uint64_t)((int64_t)m.sum * m.sum)) / (uint32_t)n);
    features[2] = m.min;
    features[3] = m.max;
    features[4] = tg_log2_q8(m.squares);
    features[5] = tg_saturate((tg_absolute_steps(n, values) + steps / 2) / steps);
}

#endif
