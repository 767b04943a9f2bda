/* Fully connected layer with 32-bit scores (kernels/dense_s8_s32.h) on the DSP extension. */
#ifndef TG_KERNELS_DSP_DENSE_S8_S32_H
#define TG_KERNELS_DSP_DENSE_S8_S32_H

#include "kernels/dsp/tile_s8.h"
#include "kernels/shape.h"

TG_INLINE void tg_dense_s8_s32(tg_dense s, const int8_t *restrict x, const int8_t *restrict weights,
                               const int32_t *restrict bias, tg_s32 *restrict output)
{
    const tg_dsp_windows window = { .rows = 1, .bytes = s.inputs, .outputs = s.outputs };
    for (int32_t o = 0; o < s.outputs; o++) {
        int32_t acc;
        tg_dsp_window_s8(window, x, &weights[o * s.inputs], &bias[o], 1, &acc);
        output[o] = acc;
    }
}

#endif
