/* The addition (kernels/add_s16.h) on the DSP extension. */
#ifndef TG_KERNELS_DSP_ADD_S16_H
#define TG_KERNELS_DSP_ADD_S16_H

#include "kernels/dsp/add.h"
#include "kernels/shape.h"

TG_INLINE void tg_add_s16(tg_elements s, tg_codes y, const tg_s16 *a, const tg_s16 *b, float multiplier_a,
                          float multiplier_b, float offset, tg_s16 *output)
{
    for (int32_t i = 0; i < s.count; i++) {
        const int32_t sum = tg_dsp_sum((float)a[i], (float)b[i], multiplier_a, multiplier_b, offset, y, true);
        output[i] = (int16_t)sum;
    }
}

#endif
