#include "fault.h"

static tg_fault_rule check_channel(const tg_fault_limits *limits)
{
    if (limits->low > limits->high) {
        return TG_FAULT_BAD_RANGE;
    }
    if (limits->rail_low >= limits->rail_high) {
        return TG_FAULT_BAD_RAILS;
    }
    if (limits->variance_shift > TG_SPREAD_MAX_SHIFT) {
        return TG_FAULT_BAD_SHIFT;
    }
    return limits->min_variance > limits->max_variance ? TG_FAULT_BAD_VARIANCE : TG_FAULT_FINE;
}

tg_fault_rule tg_fault_check(const tg_fault_limits *limits, const tg_fault_timing *timing, uint32_t window)
{
    if (window > TG_SPREAD_MAX_COUNTS) {
        return TG_FAULT_BAD_WINDOW;
    }
    return timing->min_ticks > timing->max_ticks ? TG_FAULT_BAD_TIMING : check_channel(limits);
}

void tg_fault_init(tg_fault *fault, const tg_fault_timing *timing)
{
    *fault = (tg_fault){ .timing = *timing };
}

static uint8_t bit(int is, uint8_t cause)
{
    return is ? cause : 0;
}

static int variance_is_off(const tg_spread *spread, const tg_fault_limits *limits)
{
    const uint64_t value = tg_spread_value(spread);
    return value < tg_spread_of_variance(limits->min_variance, spread->n) ||
           value > tg_spread_of_variance(limits->max_variance, spread->n);
}

typedef bool holds_at(tg_series series, const tg_fault_limits *limits, uint32_t i);

TG_INLINE bool is_at_rail(tg_series series, const tg_fault_limits *limits, uint32_t i)
{
    const int32_t count = tg_series_at(series, i);
    return count <= limits->rail_low || count >= limits->rail_high;
}

TG_INLINE bool is_same_next(tg_series series, const tg_fault_limits *limits, uint32_t i)
{
    (void)limits;
    return tg_series_at(series, i) == tg_series_at(series, i + 1);
}

/* Whether `length` of the first `places` in a row hold, at least one. Such a run covers one of any places that lie
 * `length` apart, so only these are looked at, and around them where one holds. None holds at at - length. */
TG_INLINE bool has_run(tg_series series, const tg_fault_limits *limits, uint32_t places, uint32_t length,
                       holds_at *holds)
{
    for (uint32_t at = length - 1; at < places; at += length) {
        if (!holds(series, limits, at)) {
            continue;
        }
        uint32_t first = at;
        while (at - first < length - 1 && holds(series, limits, first - 1)) {
            first--;
        }
        uint32_t end = at + 1;
        while (end - first < length && end < places && holds(series, limits, end)) {
            end++;
        }
        if (end - first == length) {
            return true;
        }
        at = end;
    }
    return false;
}

TG_INLINE bool is_saturated(tg_series series, const tg_fault_limits *limits, const tg_extent *extent)
{
    return (extent->min <= limits->rail_low || extent->max >= limits->rail_high) && limits->max_saturated < series.n &&
           has_run(series, limits, series.n, limits->max_saturated + 1, is_at_rail);
}

TG_INLINE bool is_stuck(tg_series series, const tg_fault_limits *limits)
{
    return limits->max_same < series.n &&
           (limits->max_same == 0 || has_run(series, limits, series.n - 1, limits->max_same, is_same_next));
}

TG_INLINE void add_causes(tg_fault *fault, const tg_fault_limits *limits, tg_series series, const tg_extent *extent)
{
    fault->causes |= bit(extent->min < limits->low || extent->max > limits->high, TG_FAULT_RANGE);
    fault->causes |= bit(is_saturated(series, limits, extent), TG_FAULT_SATURATION);
    fault->causes |= bit(is_stuck(series, limits), TG_FAULT_STUCK);
    fault->causes |= bit(extent->step > limits->max_jump, TG_FAULT_JUMP);
    fault->causes |= bit(variance_is_off(&extent->spread, limits), TG_FAULT_VARIANCE);
}

void tg_fault_channel_s16(tg_fault *fault, const tg_fault_limits *limits, const int16_t *counts, uint32_t n,
                          uint32_t stride)
{
    const tg_series series = { counts, n, stride, false };
    tg_extent extent = tg_extent_s16(counts, n, stride);
    if (limits->variance_shift != 0) {
        extent.spread = tg_spread_of_any(series, limits->variance_shift);
    }
    add_causes(fault, limits, series, &extent);
}

void tg_fault_channel_s32(tg_fault *fault, const tg_fault_limits *limits, const int32_t *counts, uint32_t n,
                          uint32_t stride)
{
    const tg_series series = { counts, n, stride, true };
    const tg_extent extent = tg_extent_scalar(series, limits->variance_shift);
    add_causes(fault, limits, series, &extent);
}

uint8_t tg_fault_end(tg_fault *fault, uint32_t missed, uint32_t ticks)
{
    const tg_fault_timing *timing = &fault->timing;
    const int is_untimely = ticks < timing->min_ticks || ticks > timing->max_ticks;
    const uint8_t causes = fault->causes | bit(missed > timing->max_missed, TG_FAULT_GAP) |
                           bit(missed == 0 && is_untimely, TG_FAULT_TIMING);
    for (uint32_t i = 0; i < TG_FAULT_CAUSES; i++) {
        fault->counts[i] += (uint32_t)causes >> i & 1;
    }
    fault->windows++;
    fault->unknown += causes != 0;
    fault->causes = 0;
    return causes;
}
