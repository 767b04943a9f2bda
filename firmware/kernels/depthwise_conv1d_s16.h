/* Depthwise convolution: every channel has its own filter.
 *
 *     acc[t][c] = bias[c] + sum over k of w[k][c] * x[t * stride - pad_left + k][c]
 *     y[t][c]   = requantize(acc[t][c], multiplier[c])
 *
 * x           int16 [input_length][channels]
 * weights     int8  [kernel][channels], the order of the inner loop
 * bias        int32 [channels]
 * multiplier  float [channels]
 * output      int16 [output_length][channels], apart from x or at the same address
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups = input_channels = output_channels; |bias| + 32768 * sum|w| < 2^31 per channel, which the
 *             generator proves.
 *             Output and x at the same address: pad_left = 0, and on the DSP extension what dsp/depthwise.h says of the
 *             positions that it computes again.
 * Guarantees  reads no element outside x; the loop over channels is contiguous in x, weights and output.
 */
#ifndef TG_KERNELS_DEPTHWISE_CONV1D_S16_H
#define TG_KERNELS_DEPTHWISE_CONV1D_S16_H

#include <stdbool.h>

#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_depthwise_conv1d_positions_s16(tg_conv1d s, tg_codes y, const tg_s16 *x,
                                                 const int8_t *restrict weights, const int32_t *restrict bias,
                                                 const float *restrict multiplier, tg_s16 *output,
                                                 int32_t begin, int32_t end, bool edge)
{
    const int32_t channels = s.input_channels;
    for (int32_t t = begin; t < end; t++) {
        const int32_t start = t * s.stride - s.pad_left;
        for (int32_t c = 0; c < channels; c++) {
            int32_t acc = bias[c];
            for (int32_t k = 0; k < s.kernel; k++) {
                const int32_t position = start + k;
                const bool padding = edge && (position < 0 || position >= s.input_length);
                const int32_t code = padding ? 0 : x[position * channels + c];
                acc += weights[k * channels + c] * code;
            }
            output[t * channels + c] = tg_requantize_s16(acc, multiplier[c], y);
        }
    }
}

TG_INLINE void tg_depthwise_conv1d_s16_scalar(tg_conv1d s, tg_codes y, const tg_s16 *x,
                                              const int8_t *restrict weights, const int32_t *restrict bias,
                                              const float *restrict multiplier, tg_s16 *output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    tg_depthwise_conv1d_positions_s16(s, y, x, weights, bias, multiplier, output, 0, begin, true);
    tg_depthwise_conv1d_positions_s16(s, y, x, weights, bias, multiplier, output, begin, end, false);
    tg_depthwise_conv1d_positions_s16(s, y, x, weights, bias, multiplier, output, end, s.output_length, true);
}

/* The fastest way on this core, with the same results. */
#if defined(__ARM_FEATURE_DSP)
#include "dsp/depthwise_conv1d_s16.h"
#else
TG_INLINE void tg_depthwise_conv1d_s16(tg_conv1d s, tg_codes y, const tg_s16 *x,
                                       const int8_t *restrict weights, const int32_t *restrict bias,
                                       const float *restrict multiplier, tg_s16 *output)
{
    tg_depthwise_conv1d_s16_scalar(s, y, x, weights, bias, multiplier, output);
}
#endif

#endif
