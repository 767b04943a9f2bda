/* What every extractor measures of a frame in one pass.
 *
 * Assumes  1 <= n <= 2^14 and |v| < 2^17, so that |sum| < 2^31 and squares < 2^48.
 */
#ifndef TG_DSP_MOMENTS_H
#define TG_DSP_MOMENTS_H

#include <stdint.h>

typedef struct {
    int32_t min;
    int32_t max;
    int32_t sum;
    uint64_t squares; /* sum of v^2 */
} tg_moments;

static inline tg_moments tg_measure(int32_t n, const int32_t *values)
{
    tg_moments m = { values[0], values[0], 0, 0 };
    for (int32_t t = 0; t < n; t++) {
        const int32_t v = values[t];
        m.min = v < m.min ? v : m.min;
        m.max = v > m.max ? v : m.max;
        m.sum += v;
        m.squares += (uint64_t)((int64_t)v * v);
    }
    return m;
}

/* min(value, 2^17 - 1). */
static inline int32_t tg_saturate(uint32_t value)
{
    return value < (UINT32_C(1) << 17) ? (int32_t)value : (1 << 17) - 1;
}

#endif
