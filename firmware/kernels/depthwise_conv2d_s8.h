/* Depthwise convolution over height and length: every channel has its own filter.
 *
 *     acc[h][t][c] = bias[c] + sum over k, j of w[k][j][c] * x[p(h) + k][q(t) + j][c]
 *     y[h][t][c]   = requantize(acc[h][t][c], multiplier[c])
 *
 * with p(h) = h * stride_height - pad_top and q(t) = t * stride_length - pad_left.
 *
 * x           int8  [input_height][input_length][channels]
 * weights     int8  [kernel_height][kernel_length][channels], the order of the inner loop
 * bias        int32 [channels], zero point folded in (shape.h)
 * multiplier  float [channels]
 * output      int8  [output_height][output_length][channels], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups = input_channels = output_channels; |bias| + 128 * sum|w| < 2^31 for each
 *             output channel, which the generator proves.
 * Guarantees  reads no element outside x; with compile-time shapes every loop bound is a constant.
 */
#ifndef TG_KERNELS_DEPTHWISE_CONV2D_S8_H
#define TG_KERNELS_DEPTHWISE_CONV2D_S8_H

#include <stdbool.h>

#include "requantize.h"
#include "shape.h"

/* One output; `edge` says that taps may fall into the padding. */
TG_INLINE int32_t tg_depthwise_conv2d_sum_s8(tg_conv2d s, const int8_t *x, const int8_t *weights, int32_t acc,
                                             tg_window w, int32_t channel, bool edge)
{
    for (int32_t k = 0; k < s.kernel_height; k++) {
        for (int32_t j = 0; j < s.kernel_length; j++) {
            const bool inside = !edge || tg_is_inside(w, k, j);
            const int32_t position = w.origin + k * s.input_length + j;
            const int32_t value = inside ? x[position * s.input_channels + channel] : s.input_zero_point;
            acc += weights[(k * s.kernel_length + j) * s.input_channels + channel] * value;
        }
    }
    return acc;
}

/* The outputs of row h from column `begin` to before `end`. */
TG_INLINE void tg_depthwise_conv2d_positions_s8(tg_conv2d s, tg_codes y, const int8_t *restrict x,
                                                const int8_t *restrict weights, const int32_t *restrict bias,
                                                const float *restrict multiplier, int8_t *restrict output, int32_t h,
                                                int32_t begin, int32_t end)
{
    for (int32_t t = begin; t < end; t++) {
        const tg_window w = tg_conv2d_window(s, h, t);
        const bool edge = !tg_conv2d_is_whole(s, w);
        for (int32_t c = 0; c < s.input_channels; c++) {
            const int32_t acc = edge ? tg_depthwise_conv2d_sum_s8(s, x, weights, bias[c], w, c, true)
                                     : tg_depthwise_conv2d_sum_s8(s, x, weights, bias[c], w, c, false);
            output[(h * s.output_length + t) * s.input_channels + c] = tg_requantize_s8(acc, multiplier[c], y);
        }
    }
}

TG_INLINE void tg_depthwise_conv2d_s8_scalar(tg_conv2d s, tg_codes y, const int8_t *restrict x,
                                             const int8_t *restrict weights, const int32_t *restrict bias,
                                             const float *restrict multiplier, int8_t *restrict output)
{
    for (int32_t h = 0; h < s.output_height; h++) {
        tg_depthwise_conv2d_positions_s8(s, y, x, weights, bias, multiplier, output, h, 0, s.output_length);
    }
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/depthwise_conv2d_s8.h"
#elif defined(__ARM_FEATURE_DSP)
#include "dsp/depthwise_conv2d_s8.h"
#else
TG_INLINE void tg_depthwise_conv2d_s8(tg_conv2d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    tg_depthwise_conv2d_s8_scalar(s, y, x, weights, bias, multiplier, output);
}
#endif

#endif
