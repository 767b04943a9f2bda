/* What one channel's counts come to over a window: the least and the most, the largest step between neighbours, and how
 * far they lie apart (spread.h).
 *
 * Frames are interleaved: count i is counts[i * stride], for i < n. n is 1 to TG_SPREAD_MAX_COUNTS, and stride at most
 * 2^12. There is a path for Helium, one for the DSP extension and a scalar one; all give the same integers.
 *
 * The spread is that of any d = x - constant, so where nothing is shifted or clamped it is that of the counts themselves.
 * Two int16 lie at most 2^16 - 1 apart, which is not clamped.
 */
#ifndef TG_RUNTIME_EXTENT_H
#define TG_RUNTIME_EXTENT_H

#include <stdbool.h>
#include <stdint.h>

#include "kernels/types.h"
#include "spread.h"

typedef struct {
    int32_t min;
    int32_t max;
    uint32_t step;
    tg_spread spread;
} tg_extent;

/* The counts of a channel, int32_t where they are wide and int16_t otherwise. */
typedef struct {
    const void *counts;
    uint32_t n;
    uint32_t stride;
    bool wide;
} tg_series;

TG_INLINE int32_t tg_series_at(tg_series series, uint32_t i)
{
    const uint32_t at = i * series.stride;
    return series.wide ? ((const int32_t *)series.counts)[at] : ((const int16_t *)series.counts)[at];
}

/* That of the first count. */
TG_INLINE tg_extent tg_extent_begin(int32_t count)
{
    return (tg_extent){ .min = count, .max = count };
}

TG_INLINE void tg_extent_add(tg_extent *extent, int32_t before, int32_t count)
{
    const uint32_t step = count > before ? (uint32_t)count - (uint32_t)before : (uint32_t)before - (uint32_t)count;
    extent->min = count < extent->min ? count : extent->min;
    extent->max = count > extent->max ? count : extent->max;
    extent->step = step > extent->step ? step : extent->step;
}

/* The spread where no d is clamped and every difference fits 32 bits. The sum of d is then less than 2^31. */
TG_INLINE tg_spread tg_spread_of_near(tg_series series, uint32_t shift)
{
    const int32_t first = tg_series_at(series, 0);
    int32_t sum = 0;
    int64_t squares = 0;
    for (uint32_t i = 1; i < series.n; i++) {
        const int32_t d = (tg_series_at(series, i) - first) >> shift;
        sum += d;
        squares += (int64_t)d * d;
    }
    return (tg_spread){ .n = series.n, .first = first, .sum = sum, .squares = (uint64_t)squares };
}

TG_INLINE tg_spread tg_spread_of_any(tg_series series, uint32_t shift)
{
    tg_spread spread = { 0 };
    for (uint32_t i = 0; i < series.n; i++) {
        tg_spread_add(&spread, tg_series_at(series, i), shift);
    }
    return spread;
}

/* Neighbours lie in registers, so that each count is loaded once. */
TG_INLINE tg_extent tg_extent_scalar(tg_series series, uint32_t shift)
{
    int32_t before = tg_series_at(series, 0);
    tg_extent extent = tg_extent_begin(before);
    for (uint32_t i = 1; i < series.n; i++) {
        const int32_t count = tg_series_at(series, i);
        tg_extent_add(&extent, before, count);
        before = count;
    }
    /* No difference is larger; one that is negative is rounded down, away from 0, by less than 1. */
    const uint32_t width = (uint32_t)extent.max - (uint32_t)extent.min;
    const bool is_near = width <= INT32_MAX && width >> shift < UINT16_MAX;
    extent.spread = is_near ? tg_spread_of_near(series, shift) : tg_spread_of_any(series, shift);
    return extent;
}

#if TG_HAS_HELIUM
#include "extent_helium.h"
#elif defined(__ARM_FEATURE_DSP)
#include "extent_dsp.h"
#else
TG_INLINE tg_extent tg_extent_s16(const int16_t *counts, uint32_t n, uint32_t stride)
{
    return tg_extent_scalar((tg_series){ counts, n, stride, false }, 0);
}
#endif

#endif
