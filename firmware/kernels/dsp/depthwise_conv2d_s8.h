/* Depthwise convolution over height and length (kernels/depthwise_conv2d_s8.h) on the DSP extension: where all taps lie
 * inside, rows of taps are added up as in a convolution over length. Outputs that reach into the padding are left to
 * the scalar kernel. */
#ifndef TG_KERNELS_DSP_DEPTHWISE_CONV2D_S8_H
#define TG_KERNELS_DSP_DEPTHWISE_CONV2D_S8_H

#include "kernels/dsp/depthwise.h"

/* One channel at `count` positions of one row; x and weights are those of tap (0, 0). */
TG_INLINE void tg_dsp_depthwise2d_channel(tg_conv2d s, tg_codes y, const int8_t *x, const int8_t *weights, int32_t bias,
                                          float multiplier, int8_t *output, int32_t count)
{
    const tg_conv1d columns = tg_conv2d_columns(s);
    const int32_t together = count < TG_DSP_DEPTHWISE_POSITIONS ? 1 : TG_DSP_DEPTHWISE_POSITIONS;
    for (int32_t left = count; left > 0;) {
        int32_t acc[TG_DSP_DEPTHWISE_POSITIONS] = { bias, bias, bias, bias };
        for (int32_t k = 0; k < s.kernel_height; k++) {
            tg_dsp_depthwise_sums(columns, false, &x[k * s.input_length * s.input_channels],
                                  &weights[k * s.kernel_length * s.input_channels], together, acc);
        }
#pragma GCC unroll 4
        for (int32_t p = 0; p < together; p++) {
            tg_dsp_store(false, output, p * s.input_channels, acc[p], multiplier, y);
        }
        left -= together;
        const int32_t step = (left < together ? left : together) * s.input_channels;
        x += step * s.stride_length;
        output += step;
    }
}

TG_INLINE void tg_depthwise_conv2d_s8(tg_conv2d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    const int32_t begin = tg_conv1d_interior_begin(tg_conv2d_columns(s));
    const int32_t end = tg_conv1d_interior_end(tg_conv2d_columns(s));
    for (int32_t h = 0; h < s.output_height; h++) {
        const bool whole = tg_conv2d_row_is_whole(s, h) && begin < end;
        const int32_t stop = whole ? begin : s.output_length;
        tg_depthwise_conv2d_positions_s8(s, y, x, weights, bias, multiplier, output, h, 0, stop);
        if (!whole) {
            continue;
        }
        const int32_t first = tg_conv2d_window(s, h, begin).origin * s.input_channels;
        int8_t *codes = &output[(h * s.output_length + begin) * s.input_channels];
        for (int32_t c = 0; c < s.input_channels; c++) {
            tg_dsp_depthwise2d_channel(s, y, &x[first + c], &weights[c], bias[c], multiplier[c], &codes[c],
                                       end - begin);
        }
        tg_depthwise_conv2d_positions_s8(s, y, x, weights, bias, multiplier, output, h, end, s.output_length);
    }
}

#endif
