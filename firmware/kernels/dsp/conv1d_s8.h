/* Convolution over length (kernels/conv1d_s8.h) on the DSP extension.
 *
 * Without groups a window is one row: consecutive positions of x lie one after another, as the weights do. Positions
 * whose windows reach into the padding are left to the scalar kernel.
 */
#ifndef TG_KERNELS_DSP_CONV1D_S8_H
#define TG_KERNELS_DSP_CONV1D_S8_H

#include "kernels/dsp/tile_s8.h"
#include "kernels/shape.h"

TG_INLINE tg_dsp_windows tg_dsp_conv1d_windows(tg_conv1d s)
{
    const int32_t in = s.input_channels / s.groups;
    return (tg_dsp_windows){
        .rows = s.groups == 1 ? 1 : s.kernel,
        .bytes = s.groups == 1 ? s.kernel * in : in,
        .pitch = s.input_channels,
        .advance = s.stride * s.input_channels,
        .outputs = s.output_channels / s.groups,
        .channels = s.output_channels,
    };
}

TG_INLINE void tg_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                            const int32_t *restrict bias, const float *restrict multiplier,
                            int8_t *restrict output)
{
    const tg_dsp_windows windows = tg_dsp_conv1d_windows(s);
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    const int8_t *interior = &x[(begin * s.stride - s.pad_left) * s.input_channels];
    tg_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, 0, begin, true);
    for (int32_t g = 0; g < s.groups; g++) {
        const int32_t o = g * windows.outputs;
        tg_dsp_convolve_s8(windows, y, &interior[g * (s.input_channels / s.groups)],
                           &weights[o * windows.rows * windows.bytes], &bias[o], &multiplier[o],
                           &output[begin * s.output_channels + o], end - begin);
    }
    tg_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, end, s.output_length, true);
}

#endif
