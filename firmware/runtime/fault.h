/* Whether the counts of a window can be from a sensor that works; if not, the window is UNKNOWN (decision.h).
 *
 * A cause is a bit. Per channel, over the window:
 *
 *     RANGE       a count < low, or > high
 *     SATURATION  more than max_saturated counts in a row at or beyond a rail
 *     STUCK       more than max_same equal counts in a row
 *     JUMP        a step between neighbours > max_jump
 *     VARIANCE    variance of counts >> variance_shift (spread.h) < min_variance, or > max_variance
 *
 * and over all channels:
 *
 *     GAP         more than max_missed frames are missing before the window
 *     TIMING      ticks since the window before < min_ticks, or > max_ticks, where nothing is missing
 *
 * A limit of UINT32_MAX, or 0 for the least, is none. The limits are the most that healthy training data came to.
 */
#ifndef TG_RUNTIME_FAULT_H
#define TG_RUNTIME_FAULT_H

#include <stdint.h>

#include "extent.h"

enum {
    TG_FAULT_RANGE = 1,
    TG_FAULT_SATURATION = 2,
    TG_FAULT_STUCK = 4,
    TG_FAULT_JUMP = 8,
    TG_FAULT_VARIANCE = 16,
    TG_FAULT_GAP = 32,
    TG_FAULT_TIMING = 64,
};
#define TG_FAULT_CAUSES 7

/* Of one channel, in counts. */
typedef struct {
    int32_t low;
    int32_t high;
    int32_t rail_low;
    int32_t rail_high;
    uint32_t max_saturated;
    uint32_t max_same;
    uint32_t max_jump;
    uint32_t variance_shift; /* 0 for 16 bits */
    uint32_t min_variance;   /* of shifted counts, squared */
    uint32_t max_variance;
} tg_fault_limits;

typedef struct {
    uint32_t max_missed; /* frames */
    uint32_t min_ticks;
    uint32_t max_ticks;
} tg_fault_timing;

/* What is wrong with limits. */
typedef enum {
    TG_FAULT_FINE,
    TG_FAULT_BAD_WINDOW,   /* longer than TG_SPREAD_MAX_COUNTS */
    TG_FAULT_BAD_RANGE,    /* low > high */
    TG_FAULT_BAD_RAILS,    /* rail_low >= rail_high */
    TG_FAULT_BAD_SHIFT,    /* variance_shift > TG_SPREAD_MAX_SHIFT */
    TG_FAULT_BAD_VARIANCE, /* min_variance > max_variance */
    TG_FAULT_BAD_TIMING,   /* min_ticks > max_ticks */
} tg_fault_rule;

typedef struct {
    tg_fault_timing timing;
    uint8_t causes; /* of the window so far */
    uint32_t windows;
    uint32_t unknown;                 /* windows with any cause */
    uint32_t counts[TG_FAULT_CAUSES]; /* windows with the cause of bit i */
} tg_fault;

/* The first rule that a channel's limits, or those on time, break for windows of so many frames. */
tg_fault_rule tg_fault_check(const tg_fault_limits *limits, const tg_fault_timing *timing, uint32_t window);

void tg_fault_init(tg_fault *fault, const tg_fault_timing *timing);

/* Adds the causes of one channel of the window, whose count i is counts[i * stride], for i < n. n is at least 1. */
void tg_fault_channel_s16(tg_fault *fault, const tg_fault_limits *limits, const int16_t *counts, uint32_t n,
                          uint32_t stride);
void tg_fault_channel_s32(tg_fault *fault, const tg_fault_limits *limits, const int32_t *counts, uint32_t n,
                          uint32_t stride);

/* Ends the window: adds the causes of time, counts, and returns the causes of all. `missed` is as in ring.h, and `ticks`
 * is from the window before to this one by any clock. */
uint8_t tg_fault_end(tg_fault *fault, uint32_t missed, uint32_t ticks);

#endif
