/* The pointwise convolution on Helium: each position is a row. */
#ifndef TG_KERNELS_HELIUM_POINTWISE_CONV1D_S8_H
#define TG_KERNELS_HELIUM_POINTWISE_CONV1D_S8_H

#include "../shape.h"
#include "rows_s8.h"

TG_INLINE void tg_pointwise_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    const tg_rows rows = { x, s.stride * s.input_channels, s.output_length, s.input_channels, s.output_channels };
    tg_rows_s8(rows, y, weights, bias, multiplier, output);
}

#endif
