/* Convolution over height and length, ordinary or grouped, in float32.
 *
 *     acc[h][t][o] = bias[o] + sum over k, j, i of w[o][k][j][i] * x[p(h) + k][q(t) + j][g(o) * in + i]
 *     y[h][t][o]   = clip(acc[h][t][o], y.min, y.max)
 *
 * with p(h) = h * stride_height - pad_top and q(t) = t * stride_length - pad_left,
 * in = input_channels / groups and g(o) = o / (output_channels / groups).
 *
 * The sum starts at the bias and adds one product after another, by row, column and input channel; every product and
 * every sum is rounded. A tap in the padding multiplies +0.
 *
 * x           float [input_height][input_length][input_channels]
 * weights     float [output_channels][kernel_height][kernel_length][in], the order of the inner loop
 * bias        float [output_channels]
 * output      float [output_height][output_length][output_channels], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups divides both channel counts; finite constants; compiled with
 *             -ffp-contract=off and without -ffast-math; the default rounding mode.
 * Guarantees  reads no element outside x; with compile-time shapes every loop bound is a constant.
 */
#ifndef TG_KERNELS_CONV2D_F32_H
#define TG_KERNELS_CONV2D_F32_H

#include <stdbool.h>

#include "float32.h"
#include "shape.h"

/* One output; `edge` says that taps may fall into the padding. */
TG_INLINE float tg_conv2d_sum_f32(tg_conv2d s, const tg_f32 *x, const float *weights, float acc, tg_window w,
                                  int32_t first_channel, bool edge)
{
    const int32_t in = s.input_channels / s.groups;
    for (int32_t k = 0; k < s.kernel_height; k++) {
        for (int32_t j = 0; j < s.kernel_length; j++) {
            const bool inside = !edge || tg_is_inside(w, k, j);
            const int32_t position = w.origin + k * s.input_length + j;
            for (int32_t i = 0; i < in; i++) {
                const float value = inside ? x[position * s.input_channels + first_channel + i] : 0.0f;
                tg_scalar();
                acc += weights[(k * s.kernel_length + j) * in + i] * value;
            }
        }
    }
    return acc;
}

TG_INLINE void tg_conv2d_f32(tg_conv2d s, tg_range y, const tg_f32 *restrict x, const float *restrict weights,
                             const float *restrict bias, tg_f32 *restrict output)
{
    const int32_t in = s.input_channels / s.groups;
    const int32_t out = s.output_channels / s.groups;
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_conv2d_window(s, h, t);
            const bool edge = !tg_conv2d_is_whole(s, w);
            for (int32_t o = 0; o < s.output_channels; o++) {
                const float *filter = &weights[o * s.kernel_height * s.kernel_length * in];
                const float acc = edge ? tg_conv2d_sum_f32(s, x, filter, bias[o], w, o / out * in, true)
                                     : tg_conv2d_sum_f32(s, x, filter, bias[o], w, o / out * in, false);
                output[(h * s.output_length + t) * s.output_channels + o] = tg_clip_f32(acc, y);
            }
        }
    }
}

#endif
