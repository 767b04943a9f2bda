/* Pointwise (1x1) convolution: a dense layer at every position.
 *
 *     acc[t][o] = bias[o] + sum over i of w[o][i] * x[t * stride][i]
 *     y[t][o]   = requantize(acc[t][o], multiplier[o])
 *
 * x           int8  [input_length][input_channels]
 * weights     int8  [output_channels][input_channels], the order of the inner loop
 * bias        int32 [output_channels], zero point folded in (shape.h)
 * multiplier  float [output_channels]
 * output      int8  [output_length][output_channels], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     kernel = 1, groups = 1, no padding; |bias| + 128 * sum|w| < 2^31 per output channel, which the
 *             generator proves.
 */
#ifndef TG_KERNELS_POINTWISE_CONV1D_S8_H
#define TG_KERNELS_POINTWISE_CONV1D_S8_H

#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_pointwise_conv1d_s8_scalar(tg_conv1d s, tg_codes y, const int8_t *restrict x,
                                             const int8_t *restrict weights, const int32_t *restrict bias,
                                             const float *restrict multiplier, int8_t *restrict output)
{
    for (int32_t t = 0; t < s.output_length; t++) {
        const int8_t *row = &x[t * s.stride * s.input_channels];
        for (int32_t o = 0; o < s.output_channels; o++) {
            int32_t acc = bias[o];
            for (int32_t i = 0; i < s.input_channels; i++) {
                acc += weights[o * s.input_channels + i] * row[i];
            }
            output[t * s.output_channels + o] = tg_requantize_s8(acc, multiplier[o], y);
        }
    }
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/pointwise_conv1d_s8.h"
#elif defined(__ARM_FEATURE_DSP)
#include "dsp/pointwise_conv1d_s8.h"
#else
TG_INLINE void tg_pointwise_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    tg_pointwise_conv1d_s8_scalar(s, y, x, weights, bias, multiplier, output);
}
#endif

#endif
