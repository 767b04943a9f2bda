/* The depthwise convolution over height and length on Helium: eight channels at a time, over all positions.
 *
 * Where all taps lie inside, pairs of products are added up in int16 as in depthwise_conv1d_s8.h. Outputs that reach
 * into the padding add up w * (x - z) over the taps inside, to a bias without the zero point, which the padding is:
 *
 *     bias + sum over all of w * x'  =  (bias + z * sum of w) + sum over those inside of w * (x - z)
 *
 * with x' = z in the padding; one such product fits int16.
 */
#ifndef TG_KERNELS_HELIUM_DEPTHWISE_CONV2D_S8_H
#define TG_KERNELS_HELIUM_DEPTHWISE_CONV2D_S8_H

#include "depthwise_conv1d_s8.h"

_Static_assert(255 * 127 <= INT16_MAX, "a product of a code less the zero point fits int16");

/* The bias without the zero point. */
TG_INLINE tg_pairs tg_depthwise2d_bias_s8(tg_conv2d s, tg_channels c)
{
    tg_pairs acc = tg_bias_pairs(c);
#pragma GCC unroll 1
    for (int32_t k = 0; k < s.kernel_height * s.kernel_length; k++) {
        const int16x8_t weights = tg_load_codes_s16(&c.weights[k * s.input_channels], c.count);
        acc = tg_add_wide(acc, vmulq_n_s16(weights, (int16_t)s.input_zero_point));
    }
    return acc;
}

/* The output at (row, column), which may reach into the padding; c holds the bias without the zero point. */
TG_INLINE void tg_depthwise2d_edge_s8(tg_conv2d s, tg_codes y, tg_channels c, const int8_t *x, int32_t row,
                                      int32_t column, int8_t *output)
{
    const tg_window w = tg_conv2d_window(s, row, column);
    const int16x8_t zero = vdupq_n_s16((int16_t)s.input_zero_point);
    tg_pairs acc = tg_bias_pairs(c);
#pragma GCC unroll 1
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
#pragma GCC unroll 1
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            const int8_t *codes = &x[(w.origin + k * s.input_length + j) * s.input_channels];
            const int8_t *weights = &c.weights[(k * s.kernel_length + j) * s.input_channels];
            const int16x8_t shifted = vsubq_s16(tg_load_codes_s16(codes, c.count), zero);
            acc = tg_add_wide(acc, vmulq_s16(shifted, tg_load_codes_s16(weights, c.count)));
        }
    }
    tg_depthwise_store_s8(c, y, acc, &output[(row * s.output_length + column) * s.output_channels]);
}

/* The product of one tap; x points at tap (0, 0). */
TG_INLINE int16x8_t tg_tap2d_s8(tg_conv2d s, tg_channels c, const int8_t *x, int32_t tap)
{
    const int32_t position = tap / s.kernel_length * s.input_length + tap % s.kernel_length;
    const int8_t *codes = &x[position * s.input_channels];
    const int8_t *weights = &c.weights[tap * s.input_channels];
    if (c.count < 8) {
        return vmulq_s16(tg_load_codes_s16(codes, c.count), tg_load_codes_s16(weights, c.count));
    }
    const int16x8_t loaded = tg_load_here_s16(x, position * s.input_channels);
    return vmulq_s16(loaded, tg_load_here_s16(c.weights, tap * s.input_channels));
}

TG_INLINE void tg_depthwise2d_inside_s8(tg_conv2d s, tg_codes y, tg_channels c, const int8_t *x, int8_t *output)
{
    const int32_t taps = s.kernel_height * s.kernel_length;
    tg_pairs acc = tg_bias_pairs(c);
    for (int32_t tap = 0; tap + 1 < taps; tap += 2) {
        const int16x8_t first = tg_tap2d_s8(s, c, x, tap);
        acc = tg_add_wide(acc, vaddq_s16(first, tg_tap2d_s8(s, c, x, tap + 1)));
    }
    if (taps % 2 != 0) {
        acc = tg_add_wide(acc, tg_tap2d_s8(s, c, x, taps - 1));
    }
    tg_depthwise_store_s8(c, y, acc, output);
}

/* All rows; `edge` is c with the bias without the zero point. */
TG_INLINE void tg_depthwise2d_channels_s8(tg_conv2d s, tg_codes y, tg_channels c, tg_channels edge,
                                          const int8_t *restrict x, int8_t *restrict output)
{
    const tg_conv1d columns = tg_conv2d_columns(s);
    for (int32_t h = 0; h < s.output_height; h++) {
        const bool whole = tg_conv2d_row_is_whole(s, h);
        const int32_t begin = whole ? tg_conv1d_interior_begin(columns) : 0;
        const int32_t end = whole ? tg_conv1d_interior_end(columns) : 0;
        const int8_t *first = x + tg_conv2d_window(s, h, begin).origin * s.input_channels;
        for (int32_t t = begin; t < end; t++) {
            tg_depthwise2d_inside_s8(s, y, c, first, &output[(h * s.output_length + t) * s.output_channels]);
            first += s.stride_length * s.input_channels;
        }
#pragma GCC unroll 1
        for (int32_t t = begin > 0 ? 0 : end; t < s.output_length; t = t + 1 == begin ? end : t + 1) {
            tg_depthwise2d_edge_s8(s, y, edge, x, h, t, output);
        }
    }
}

TG_INLINE void tg_depthwise2d_eight_s8(tg_conv2d s, tg_codes y, const int8_t *restrict x,
                                       const int8_t *restrict weights, const int32_t *restrict bias,
                                       const float *restrict multiplier, int8_t *restrict output, int32_t first,
                                       int32_t count)
{
    int32_t sorted_bias[8];
    int32_t edge_bias[8];
    float sorted_multiplier[8];
    tg_sort_channels(&bias[first], &multiplier[first], count, sorted_bias, sorted_multiplier);
    const tg_channels c = { &weights[first], sorted_bias, sorted_multiplier, count };
    const tg_pairs unfolded = tg_depthwise2d_bias_s8(s, c);
    vstrwq_s32(&edge_bias[0], unfolded.even);
    vstrwq_s32(&edge_bias[4], unfolded.odd);
    const tg_channels edge = { &weights[first], edge_bias, sorted_multiplier, count };
    tg_depthwise2d_channels_s8(s, y, c, edge, &x[first], &output[first]);
}

TG_INLINE void tg_depthwise_conv2d_s8(tg_conv2d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output)
{
    const int32_t whole = s.input_channels / 8 * 8;
    for (int32_t c = 0; c < whole; c += 8) {
        tg_depthwise2d_eight_s8(s, y, x, weights, bias, multiplier, output, c, 8);
    }
    if (whole < s.input_channels) {
        tg_depthwise2d_eight_s8(s, y, x, weights, bias, multiplier, output, whole, s.input_channels - whole);
    }
}

#endif
