/* Pointwise convolution (kernels/pointwise_conv1d_s8.h) on the DSP extension: tiles of rows of x. */
#ifndef TG_KERNELS_DSP_POINTWISE_CONV1D_S8_H
#define TG_KERNELS_DSP_POINTWISE_CONV1D_S8_H

#include "kernels/dsp/tile_s8.h"
#include "kernels/shape.h"

TG_INLINE void tg_pointwise_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    const tg_dsp_windows rows = {
        .rows = 1,
        .bytes = s.input_channels,
        .advance = s.stride * s.input_channels,
        .outputs = s.output_channels,
        .channels = s.output_channels,
    };
    tg_dsp_convolve_s8(rows, y, x, weights, bias, multiplier, output, s.output_length);
}

#endif
