/* The extent (extent.h) of int16 counts on Helium, eight at a time. Those beyond the last are loaded as 0, which adds
 * nothing to steps and sums, and are kept out of the least and the most. */
#ifndef TG_RUNTIME_EXTENT_HELIUM_H
#define TG_RUNTIME_EXTENT_HELIUM_H

#include <arm_mve.h>

TG_INLINE tg_extent tg_extent_s16(const int16_t *counts, uint32_t n, uint32_t stride)
{
    const uint16x8_t at = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)stride);
    int16x8_t min = vdupq_n_s16(counts[0]);
    int16x8_t max = min;
    uint16x8_t step = vdupq_n_u16(0);
    int32_t sum = counts[0];
    int64_t squares = (int64_t)counts[0] * counts[0];
    for (int32_t left = (int32_t)n - 1; left > 0; left -= 8) {
        const mve_pred16_t is_left = vctp16q((uint32_t)left);
        const int16x8_t before = vldrhq_gather_shifted_offset_z_s16(counts, at, is_left);
        const int16x8_t count = vldrhq_gather_shifted_offset_z_s16(counts + stride, at, is_left);
        min = vminq_m_s16(min, min, count, is_left);
        max = vmaxq_m_s16(max, max, count, is_left);
        step = vmaxq_u16(step, vreinterpretq_u16_s16(vabdq_s16(count, before)));
        sum = vaddvaq_s16(sum, count);
        squares = vmlaldavaq_s16(squares, count, count);
        counts += 8 * stride;
    }
    return (tg_extent){
        .min = vminvq_s16(INT16_MAX, min),
        .max = vmaxvq_s16(INT16_MIN, max),
        .step = vmaxvq_u16(0, step),
        .spread = { .n = n, .sum = sum, .squares = (uint64_t)squares },
    };
}

#endif
