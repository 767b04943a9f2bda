/* The convolution over height and length as a pointwise one over windows.
 *
 * The taps of one output, with real zero for those in the padding, are copied side by side in the order of the weights.
 * A few such rows lie on the stack; over them the convolution is a pointwise one, whatever its stride and padding are,
 * so that each core's pointwise kernel serves here too. Rows are made for blocks of positions that run on over the
 * ends of output rows; the last block ends with the output, and so may make positions of the block before once more.
 *
 * Grouped convolutions, and windows of which none fits, are left to the scalar kernel.
 */
#ifndef TG_KERNELS_WINDOWS_S8_H
#define TG_KERNELS_WINDOWS_S8_H

#include <string.h>

#include "pointwise_conv1d_s8.h"
#include "shape.h"

enum { TG_WINDOWS_BYTES = 2048, TG_WINDOWS_MOST = 32 };

TG_INLINE int32_t tg_window_bytes(tg_conv2d s)
{
    return s.kernel_height * s.kernel_length * s.input_channels;
}

/* Positions in a block: an even number, as rows are multiplied two at a time, unless only one fits or exists. */
TG_INLINE int32_t tg_windows_at_once(tg_conv2d s)
{
    const int32_t all = s.output_height * s.output_length;
    const int32_t fit = TG_WINDOWS_BYTES / tg_window_bytes(s);
    const int32_t most = fit >= TG_WINDOWS_MOST ? TG_WINDOWS_MOST : fit > 1 ? fit / 2 * 2 : fit;
    return most < all ? most : all;
}

/* Whether any window reaches into the padding. */
TG_INLINE bool tg_conv2d_is_padded(tg_conv2d s)
{
    return s.pad_top > 0 || s.pad_left > 0 ||
           (s.output_height - 1) * s.stride_height + s.kernel_height > s.input_height ||
           (s.output_length - 1) * s.stride_length + s.kernel_length > s.input_length;
}

TG_INLINE void tg_copy_window_s8(tg_conv2d s, const int8_t *x, int32_t position, int8_t *window)
{
    const tg_window w = tg_conv2d_window(s, position / s.output_length, position % s.output_length);
    const int32_t run = s.kernel_length * s.input_channels;
    const int8_t *origin = x + w.origin * s.input_channels;
    if (!tg_conv2d_is_padded(s) || tg_conv2d_is_whole(s, w)) {
        for (int32_t k = 0; k < s.kernel_height; k++) {
            memcpy(&window[k * run], &origin[k * s.input_length * s.input_channels], (size_t)run);
        }
        return;
    }
    memset(window, s.input_zero_point, (size_t)(s.kernel_height * run));
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        const int32_t first = w.columns.begin * s.input_channels;
        const int32_t bytes = (w.columns.end - w.columns.begin) * s.input_channels;
        memcpy(&window[k * run + first], &origin[k * s.input_length * s.input_channels + first], (size_t)bytes);
    }
}

TG_INLINE void tg_conv2d_block_s8(tg_conv2d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                                  const int32_t *restrict bias, const float *restrict multiplier,
                                  int8_t *restrict output, int32_t first)
{
    int8_t windows[TG_WINDOWS_BYTES];
    const int32_t count = tg_windows_at_once(s);
    const int32_t bytes = tg_window_bytes(s);
    for (int32_t i = 0; i < count; i++) {
        tg_copy_window_s8(s, x, first + i, &windows[i * bytes]);
    }
    const tg_conv1d rows = {
        .input_length = count,
        .input_channels = bytes,
        .output_length = count,
        .output_channels = s.output_channels,
        .groups = 1,
        .kernel = 1,
        .stride = 1,
        .input_zero_point = s.input_zero_point,
    };
    tg_pointwise_conv1d_s8(rows, y, windows, weights, bias, multiplier, &output[first * s.output_channels]);
}

TG_INLINE void tg_conv2d_s8(tg_conv2d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                            const int32_t *restrict bias, const float *restrict multiplier, int8_t *restrict output)
{
    const int32_t all = s.output_height * s.output_length;
    const int32_t count = tg_windows_at_once(s);
    if (s.groups > 1 || count == 0) {
        tg_conv2d_s8_scalar(s, y, x, weights, bias, multiplier, output);
        return;
    }
    for (int32_t first = 0; first < all; first += count) {
        tg_conv2d_block_s8(s, y, x, weights, bias, multiplier, output, first + count < all ? first : all - count);
    }
}

#endif
