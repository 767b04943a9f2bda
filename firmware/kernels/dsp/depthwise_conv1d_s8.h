/* Depthwise convolution (kernels/depthwise_conv1d_s8.h) on the DSP extension. Positions whose windows reach into the
 * padding are left to the scalar kernel. */
#ifndef TG_KERNELS_DSP_DEPTHWISE_CONV1D_S8_H
#define TG_KERNELS_DSP_DEPTHWISE_CONV1D_S8_H

#include "kernels/dsp/depthwise.h"

TG_INLINE void tg_depthwise_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    tg_depthwise_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, 0, begin, true);
    tg_dsp_depthwise(s, false, y, x, weights, bias, multiplier, output, begin, end);
    tg_depthwise_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, end, s.output_length, true);
}

#endif
