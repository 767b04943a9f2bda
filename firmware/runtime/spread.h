/* How far counts lie apart, in integers.
 *
 * Of n <= 2^15 counts, with d = (count - first count) >> shift, rounded down and clamped to +-(2^16 - 1),
 *
 *     spread = n * sum(d^2) - sum(d)^2  =  n^2 * variance of d  <  2^62
 *
 * A limit on the variance is compared with it times n^2, so nothing is divided.
 */
#ifndef TG_RUNTIME_SPREAD_H
#define TG_RUNTIME_SPREAD_H

#include <stdint.h>

#define TG_SPREAD_MAX_COUNTS (UINT32_C(1) << 15)
#define TG_SPREAD_MAX_SHIFT 16

typedef struct {
    uint32_t n;
    int32_t first;
    int64_t sum;      /* of d */
    uint64_t squares; /* of d */
} tg_spread;

static inline void tg_spread_add(tg_spread *spread, int32_t count, uint32_t shift)
{
    spread->first = spread->n == 0 ? count : spread->first;
    const int64_t difference = ((int64_t)count - spread->first) >> shift;
    const int64_t not_above = difference < UINT16_MAX ? difference : UINT16_MAX;
    const int64_t d = not_above > -UINT16_MAX ? not_above : -UINT16_MAX;
    spread->n++;
    spread->sum += d;
    spread->squares += (uint64_t)d * (uint64_t)d;
}

static inline uint64_t tg_spread_value(const tg_spread *spread)
{
    return spread->n * spread->squares - (uint64_t)spread->sum * (uint64_t)spread->sum;
}

/* What the spread of n counts with this variance is. */
static inline uint64_t tg_spread_of_variance(uint32_t variance, uint32_t n)
{
    return (uint64_t)n * n * variance;
}

#endif
