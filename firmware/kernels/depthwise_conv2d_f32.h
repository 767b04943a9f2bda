/* Depthwise convolution over height and length: every channel has its own filter, in float32.
 *
 *     acc[h][t][c] = bias[c] + sum over k, j of w[k][j][c] * x[p(h) + k][q(t) + j][c]
 *     y[h][t][c]   = clip(acc[h][t][c], y.min, y.max)
 *
 * with p(h) = h * stride_height - pad_top and q(t) = t * stride_length - pad_left.
 *
 * The sum starts at the bias and adds one product after another, by row, column; every product and every sum is
 * rounded. A tap in the padding multiplies +0.
 *
 * x           float [input_height][input_length][channels]
 * weights     float [kernel_height][kernel_length][channels], the order of the inner loop
 * bias        float [channels]
 * output      float [output_height][output_length][channels]; may be x if no window begins before its output
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups = input_channels = output_channels; finite constants; compiled with
 *             -ffp-contract=off and without -ffast-math; the default rounding mode.
 * Guarantees  reads no element outside x; with compile-time shapes every loop bound is a constant.
 */
#ifndef TG_KERNELS_DEPTHWISE_CONV2D_F32_H
#define TG_KERNELS_DEPTHWISE_CONV2D_F32_H

#include <stdbool.h>

#include "float32.h"
#include "shape.h"

/* One output; `edge` says that taps may fall into the padding. */
TG_INLINE float tg_depthwise_conv2d_sum_f32(tg_conv2d s, const tg_f32 *x, const float *weights, float acc,
                                            tg_window w, int32_t channel, bool edge)
{
    for (int32_t k = 0; k < s.kernel_height; k++) {
        for (int32_t j = 0; j < s.kernel_length; j++) {
            const bool inside = !edge || tg_is_inside(w, k, j);
            const int32_t position = w.origin + k * s.input_length + j;
            const float value = inside ? x[position * s.input_channels + channel] : 0.0f;
            tg_scalar();
            acc += weights[(k * s.kernel_length + j) * s.input_channels + channel] * value;
        }
    }
    return acc;
}

TG_INLINE void tg_depthwise_conv2d_f32(tg_conv2d s, tg_range y, const tg_f32 *x,
                                       const float *restrict weights, const float *restrict bias,
                                       tg_f32 *output)
{
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_conv2d_window(s, h, t);
            const bool edge = !tg_conv2d_is_whole(s, w);
            for (int32_t o = 0; o < s.output_channels; o++) {
                const float acc = edge ? tg_depthwise_conv2d_sum_f32(s, x, weights, bias[o], w, o, true)
                                     : tg_depthwise_conv2d_sum_f32(s, x, weights, bias[o], w, o, false);
                output[(h * s.output_length + t) * s.output_channels + o] = tg_clip_f32(acc, y);
            }
        }
    }
}

#endif
