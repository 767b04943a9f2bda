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

void tg_fault_channel(tg_fault *fault, const tg_fault_scan *scan, const tg_fault_limits *limits)
{
    fault->causes |= bit(scan->min < limits->low || scan->max > limits->high, TG_FAULT_RANGE);
    fault->causes |= bit(scan->longest_saturated > limits->max_saturated, TG_FAULT_SATURATION);
    fault->causes |= bit(scan->longest_same > limits->max_same, TG_FAULT_STUCK);
    fault->causes |= bit(scan->largest_jump > limits->max_jump, TG_FAULT_JUMP);
    fault->causes |= bit(variance_is_off(&scan->spread, limits), TG_FAULT_VARIANCE);
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
