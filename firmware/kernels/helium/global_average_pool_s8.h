/* The mean over length on Helium: eight channels at a time. Up to 256 codes add up inside int16, to at least -32768 and
 * at most 32512; such partial sums are then widened. */
#ifndef TG_KERNELS_HELIUM_GLOBAL_AVERAGE_POOL_S8_H
#define TG_KERNELS_HELIUM_GLOBAL_AVERAGE_POOL_S8_H

#include "../shape.h"
#include "vectors_s8.h"

enum { TG_POOL_BLOCK = 256 };
_Static_assert(-TG_POOL_BLOCK * 128 >= INT16_MIN, "the sum of a block fits int16");

TG_INLINE void tg_pool_channels_s8(tg_global_average_pool s, tg_codes y, const int8_t *x, float multiplier,
                                   int8_t *output, int32_t count)
{
    const int32x4_t offset = vdupq_n_s32(-s.length * s.input_zero_point);
    tg_pairs acc = { offset, offset };
    for (int32_t begin = 0; begin < s.length; begin += TG_POOL_BLOCK) {
        const int32_t end = s.length - begin < TG_POOL_BLOCK ? s.length : begin + TG_POOL_BLOCK;
        int16x8_t sum = vdupq_n_s16(0);
        for (int32_t t = begin; t < end; t++) {
            sum = vaddq_s16(sum, tg_load_codes_s16(&x[t * s.channels], count));
        }
        acc = tg_add_wide(acc, sum);
    }
    const float32x4_t factor = vdupq_n_f32(multiplier);
    tg_store_eight(tg_scaled_s32(acc.even, factor), tg_scaled_s32(acc.odd, factor), y, output, count);
}

TG_INLINE void tg_global_average_pool_s8(tg_global_average_pool s, tg_codes y, const int8_t *x,
                                         float multiplier, int8_t *output)
{
    const int32_t whole = s.channels / 8 * 8;
    for (int32_t c = 0; c < whole; c += 8) {
        tg_pool_channels_s8(s, y, &x[c], multiplier, &output[c], 8);
    }
    if (whole < s.channels) {
        tg_pool_channels_s8(s, y, &x[whole], multiplier, &output[whole], s.channels - whole);
    }
}

#endif
