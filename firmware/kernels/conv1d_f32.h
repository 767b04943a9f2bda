/* Convolution over length, ordinary or grouped, in float32.
 *
 *     acc[t][o] = bias[o] + w[o][0][0] * x[t * stride - pad_left][g(o) * in] + ...
 *     y[t][o]   = clip(acc[t][o], y.min, y.max)
 *
 * with in = input_channels / groups and g(o) = o / (output_channels / groups). The sum starts at the bias and adds
 * one product after another, ordered by tap and within it by input channel; every product and every sum is rounded.
 * A tap in the padding multiplies +0.
 *
 * x        float [input_length][input_channels]
 * weights  float [output_channels][kernel][in], the order of the inner loop
 * bias     float [output_channels]
 * output   float [output_length][output_channels], not overlapping x
 *
 * Alignment   none beyond that of the element types.
 * Assumes     groups divides both channel counts; finite constants; compiled with -ffp-contract=off and without
 *             -ffast-math; the default rounding mode.
 * Guarantees  reads no element outside x; with compile-time shapes every loop bound is a constant.
 */
#ifndef TG_KERNELS_CONV1D_F32_H
#define TG_KERNELS_CONV1D_F32_H

#include <stdbool.h>

#include "float32.h"
#include "shape.h"

/* One output; `edge` says that taps may fall into the padding. `start` is the input position of tap 0. */
TG_INLINE float tg_conv1d_sum_f32(tg_conv1d s, const tg_f32 *x, const float *weights, float bias, int32_t start,
                                  int32_t first_channel, bool edge)
{
    const int32_t in = s.input_channels / s.groups;
    float acc = bias;
    for (int32_t k = 0; k < s.kernel; k++) {
        const int32_t position = start + k;
        const bool padding = edge && (position < 0 || position >= s.input_length);
        for (int32_t i = 0; i < in; i++) {
            const float value = padding ? 0.0f : x[position * s.input_channels + first_channel + i];
            tg_scalar();
            acc += weights[k * in + i] * value;
        }
    }
    return acc;
}

TG_INLINE void tg_conv1d_positions_f32(tg_conv1d s, tg_range y, const tg_f32 *restrict x,
                                       const float *restrict weights, const float *restrict bias,
                                       tg_f32 *restrict output, int32_t begin, int32_t end, bool edge)
{
    const int32_t in = s.input_channels / s.groups;
    const int32_t out = s.output_channels / s.groups;
    for (int32_t t = begin; t < end; t++) {
        const int32_t start = t * s.stride - s.pad_left;
        for (int32_t o = 0; o < s.output_channels; o++) {
            const float sum =
                tg_conv1d_sum_f32(s, x, &weights[o * s.kernel * in], bias[o], start, o / out * in, edge);
            output[t * s.output_channels + o] = tg_clip_f32(sum, y);
        }
    }
}

TG_INLINE void tg_conv1d_f32(tg_conv1d s, tg_range y, const tg_f32 *restrict x, const float *restrict weights,
                             const float *restrict bias, tg_f32 *restrict output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t end = tg_conv1d_interior_end(s);
    tg_conv1d_positions_f32(s, y, x, weights, bias, output, 0, begin, true);
    tg_conv1d_positions_f32(s, y, x, weights, bias, output, begin, end, false);
    tg_conv1d_positions_f32(s, y, x, weights, bias, output, end, s.output_length, true);
}

#endif
