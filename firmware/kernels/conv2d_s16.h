/* Convolution over height and length, ordinary or grouped.
 *
 *     acc[h][t][o] = bias[o] + sum over k, j, i of w[o][k][j][i] * x[p(h) + k][q(t) + j][g(o) * in + i]
 *     y[h][t][o]   = requantize(acc[h][t][o], multiplier[o])
 *
 * with p(h) = h * stride_height - pad_top and q(t) = t * stride_length - pad_left,
 * in = input_channels / groups and g(o) = o / (output_channels / groups).
 *
 * x           int16 [input_height][input_length][input_channels]
 * weights     int8  [output_channels][kernel_height][kernel_length][in], the order of the inner loop
 * bias        int32 [output_channels]
 * multiplier  float [output_channels]
 * output      int16 [output_height][output_length][output_channels], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups divides both channel counts; |bias| + 32768 * sum|w| < 2^31 for each
 *             output channel, which the generator proves.
 * Guarantees  reads no element outside x; with compile-time shapes every loop bound is a constant.
 */
#ifndef TG_KERNELS_CONV2D_S16_H
#define TG_KERNELS_CONV2D_S16_H

#include <stdbool.h>

#include "requantize.h"
#include "shape.h"

/* One output; `edge` says that taps may fall into the padding. */
TG_INLINE int32_t tg_conv2d_sum_s16(tg_conv2d s, const tg_s16 *x, const int8_t *weights, int32_t acc, tg_window w,
                                    int32_t first_channel, bool edge)
{
    const int32_t in = s.input_channels / s.groups;
    for (int32_t k = 0; k < s.kernel_height; k++) {
        for (int32_t j = 0; j < s.kernel_length; j++) {
            const bool inside = !edge || tg_is_inside(w, k, j);
            const int32_t position = w.origin + k * s.input_length + j;
            for (int32_t i = 0; i < in; i++) {
                const int32_t value = inside ? x[position * s.input_channels + first_channel + i] : 0;
                acc += weights[(k * s.kernel_length + j) * in + i] * value;
            }
        }
    }
    return acc;
}

TG_INLINE void tg_conv2d_s16(tg_conv2d s, tg_codes y, const tg_s16 *restrict x, const int8_t *restrict weights,
                             const int32_t *restrict bias, const float *restrict multiplier, tg_s16 *restrict output)
{
    const int32_t in = s.input_channels / s.groups;
    const int32_t out = s.output_channels / s.groups;
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_conv2d_window(s, h, t);
            const bool edge = !tg_conv2d_is_whole(s, w);
            for (int32_t o = 0; o < s.output_channels; o++) {
                const int8_t *filter = &weights[o * s.kernel_height * s.kernel_length * in];
                const int32_t acc = edge ? tg_conv2d_sum_s16(s, x, filter, bias[o], w, o / out * in, true)
                                     : tg_conv2d_sum_s16(s, x, filter, bias[o], w, o / out * in, false);
                output[(h * s.output_length + t) * s.output_channels + o] = tg_requantize_s16(acc, multiplier[o], y);
            }
        }
    }
}

#endif
