/* Depthwise convolution (kernels/depthwise_conv1d_s8.h) on the DSP extension.
 *
 * One channel after another, its weights in registers as pairs of taps. Of a few positions together each pair of x is
 * put together once and used by every position that has it at the same place: with an even stride by all of them.
 * Positions whose windows reach into the padding are left to the scalar kernel.
 */
#ifndef TG_KERNELS_DSP_DEPTHWISE_CONV1D_S8_H
#define TG_KERNELS_DSP_DEPTHWISE_CONV1D_S8_H

#include "kernels/dsp/lanes.h"
#include "kernels/dsp/requantize.h"
#include "kernels/shape.h"

enum { TG_DSP_DEPTHWISE_POSITIONS = 4 };

/* One channel at `positions` positions; x is the first tap of the first of them. */
TG_INLINE void tg_dsp_depthwise_s8(tg_conv1d s, tg_codes y, const int8_t *x, const int8_t *weights, int32_t bias,
                                   float multiplier, int8_t *output, int32_t positions)
{
    const int32_t channels = s.input_channels;
    int32_t acc[TG_DSP_DEPTHWISE_POSITIONS];
#pragma GCC unroll 4
    for (int32_t p = 0; p < positions; p++) {
        acc[p] = bias;
    }
    int32_t k = 0;
    for (; k + 2 <= s.kernel; k += 2) {
        const int32_t pair = tg_dsp_pair(weights[k * channels], weights[(k + 1) * channels]);
#pragma GCC unroll 4
        for (int32_t p = 0; p < positions; p++) {
            const int8_t *tap = &x[(p * s.stride + k) * channels];
            acc[p] = __smlad(tg_dsp_pair(tap[0], tap[channels]), pair, acc[p]);
        }
    }
    if (k < s.kernel) {
#pragma GCC unroll 4
        for (int32_t p = 0; p < positions; p++) {
            acc[p] += weights[k * channels] * x[(p * s.stride + k) * channels];
        }
    }
#pragma GCC unroll 4
    for (int32_t p = 0; p < positions; p++) {
        output[p * channels] = tg_dsp_requantize_s8(acc[p], multiplier, y);
    }
}

/* One channel at `count` positions. */
TG_INLINE void tg_dsp_depthwise_channel_s8(tg_conv1d s, tg_codes y, const int8_t *x, const int8_t *weights,
                                           int32_t bias, float multiplier, int8_t *output, int32_t count)
{
    const int32_t together = count < TG_DSP_DEPTHWISE_POSITIONS ? 1 : TG_DSP_DEPTHWISE_POSITIONS;
    for (int32_t left = count; left > 0;) {
        tg_dsp_depthwise_s8(s, y, x, weights, bias, multiplier, output, together);
        left -= together;
        const int32_t step = left < together ? left : together;
        x += step * s.stride * s.input_channels;
        output += step * s.input_channels;
    }
}

TG_INLINE void tg_depthwise_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    const int8_t *interior = &x[(begin * s.stride - s.pad_left) * s.input_channels];
    tg_depthwise_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, 0, begin, true);
    for (int32_t c = 0; c < s.input_channels; c++) {
        tg_dsp_depthwise_channel_s8(s, y, &interior[c], &weights[c], bias[c], multiplier[c],
                                    &output[begin * s.input_channels + c], end - begin);
    }
    tg_depthwise_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, end, s.output_length, true);
}

#endif
