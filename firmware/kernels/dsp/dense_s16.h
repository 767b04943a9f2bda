/* Fully connected layer (kernels/dense_s16.h) on the DSP extension: one window. */
#ifndef TG_KERNELS_DSP_DENSE_S16_H
#define TG_KERNELS_DSP_DENSE_S16_H

#include "kernels/dsp/windows.h"

TG_INLINE void tg_dense_s16(tg_dense s, tg_codes y, const tg_s16 *restrict x, const int8_t *restrict weights,
                           const int32_t *restrict bias, const float *restrict multiplier,
                           tg_s16 *restrict output)
{
    const tg_dsp_windows window = { .wide = true, .rows = 1, .count = s.inputs, .outputs = s.outputs };
    tg_dsp_position(window, y, x, weights, bias, multiplier, output);
}

#endif
