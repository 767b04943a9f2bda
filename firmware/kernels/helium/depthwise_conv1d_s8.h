/* The depthwise convolution on Helium: eight channels at a time, over all positions.
 *
 * A product of int8 codes is at most 128 * 127 in magnitude, so two of them add up inside int16. Pairs of taps are
 * added there, and then widened.
 */
#ifndef TG_KERNELS_HELIUM_DEPTHWISE_CONV1D_S8_H
#define TG_KERNELS_HELIUM_DEPTHWISE_CONV1D_S8_H

#include "../shape.h"
#include "vectors_s8.h"

_Static_assert(2 * 128 * 127 <= INT16_MAX, "two products fit int16");

/* Constants of eight channels, the first `count` of which exist. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias; /* four of even and four of odd channels, as widening leaves them */
    const float *multiplier;
    int32_t count;
} tg_channels;

TG_INLINE tg_pairs tg_bias_pairs(tg_channels c)
{
    return (tg_pairs){ tg_load_here_s32(c.bias, 0), tg_load_here_s32(c.bias, 16) };
}

TG_INLINE void tg_depthwise_store_s8(tg_channels c, tg_codes y, tg_pairs acc, int8_t *output)
{
    const int32x4_t even = tg_scaled_here_s32(acc.even, c.multiplier, 0);
    const int32x4_t odd = tg_scaled_here_s32(acc.odd, c.multiplier, 4);
    tg_store_eight(even, odd, y, output, c.count);
}

/* The products of tap k with the codes at x. */
TG_INLINE int16x8_t tg_tap_s8(tg_conv1d s, tg_channels c, const int8_t *x, int32_t k)
{
    const int16x8_t weights = tg_load_codes_s16(&c.weights[k * s.input_channels], c.count);
    return vmulq_s16(tg_load_codes_s16(x, c.count), weights);
}

TG_INLINE tg_pairs tg_taps_in_padding_s8(tg_conv1d s, tg_channels c, tg_pairs acc, int32_t begin, int32_t end)
{
#pragma GCC unroll 1
    for (int32_t k = begin; k < end; k++) {
        const int16x8_t weights = tg_load_codes_s16(&c.weights[k * s.input_channels], c.count);
        acc = tg_add_wide(acc, vmulq_n_s16(weights, (int16_t)s.input_zero_point));
    }
    return acc;
}

/* The output at t, which may reach into the padding. */
TG_INLINE void tg_depthwise_edge_s8(tg_conv1d s, tg_codes y, tg_channels c, const int8_t *x, int32_t t,
                                    int8_t *output)
{
    const int32_t start = t * s.stride - s.pad_left;
    const tg_taps inside = tg_conv1d_taps_inside(s, start);
    tg_pairs acc = tg_taps_in_padding_s8(s, c, tg_bias_pairs(c), 0, inside.begin);
#pragma GCC unroll 1
    for (int32_t k = inside.begin; k < inside.end; k++) {
        acc = tg_add_wide(acc, tg_tap_s8(s, c, &x[(start + k) * s.input_channels], k));
    }
    acc = tg_taps_in_padding_s8(s, c, acc, inside.end, s.kernel);
    tg_depthwise_store_s8(c, y, acc, &output[t * s.input_channels]);
}

/* The same of an output whose taps all lie inside; x and weights point at tap `middle`, so that offsets stay small. */
TG_INLINE int16x8_t tg_tap_here_s8(tg_conv1d s, tg_channels c, const int8_t *x, int32_t k)
{
    const int32_t middle = s.kernel / 2;
    const int8_t *weights = &c.weights[middle * s.input_channels];
    const int32_t offset = (k - middle) * s.input_channels;
    if (c.count < 8) {
        return vmulq_s16(tg_load_codes_s16(&x[offset], c.count), tg_load_codes_s16(&weights[offset], c.count));
    }
    const int16x8_t codes = tg_load_here_s16(x, offset);
    return vmulq_s16(codes, tg_load_here_s16(weights, offset));
}

TG_INLINE void tg_depthwise_inside_s8(tg_conv1d s, tg_codes y, tg_channels c, const int8_t *x, int8_t *output)
{
    tg_pairs acc = tg_bias_pairs(c);
    for (int32_t k = 0; k + 1 < s.kernel; k += 2) {
        const int16x8_t first = tg_tap_here_s8(s, c, x, k);
        acc = tg_add_wide(acc, vaddq_s16(first, tg_tap_here_s8(s, c, x, k + 1)));
    }
    if (s.kernel % 2 != 0) {
        acc = tg_add_wide(acc, tg_tap_here_s8(s, c, x, s.kernel - 1));
    }
    tg_depthwise_store_s8(c, y, acc, output);
}

TG_INLINE void tg_depthwise_channels_s8(tg_conv1d s, tg_codes y, tg_channels c, const int8_t *x,
                                        int8_t *output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    for (int32_t t = begin; t < end; t++) {
        const int8_t *middle = &x[(t * s.stride - s.pad_left + s.kernel / 2) * s.input_channels];
        tg_depthwise_inside_s8(s, y, c, middle, &output[t * s.input_channels]);
    }
    for (int32_t t = tg_conv1d_first_edge(s); t < s.output_length; t = tg_conv1d_next_edge(s, t)) {
        tg_depthwise_edge_s8(s, y, c, x, t, output);
    }
}

/* Constants of up to eight channels, in the order in which widening leaves them. */
TG_INLINE void tg_sort_channels(const int32_t *bias, const float *multiplier, int32_t count, int32_t *sorted_bias,
                                float *sorted_multiplier)
{
    const mve_pred16_t evens = tg_first_words((count + 1) / 2);
    const mve_pred16_t odds = tg_first_words(count / 2);
    const uint32x4_t even = vidupq_n_u32(0, 2);
    const uint32x4_t odd = vidupq_n_u32(1, 2);
    vstrwq_s32(&sorted_bias[0], vldrwq_gather_shifted_offset_z_s32(bias, even, evens));
    vstrwq_s32(&sorted_bias[4], vldrwq_gather_shifted_offset_z_s32(bias, odd, odds));
    vstrwq_f32(&sorted_multiplier[0], vldrwq_gather_shifted_offset_z_f32(multiplier, even, evens));
    vstrwq_f32(&sorted_multiplier[4], vldrwq_gather_shifted_offset_z_f32(multiplier, odd, odds));
}

/* Channels from the `first` on; the pointers are those of channel 0. */
TG_INLINE void tg_depthwise_eight_s8(tg_conv1d s, tg_codes y, const int8_t *x, const int8_t *restrict weights,
                                     const int32_t *restrict bias, const float *restrict multiplier,
                                     int8_t *output, int32_t first, int32_t count)
{
    int32_t sorted_bias[8];
    float sorted_multiplier[8];
    tg_sort_channels(&bias[first], &multiplier[first], count, sorted_bias, sorted_multiplier);
    const tg_channels c = { &weights[first], sorted_bias, sorted_multiplier, count };
    tg_depthwise_channels_s8(s, y, c, &x[first], &output[first]);
}

TG_INLINE void tg_depthwise_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *output)
{
    const int32_t whole = s.input_channels / 8 * 8;
    for (int32_t c = 0; c < whole; c += 8) {
        tg_depthwise_eight_s8(s, y, x, weights, bias, multiplier, output, c, 8);
    }
    if (whole < s.input_channels) {
        tg_depthwise_eight_s8(s, y, x, weights, bias, multiplier, output, whole, s.input_channels - whole);
    }
}

#endif
