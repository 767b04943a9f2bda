/* The addition (kernels/add_s8.h) on the DSP extension. */
#ifndef TG_KERNELS_DSP_ADD_S8_H
#define TG_KERNELS_DSP_ADD_S8_H

#include "kernels/dsp/add.h"
#include "kernels/shape.h"

TG_INLINE void tg_add_s8(tg_elements s, tg_codes y, const int8_t *a, const int8_t *b, float multiplier_a,
                         float multiplier_b, float offset, int8_t *output)
{
    for (int32_t i = 0; i < s.count; i++) {
        const int32_t sum = tg_dsp_sum((float)a[i], (float)b[i], multiplier_a, multiplier_b, offset, y, false);
        output[i] = (int8_t)sum;
    }
}

#endif
