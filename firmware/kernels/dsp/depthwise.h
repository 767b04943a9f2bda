/* Depthwise convolution without padding, on the DSP extension; x int8 or int16, weights int8.
 *
 * One channel after another, with its bias, multiplier and weights in registers, the weights as pairs of taps. Of a
 * few positions together each pair of x is put together once and used by every position that has it at the same
 * taps: with an even stride by all of them. A last few positions that would go past the end start earlier and are
 * computed again. So outputs may only take the place of x if those, `count - 4` and up, read no position below
 * `count / 4 * 4`, where outputs already lie.
 */
#ifndef TG_KERNELS_DSP_DEPTHWISE_H
#define TG_KERNELS_DSP_DEPTHWISE_H

#include "kernels/dsp/lanes.h"
#include "kernels/dsp/requantize.h"
#include "kernels/shape.h"

enum { TG_DSP_DEPTHWISE_POSITIONS = 4 };

_Static_assert(TG_DSP_DEPTHWISE_POSITIONS == 4, "the loops over them are unrolled 4 times");

/* Two taps of a channel. */
TG_INLINE int32_t tg_dsp_taps(bool wide, const void *x, int32_t index, int32_t channels)
{
    return tg_dsp_low_pair(tg_dsp_code(wide, x, index), tg_dsp_code(wide, x, index + channels));
}

/* Accumulators of one channel at a few positions; x is the first tap of the first of them. */
TG_INLINE void tg_dsp_depthwise_sums(tg_conv1d s, bool wide, const void *x, const int8_t *weights, int32_t positions,
                                     int32_t *acc)
{
    const int32_t channels = s.input_channels;
    const int32_t paired = s.kernel / 2 * 2;
    for (int32_t k = 0; k < paired; k += 2) {
        const int32_t taps = tg_dsp_taps(false, weights, k * channels, channels);
#pragma GCC unroll 4
        for (int32_t p = 0; p < positions; p++) {
            acc[p] = __smlad(tg_dsp_taps(wide, x, (p * s.stride + k) * channels, channels), taps, acc[p]);
        }
    }
    if (paired < s.kernel) {
#pragma GCC unroll 4
        for (int32_t p = 0; p < positions; p++) {
            acc[p] += weights[paired * channels] * tg_dsp_code(wide, x, (p * s.stride + paired) * channels);
        }
    }
}

/* One channel at `count` positions. */
TG_INLINE void tg_dsp_depthwise_channel(tg_conv1d s, bool wide, tg_codes y, const void *x, const int8_t *weights,
                                        int32_t bias, float multiplier, void *output, int32_t count)
{
    const int32_t together = count < TG_DSP_DEPTHWISE_POSITIONS ? 1 : TG_DSP_DEPTHWISE_POSITIONS;
    for (int32_t left = count; left > 0;) {
        int32_t acc[TG_DSP_DEPTHWISE_POSITIONS] = { bias, bias, bias, bias };
        tg_dsp_depthwise_sums(s, wide, x, weights, together, acc);
#pragma GCC unroll 4
        for (int32_t p = 0; p < together; p++) {
            tg_dsp_store(wide, output, p * s.input_channels, acc[p], multiplier, y);
        }
        left -= together;
        const int32_t step = (left < together ? left : together) * s.input_channels;
        x = tg_dsp_at(wide, x, step * s.stride);
        output = tg_dsp_output_at(wide, output, step);
    }
}

/* The positions from `begin` to before `end`, whose windows lie inside x. */
TG_INLINE void tg_dsp_depthwise(tg_conv1d s, bool wide, tg_codes y, const void *x, const int8_t *weights,
                                const int32_t *bias, const float *multiplier, void *output, int32_t begin,
                                int32_t end)
{
    for (int32_t c = 0; c < s.input_channels && begin < end; c++) {
        const int32_t start = (begin * s.stride - s.pad_left) * s.input_channels + c;
        tg_dsp_depthwise_channel(s, wide, y, tg_dsp_at(wide, x, start), &weights[c], bias[c], multiplier[c],
                                 tg_dsp_output_at(wide, output, begin * s.input_channels + c), end - begin);
    }
}

#endif
