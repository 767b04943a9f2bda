#include "calibration.h"

#include <stddef.h>

#include "crc32.h"

static int64_t clamp(int64_t value, int64_t low, int64_t high)
{
    if (value < low) {
        return low;
    }
    return value > high ? high : value;
}

static int64_t magnitude(int64_t value)
{
    return value < 0 ? -value : value;
}

/* floor(value / divisor), divisor > 0. */
static int64_t floor_divide(int64_t value, int64_t divisor)
{
    return value / divisor - (value % divisor < 0);
}

void tg_calibration_rest_add(tg_calibration_rest *rest, const tg_calibration_limits *limits, int32_t count)
{
    tg_spread_add(&rest->spread, count, limits->variance_shift);
    rest->sum += count;
}

void tg_calibration_quiet_add(tg_calibration_quiet *quiet, int32_t code)
{
    quiet->highest = quiet->windows == 0 || code > quiet->highest ? code : quiet->highest;
    quiet->windows++;
}

void tg_calibration_init(tg_calibration *record, uint32_t channels, int32_t temperature, int32_t threshold)
{
    *record = (tg_calibration){ .version = TG_CALIBRATION_VERSION,
                                .channels = channels,
                                .temperature = temperature,
                                .threshold = threshold };
}

/* The mean of one channel at rest, rounded, halves up. */
static int32_t mean_of(const tg_calibration_rest *rest)
{
    return (int32_t)floor_divide(rest->sum + rest->spread.n / 2, rest->spread.n);
}

static bool is_moving(const tg_calibration_rest *rest, const tg_calibration_limits *limits)
{
    return rest->spread.n == 0 || rest->spread.n > TG_SPREAD_MAX_COUNTS ||
           tg_spread_value(&rest->spread) > tg_spread_of_variance(limits->max_variance, rest->spread.n);
}

/* a + b, at most 2^64 - 1. */
static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

/* Fills `offset`, or says why these counts give none. */
static tg_calibration_result measure(const tg_calibration *record, const tg_calibration_limits *limits,
                                     const tg_calibration_rest *rest, int64_t offset[TG_CALIBRATION_CHANNELS])
{
    uint64_t norm = 0;
    bool is_far = false;
    for (uint32_t c = 0; c < record->channels; c++) {
        if (is_moving(&rest[c], limits)) {
            return TG_CALIBRATION_MOVING;
        }
        const int64_t mean = mean_of(&rest[c]);
        norm = add_saturating(norm, (uint64_t)(mean * mean));
        offset[c] = mean - limits->rest[c];
        is_far |= magnitude(offset[c]) > limits->max_offset;
    }
    if (norm < limits->min_norm || norm > limits->max_norm) {
        return TG_CALIBRATION_GRAVITY;
    }
    return is_far ? TG_CALIBRATION_OFFSET : TG_CALIBRATION_DONE;
}

tg_calibration_result tg_calibration_offset(tg_calibration *record, const tg_calibration_limits *limits,
                                            const tg_calibration_rest *rest, int32_t temperature)
{
    int64_t offset[TG_CALIBRATION_CHANNELS];
    const tg_calibration_result result = measure(record, limits, rest, offset);
    if (result != TG_CALIBRATION_DONE) {
        return result;
    }
    for (uint32_t c = 0; c < record->channels; c++) {
        record->offset[c] = (int32_t)clamp(offset[c], INT32_MIN, INT32_MAX);
    }
    record->temperature = temperature;
    return TG_CALIBRATION_DONE;
}

tg_calibration_result tg_calibration_slope(tg_calibration *record, const tg_calibration_limits *limits,
                                           const tg_calibration_rest *rest, int32_t temperature)
{
    int64_t offset[TG_CALIBRATION_CHANNELS];
    const tg_calibration_result result = measure(record, limits, rest, offset);
    const int64_t span = (int64_t)temperature - record->temperature;
    if (result != TG_CALIBRATION_DONE) {
        return result;
    }
    if (magnitude(span) < limits->min_span) {
        return TG_CALIBRATION_SPAN;
    }
    const int64_t most = limits->max_slope < INT32_MAX ? limits->max_slope : INT32_MAX;
    for (uint32_t c = 0; c < record->channels; c++) {
        record->slope[c] = (int32_t)clamp((offset[c] - record->offset[c]) * 65536 / span, -most, most);
    }
    return TG_CALIBRATION_DONE;
}

tg_calibration_result tg_calibration_no_event(tg_calibration *record, const tg_calibration_limits *limits,
                                              const tg_calibration_quiet *quiet)
{
    if (quiet->windows < limits->min_windows) {
        return TG_CALIBRATION_WINDOWS;
    }
    const int64_t threshold = (int64_t)quiet->highest + limits->headroom;
    record->threshold = (int32_t)clamp(threshold, limits->min_threshold, limits->max_threshold);
    return TG_CALIBRATION_DONE;
}

int32_t tg_calibration_apply(const tg_calibration *record, uint32_t channel, int32_t count, int32_t temperature)
{
    const int64_t span = clamp((int64_t)temperature - record->temperature, INT32_MIN, INT32_MAX);
    const int64_t drift = floor_divide(record->slope[channel] * span + 32768, 65536);
    return (int32_t)clamp((int64_t)count - record->offset[channel] - drift, INT32_MIN, INT32_MAX);
}

static uint32_t checksum(const tg_calibration *record)
{
    return tg_crc32(record, offsetof(tg_calibration, crc));
}

void tg_calibration_seal(tg_calibration *record)
{
    record->version = TG_CALIBRATION_VERSION;
    record->sequence++;
    record->crc = checksum(record);
}

static bool is_valid(const tg_calibration *record, uint32_t channels)
{
    return record->version == TG_CALIBRATION_VERSION && record->channels == channels &&
           channels <= TG_CALIBRATION_CHANNELS && record->crc == checksum(record);
}

const tg_calibration *tg_calibration_newest(const tg_calibration *a, const tg_calibration *b, uint32_t channels)
{
    if (!is_valid(a, channels)) {
        return is_valid(b, channels) ? b : NULL;
    }
    return is_valid(b, channels) && (int32_t)(b->sequence - a->sequence) > 0 ? b : a;
}
