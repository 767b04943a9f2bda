/* Convolution over length, ordinary or grouped.
 *
 *     acc[t][o] = bias[o] + sum over k, i of w[o][k][i] * x[t * stride - pad_left + k][g(o) * in + i]
 *     y[t][o]   = requantize(acc[t][o], multiplier[o])
 *
 * with in = input_channels / groups and g(o) = o / (output_channels / groups).
 *
 * x           int8  [input_length][input_channels]
 * weights     int8  [output_channels][kernel][in], the order of the inner loop
 * bias        int32 [output_channels], zero point folded in (shape.h)
 * multiplier  float [output_channels]
 * output      int8  [output_length][output_channels], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups divides both channel counts; |bias| + 128 * sum|w| < 2^31 for each output channel, which the
 *             generator proves; every output position has at least one tap inside the padded input.
 * Guarantees  reads no element outside x; with compile-time shapes every loop bound is a constant.
 */
#ifndef TG_KERNELS_CONV1D_S8_H
#define TG_KERNELS_CONV1D_S8_H

#include <stdbool.h>

#include "requantize.h"
#include "shape.h"

/* One output; `edge` says that taps may fall into the padding. `start` is the input position of tap 0. */
TG_INLINE int32_t tg_conv1d_dot_s8(tg_conv1d s, const int8_t *x, const int8_t *weights, int32_t start,
                                   int32_t first_channel, bool edge)
{
    const int32_t in = s.input_channels / s.groups;
    int32_t acc = 0;
    for (int32_t k = 0; k < s.kernel; k++) {
        const int32_t position = start + k;
        const bool padding = edge && (position < 0 || position >= s.input_length);
        for (int32_t i = 0; i < in; i++) {
            const int32_t code =
                padding ? s.input_zero_point : x[position * s.input_channels + first_channel + i];
            acc += weights[k * in + i] * code;
        }
    }
    return acc;
}

TG_INLINE void tg_conv1d_positions_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x,
                                      const int8_t *restrict weights, const int32_t *restrict bias,
                                      const float *restrict multiplier, int8_t *restrict output, int32_t begin,
                                      int32_t end, bool edge)
{
    const int32_t in = s.input_channels / s.groups;
    const int32_t out = s.output_channels / s.groups;
    for (int32_t t = begin; t < end; t++) {
        const int32_t start = t * s.stride - s.pad_left;
        for (int32_t o = 0; o < s.output_channels; o++) {
            const int32_t dot =
                tg_conv1d_dot_s8(s, x, &weights[o * s.kernel * in], start, o / out * in, edge);
            output[t * s.output_channels + o] = tg_requantize_s8(bias[o] + dot, multiplier[o], y);
        }
    }
}

TG_INLINE void tg_conv1d_s8_scalar(tg_conv1d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                                   const int32_t *restrict bias, const float *restrict multiplier,
                                   int8_t *restrict output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    tg_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, 0, begin, true);
    tg_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, begin, end, false);
    tg_conv1d_positions_s8(s, y, x, weights, bias, multiplier, output, end, s.output_length, true);
}

/* The fastest way on this core, with the same results. */
#if TG_HAS_HELIUM
#include "helium/conv1d_s8.h"
#elif defined(__ARM_FEATURE_DSP)
#include "dsp/conv1d_s8.h"
#else
TG_INLINE void tg_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                            const int32_t *restrict bias, const float *restrict multiplier, int8_t *restrict output)
{
    tg_conv1d_s8_scalar(s, y, x, weights, bias, multiplier, output);
}
#endif

#endif
