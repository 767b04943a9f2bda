/* Fully connected layer with 32-bit scores (kernels/dense_s8_s32.h) on the DSP extension. */
#ifndef TG_KERNELS_DSP_DENSE_S8_S32_H
#define TG_KERNELS_DSP_DENSE_S8_S32_H

#include "kernels/dsp/windows.h"

TG_INLINE void tg_dense_s8_s32(tg_dense s, const int8_t *restrict x, const int8_t *restrict weights,
                               const int32_t *restrict bias, tg_s32 *restrict output)
{
    const tg_dsp_windows window = { .rows = 1, .count = s.inputs, .outputs = s.outputs };
    tg_dsp_scores(window, x, weights, bias, output);
}

#endif
