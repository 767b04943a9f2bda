/* Pointwise convolution (kernels/pointwise_conv1d_s8.h) on the DSP extension. */
#ifndef TG_KERNELS_DSP_POINTWISE_CONV1D_S8_H
#define TG_KERNELS_DSP_POINTWISE_CONV1D_S8_H

#include "kernels/dsp/windows.h"

TG_INLINE void tg_pointwise_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    tg_dsp_conv1d(s, false, y, x, weights, bias, multiplier, output, 0, s.output_length);
}

#endif
