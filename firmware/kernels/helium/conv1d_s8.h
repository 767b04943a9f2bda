/* The convolution on Helium. Without groups the taps of an interior output are one row of codes (rows_s8.h).
 * Outputs that reach into the padding, and all outputs of a grouped convolution, are summed one by one: over the
 * taps inside, and over those in the padding as input_zero_point * sum(weights). Both runs of weights are
 * contiguous, so no inner loop has to ask where it is.
 */
#ifndef TG_KERNELS_HELIUM_CONV1D_S8_H
#define TG_KERNELS_HELIUM_CONV1D_S8_H

#include "../shape.h"
#include "rows_s8.h"

/* A product of any length, which need not be a constant. */
TG_INLINE int32_t tg_run_dot_s8(int32_t acc, const int8_t *x, const int8_t *weights, int32_t length)
{
    for (int32_t i = 0; i < length; i += 16) {
        const mve_pred16_t left = tg_first_bytes(length - i);
        acc = vmladavaq_s8(acc, vldrbq_z_s8(&x[i], left), vldrbq_z_s8(&weights[i], left));
    }
    return acc;
}

TG_INLINE int32_t tg_run_sum_s8(const int8_t *weights, int32_t length)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < length; i += 16) {
        sum = vaddvaq_s8(sum, vldrbq_z_s8(&weights[i], tg_first_bytes(length - i)));
    }
    return sum;
}

/* One output, without its bias; x points at the first channel of its group. */
TG_INLINE int32_t tg_conv1d_any_dot_s8(tg_conv1d s, const int8_t *x, const int8_t *weights, int32_t start)
{
    const int32_t in = s.input_channels / s.groups;
    const tg_taps inside = tg_conv1d_taps_inside(s, start);
    const int32_t left = tg_run_sum_s8(weights, inside.begin * in);
    const int32_t right = tg_run_sum_s8(&weights[inside.end * in], (s.kernel - inside.end) * in);
    int32_t acc = s.input_zero_point * (left + right);
    const int32_t runs = s.groups == 1 ? 1 : inside.end - inside.begin;
    const int32_t length = (inside.end - inside.begin) / (runs > 0 ? runs : 1) * in;
    for (int32_t k = inside.begin; k < inside.begin + runs; k++) {
        acc = tg_run_dot_s8(acc, &x[(start + k) * s.input_channels], &weights[k * in], length);
    }
    return acc;
}

/* Four outputs, of which the first `count` exist, at a position whose tap 0 lies at `start`. */
TG_INLINE int32x4_t tg_conv1d_any_dots_s8(tg_conv1d s, const int8_t *x, const int8_t *weights, int32_t start,
                                          int32_t o, int32_t count)
{
    const int32_t in = s.input_channels / s.groups;
    const int32_t out = s.output_channels / s.groups;
    int32_t acc[4] = { 0 };
#pragma GCC unroll 1
    for (int32_t j = 0; j < count; j++) {
        const int8_t *group = &x[(o + j) / out * in];
        acc[j] = tg_conv1d_any_dot_s8(s, group, &weights[(o + j) * s.kernel * in], start);
    }
    return tg_odd_lanes_s32(tg_even_lanes_s32(acc[0], acc[2]), acc[1], acc[3]);
}

/* The outputs at t, wherever their taps lie. */
TG_INLINE void tg_conv1d_any_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                                const int32_t *restrict bias, const float *restrict multiplier,
                                int8_t *restrict output, int32_t t)
{
    const int32_t start = t * s.stride - s.pad_left;
    for (int32_t o = 0; o < s.output_channels; o += 4) {
        const int32_t count = s.output_channels - o < 4 ? s.output_channels - o : 4;
        const mve_pred16_t lanes = tg_first_words(count);
        const int32x4_t dots = tg_conv1d_any_dots_s8(s, x, weights, start, o, count);
        const int32x4_t acc = vaddq_s32(dots, vldrwq_z_s32(&bias[o], lanes));
        const float32x4_t factors = vldrwq_z_f32(&multiplier[o], lanes);
        int8_t *codes = &output[t * s.output_channels + o];
        tg_store_four(tg_scaled_s32(acc, factors), y, &codes, 0, count);
    }
}

TG_INLINE void tg_conv1d_interior_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                                     const int32_t *restrict bias, const float *restrict multiplier,
                                     int8_t *restrict output)
{
    const int32_t begin = tg_conv1d_interior_begin(s);
    const tg_rows rows = {
        .x = &x[(begin * s.stride - s.pad_left) * s.input_channels],
        .step = s.stride * s.input_channels,
        .count = tg_conv1d_interior_end(s) - begin,
        .length = s.kernel * s.input_channels,
        .outputs = s.output_channels,
    };
    tg_rows_s8(rows, y, weights, bias, multiplier, &output[begin * s.output_channels]);
}

TG_INLINE void tg_conv1d_s8(tg_conv1d s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                            const int32_t *restrict bias, const float *restrict multiplier,
                            int8_t *restrict output)
{
    if (s.groups > 1) {
        for (int32_t t = 0; t < s.output_length; t++) {
            tg_conv1d_any_s8(s, y, x, weights, bias, multiplier, output, t);
        }
        return;
    }
    if (tg_conv1d_interior_begin(s) < tg_conv1d_interior_end(s)) {
        tg_conv1d_interior_s8(s, y, x, weights, bias, multiplier, output);
    }
    for (int32_t t = tg_conv1d_first_edge(s); t < s.output_length; t = tg_conv1d_next_edge(s, t)) {
        tg_conv1d_any_s8(s, y, x, weights, bias, multiplier, output, t);
    }
}

#endif
