/* The extent (extent.h) of int16 counts on the DSP extension, two at a time: a pair has the earlier count in its lower
 * half. A subtraction sets a flag per half, by which the next instruction picks the larger or the smaller. */
#ifndef TG_RUNTIME_EXTENT_DSP_H
#define TG_RUNTIME_EXTENT_DSP_H

#include "kernels/dsp/lanes.h"

TG_INLINE int16x2_t tg_dsp_max_s16(int16x2_t a, int16x2_t b)
{
    (void)__ssub16(a, b);
    return (int16x2_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

TG_INLINE int16x2_t tg_dsp_min_s16(int16x2_t a, int16x2_t b)
{
    (void)__ssub16(a, b);
    return (int16x2_t)__sel((uint8x4_t)b, (uint8x4_t)a);
}

TG_INLINE uint16x2_t tg_dsp_max_u16(uint16x2_t a, uint16x2_t b)
{
    (void)__usub16(a, b);
    return (uint16x2_t)__sel((uint8x4_t)a, (uint8x4_t)b);
}

/* |a - b|, which 16 bits without a sign hold. */
TG_INLINE uint16x2_t tg_dsp_distance_s16(int16x2_t a, int16x2_t b)
{
    (void)__ssub16(a, b);
    const uint8x4_t larger = __sel((uint8x4_t)a, (uint8x4_t)b);
    const uint8x4_t smaller = __sel((uint8x4_t)b, (uint8x4_t)a);
    return __usub16((uint16x2_t)larger, (uint16x2_t)smaller);
}

TG_INLINE tg_extent tg_extent_s16(const int16_t *counts, uint32_t n, uint32_t stride)
{
    const int32_t one_each = 0x00010001;
    int32_t before = counts[0];
    tg_extent extent = tg_extent_begin(before);
    int32_t sum = before;
    int64_t squares = (int64_t)before * before;
    if (n % 2 == 0) { /* The others after the first are then in pairs. */
        counts += stride;
        tg_extent_add(&extent, before, counts[0]);
        before = counts[0];
        sum += before;
        squares += (int64_t)before * before;
    }
    int16x2_t min = tg_dsp_low_pair(extent.min, extent.min);
    int16x2_t max = tg_dsp_low_pair(extent.max, extent.max);
    uint16x2_t step = extent.step;
    for (uint32_t pairs = (n - 1) / 2; pairs > 0; pairs--) {
        const int32_t first = counts[stride];
        counts += 2 * stride;
        const int32_t second = counts[0];
        const int16x2_t now = tg_dsp_low_pair(first, second);
        min = tg_dsp_min_s16(min, now);
        max = tg_dsp_max_s16(max, now);
        step = tg_dsp_max_u16(step, tg_dsp_distance_s16(now, tg_dsp_low_pair(before, first)));
        sum = __smlad(now, one_each, sum);
        squares = __smlald(now, now, squares);
        before = second;
    }
    return (tg_extent){
        .min = (int16_t)tg_dsp_min_s16(min, min >> 16),
        .max = (int16_t)tg_dsp_max_s16(max, max >> 16),
        .step = (uint16_t)tg_dsp_max_u16(step, step >> 16),
        .spread = { .n = n, .sum = sum, .squares = (uint64_t)squares },
    };
}

#endif
