/* Pointwise (1x1) convolution in float32: a dense layer at every position.
 *
 *     acc[t][o] = bias[o] + w[o][0] * x[t * stride][0] + w[o][1] * x[t * stride][1] + ...
 *     y[t][o]   = clip(acc[t][o], y.min, y.max)
 *
 * The sum starts at the bias and adds one channel after another; every product and every sum is rounded.
 *
 * x        float [input_length][input_channels]
 * weights  float [output_channels][input_channels], the order of the inner loop
 * bias     float [output_channels]
 * output   float [output_length][output_channels], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     kernel = 1, groups = 1, no padding; finite constants; compiled with -ffp-contract=off and without
 *             -ffast-math; the default rounding mode.
 */
#ifndef TG_KERNELS_POINTWISE_CONV1D_F32_H
#define TG_KERNELS_POINTWISE_CONV1D_F32_H

#include "float32.h"
#include "shape.h"

TG_INLINE void tg_pointwise_conv1d_f32(tg_conv1d s, tg_range y, const tg_f32 *restrict x,
                                       const float *restrict weights, const float *restrict bias,
                                       tg_f32 *restrict output)
{
    for (int32_t t = 0; t < s.output_length; t++) {
        const tg_f32 *row = &x[t * s.stride * s.input_channels];
        for (int32_t o = 0; o < s.output_channels; o++) {
            float acc = bias[o];
            for (int32_t i = 0; i < s.input_channels; i++) {
                tg_scalar();
                acc += weights[o * s.input_channels + i] * row[i];
            }
            output[t * s.output_channels + o] = tg_clip_f32(acc, y);
        }
    }
}

#endif
