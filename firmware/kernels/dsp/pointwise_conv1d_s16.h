/* Pointwise convolution (kernels/pointwise_conv1d_s16.h) on the DSP extension. */
#ifndef TG_KERNELS_DSP_POINTWISE_CONV1D_S16_H
#define TG_KERNELS_DSP_POINTWISE_CONV1D_S16_H

#include "kernels/dsp/windows.h"

TG_INLINE void tg_pointwise_conv1d_s16(tg_conv1d s, tg_codes y, const tg_s16 *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, tg_s16 *restrict output)
{
    tg_dsp_conv1d(s, true, y, x, weights, bias, multiplier, output, 0, s.output_length);
}

#endif
