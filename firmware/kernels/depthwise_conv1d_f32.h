/* Depthwise convolution in float32: every channel has its own filter.
 *
 *     acc[t][c] = bias[c] + w[0][c] * x[t * stride - pad_left][c] + w[1][c] * x[t * stride - pad_left + 1][c] + ...
 *     y[t][c]   = clip(acc[t][c], y.min, y.max)
 *
 * The sum starts at the bias and adds one tap after another; every product and every sum is rounded. A tap in the
 * padding multiplies +0.
 *
 * x        float [input_length][channels]
 * weights  float [kernel][channels], the order of the inner loop
 * bias     float [channels]
 * output   float [output_length][channels], apart from x or at the same address
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups = input_channels = output_channels; finite constants; compiled with -ffp-contract=off and
 *             without -ffast-math; the default rounding mode.
 *             Output and x at the same address: pad_left = 0.
 * Guarantees  reads no element outside x; the loop over channels is contiguous in x, weights and output.
 */
#ifndef TG_KERNELS_DEPTHWISE_CONV1D_F32_H
#define TG_KERNELS_DEPTHWISE_CONV1D_F32_H

#include <stdbool.h>

#include "float32.h"
#include "shape.h"

TG_INLINE void tg_depthwise_conv1d_positions_f32(tg_conv1d s, tg_range y, const tg_f32 *x,
                                                 const float *restrict weights, const float *restrict bias,
                                                 tg_f32 *output, int32_t begin, int32_t end, bool edge)
{
    const int32_t channels = s.input_channels;
    for (int32_t t = begin; t < end; t++) {
        const int32_t start = t * s.stride - s.pad_left;
        for (int32_t c = 0; c < channels; c++) {
            float acc = bias[c];
            for (int32_t k = 0; k < s.kernel; k++) {
                const int32_t position = start + k;
                const bool padding = edge && (position < 0 || position >= s.input_length);
                const float value = padding ? 0.0f : x[position * channels + c];
                tg_scalar();
                acc += weights[k * channels + c] * value;
            }
            output[t * channels + c] = tg_clip_f32(acc, y);
        }
    }
}

TG_INLINE void tg_depthwise_conv1d_f32(tg_conv1d s, tg_range y, const tg_f32 *x,
                                       const float *restrict weights, const float *restrict bias,
                                       tg_f32 *output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    tg_depthwise_conv1d_positions_f32(s, y, x, weights, bias, output, 0, begin, true);
    tg_depthwise_conv1d_positions_f32(s, y, x, weights, bias, output, begin, end, false);
    tg_depthwise_conv1d_positions_f32(s, y, x, weights, bias, output, end, s.output_length, true);
}

#endif
