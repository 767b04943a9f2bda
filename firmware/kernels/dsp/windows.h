/* Convolution without padding, on the DSP extension; x int8 or int16, weights int8.
 *
 * An output is the product of a window of x and the weights of its channel, both `rows` rows of `count` codes. A
 * tile is the windows of a few positions: they are split into pairs of int16 once (lanes.h), and then every output
 * channel multiplies the whole tile by weights that it splits once. Per four codes of a window and 8 positions that
 * is 3 instructions for the weights, 8 loads of x and 16 dual multiply-accumulates: 0.84 instructions per product.
 *
 * A window too long for a tile, or alone, is multiplied by several output channels at a time instead: 1.44
 * instructions per product of int8. What is missing from the last four codes of a row counts as 0. Nothing outside x
 * or the weights is read. A last tile or group of channels that would go past the end starts earlier and computes
 * some outputs again.
 */
#ifndef TG_KERNELS_DSP_WINDOWS_H
#define TG_KERNELS_DSP_WINDOWS_H

#include <stdbool.h>

#include "kernels/dsp/lanes.h"
#include "kernels/dsp/requantize.h"
#include "kernels/shape.h"

enum {
    TG_DSP_POSITIONS = 8,    /* of a tile, at most: their accumulators stay in registers */
    TG_DSP_TILE_WORDS = 128, /* of 8 bytes, on the stack */
    TG_DSP_OUTPUTS = 4,      /* channels at a time for one window */
};

_Static_assert(TG_DSP_POSITIONS == 8 && TG_DSP_OUTPUTS == 4, "the loops over them are unrolled 8 and 4 times");

/* Windows at consecutive positions, and their outputs. Distances are in codes. */
typedef struct {
    bool wide; /* x and the outputs are int16 */
    int32_t rows;
    int32_t count;   /* of codes in a row */
    int32_t pitch;   /* from row to row of x */
    int32_t advance; /* from position to position in x */
    int32_t outputs;
    int32_t channels; /* from position to position in the output */
} tg_dsp_windows;

TG_INLINE int64_t tg_dsp_split(tg_dsp_windows s, const void *x, int32_t index, int32_t count)
{
    const void *codes = tg_dsp_at(s.wide, x, index);
    return s.wide ? tg_dsp_split_s16(codes, count) : tg_dsp_split_s8(codes, count);
}

/* How many positions make a tile, for `count` of them in all; 1 says that there are to be no tiles. */
TG_INLINE int32_t tg_dsp_positions(tg_dsp_windows s, int32_t count)
{
    const int32_t words = s.rows * ((s.count + 3) / 4);
    int32_t positions = TG_DSP_POSITIONS;
#pragma GCC unroll 3
    for (int32_t i = 0; i < 3; i++) {
        positions = positions > count || positions * words > TG_DSP_TILE_WORDS ? positions / 2 : positions;
    }
    return positions;
}

TG_INLINE int32_t tg_dsp_least(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* The same `count` codes, at most 4, of every window. */
TG_INLINE void tg_dsp_split_word(tg_dsp_windows s, const void *x, int32_t index, int32_t count, int32_t positions,
                                 int64_t *split)
{
    for (int32_t p = 0; p < positions; p++) {
        split[p] = tg_dsp_split(s, x, index + p * s.advance, count);
    }
}

TG_INLINE void tg_dsp_split_tile(tg_dsp_windows s, const void *x, int32_t positions, int64_t *split)
{
    const int32_t whole = s.count / 4 * 4;
    for (int32_t r = 0; r < s.rows; r++) {
        for (int32_t i = 0; i < whole; i += 4, split += positions) {
            tg_dsp_split_word(s, x, r * s.pitch + i, 4, positions, split);
        }
        if (whole < s.count) {
            tg_dsp_split_word(s, x, r * s.pitch + whole, s.count - whole, positions, split);
            split += positions;
        }
    }
}

TG_INLINE void tg_dsp_multiply_word(const int64_t *split, const int8_t *weights, int32_t count, int32_t positions,
                                    int32_t *acc)
{
    const int32_t word = tg_dsp_load(weights, count);
    const int32_t even = tg_dsp_even(word);
    const int32_t odd = tg_dsp_odd(word);
#pragma GCC unroll 8
    for (int32_t p = 0; p < positions; p++) {
        acc[p] = tg_dsp_multiply_add(&split[p], even, odd, acc[p]);
    }
}

/* Adds to the accumulator of every position the product of its window and one channel's weights. */
TG_INLINE void tg_dsp_multiply_tile(tg_dsp_windows s, const int64_t *split, const int8_t *weights, int32_t positions,
                                    int32_t *acc)
{
    const int32_t whole = s.count / 4 * 4;
    for (int32_t r = 0; r < s.rows; r++, weights += s.count) {
        for (int32_t i = 0; i < whole; i += 4, split += positions) {
            tg_dsp_multiply_word(split, &weights[i], 4, positions, acc);
        }
        if (whole < s.count) {
            tg_dsp_multiply_word(split, &weights[whole], s.count - whole, positions, acc);
            split += positions;
        }
    }
}

/* All outputs of `positions` positions. */
TG_INLINE void tg_dsp_tile(tg_dsp_windows s, tg_codes y, const void *x, const int8_t *weights, const int32_t *bias,
                           const float *multiplier, void *output, int32_t positions)
{
    int64_t split[TG_DSP_TILE_WORDS];
    tg_dsp_split_tile(s, x, positions, split);
    for (int32_t o = 0; o < s.outputs; o++) {
        int32_t acc[TG_DSP_POSITIONS];
#pragma GCC unroll 8
        for (int32_t p = 0; p < positions; p++) {
            acc[p] = bias[o];
        }
        tg_dsp_multiply_tile(s, split, &weights[o * s.rows * s.count], positions, acc);
#pragma GCC unroll 8
        for (int32_t p = 0; p < positions; p++) {
            tg_dsp_store(s.wide, output, p * s.channels + o, acc[p], multiplier[o], y);
        }
    }
}

/* The product of one word of a window and the weights of every channel. */
TG_INLINE void tg_dsp_window_word(tg_dsp_windows s, const void *x, const int8_t *weights, int32_t count,
                                  int32_t outputs, int32_t *acc)
{
    const int64_t split = tg_dsp_split(s, x, 0, count);
    const int32_t even = (int32_t)split;
    const int32_t odd = (int32_t)(split >> 32);
#pragma GCC unroll 4
    for (int32_t o = 0; o < outputs; o++) {
        const int32_t word = tg_dsp_load(&weights[o * s.rows * s.count], count);
        acc[o] = __smlad(even, tg_dsp_even(word), __smlad(odd, tg_dsp_odd(word), acc[o]));
    }
}

/* Accumulators of `outputs` channels for one window. */
TG_INLINE void tg_dsp_window(tg_dsp_windows s, const void *x, const int8_t *weights, const int32_t *bias,
                             int32_t outputs, int32_t *acc)
{
    const int32_t whole = s.count / 4 * 4;
#pragma GCC unroll 4
    for (int32_t o = 0; o < outputs; o++) {
        acc[o] = bias[o];
    }
    for (int32_t r = 0; r < s.rows; r++) {
        const int8_t *row = &weights[r * s.count];
        for (int32_t i = 0; i < whole; i += 4) {
            tg_dsp_window_word(s, tg_dsp_at(s.wide, x, r * s.pitch + i), &row[i], 4, outputs, acc);
        }
        if (whole < s.count) {
            const void *rest = tg_dsp_at(s.wide, x, r * s.pitch + whole);
            tg_dsp_window_word(s, rest, &row[whole], s.count - whole, outputs, acc);
        }
    }
}

TG_INLINE void tg_dsp_position(tg_dsp_windows s, tg_codes y, const void *x, const int8_t *weights,
                               const int32_t *bias, const float *multiplier, void *output)
{
    const int32_t together = s.outputs < TG_DSP_OUTPUTS ? 1 : TG_DSP_OUTPUTS;
    for (int32_t next = 0; next < s.outputs; next += together) {
        const int32_t first = tg_dsp_least(next, s.outputs - together);
        int32_t acc[TG_DSP_OUTPUTS];
        tg_dsp_window(s, x, &weights[first * s.rows * s.count], &bias[first], together, acc);
#pragma GCC unroll 4
        for (int32_t o = 0; o < together; o++) {
            tg_dsp_store(s.wide, output, first + o, acc[o], multiplier[first + o], y);
        }
    }
}

/* The accumulators of one window as outputs. */
TG_INLINE void tg_dsp_scores(tg_dsp_windows s, const void *x, const int8_t *weights, const int32_t *bias,
                             tg_s32 *output)
{
    for (int32_t o = 0; o < s.outputs; o++) {
        int32_t acc;
        tg_dsp_window(s, x, &weights[o * s.count], &bias[o], 1, &acc);
        output[o] = acc;
    }
}

/* All outputs of `count` positions. */
TG_INLINE void tg_dsp_convolve(tg_dsp_windows s, tg_codes y, const void *x, const int8_t *weights,
                               const int32_t *bias, const float *multiplier, void *output, int32_t count)
{
    const int32_t positions = tg_dsp_positions(s, count);
    for (int32_t next = 0; next < count; next += positions) {
        const int32_t t = tg_dsp_least(next, count - positions);
        const void *windows = tg_dsp_at(s.wide, x, t * s.advance);
        void *outputs = tg_dsp_output_at(s.wide, output, t * s.channels);
        if (positions == 1) {
            tg_dsp_position(s, y, windows, weights, bias, multiplier, outputs);
        } else {
            tg_dsp_tile(s, y, windows, weights, bias, multiplier, outputs, positions);
        }
    }
}

/* The windows of one group of a convolution over length. Without groups each is one row, for consecutive positions
 * of x lie one after another as the weights do. */
TG_INLINE tg_dsp_windows tg_dsp_conv1d_windows(tg_conv1d s, bool wide)
{
    const int32_t in = s.input_channels / s.groups;
    return (tg_dsp_windows){
        .wide = wide,
        .rows = s.groups == 1 ? 1 : s.kernel,
        .count = s.groups == 1 ? s.kernel * in : in,
        .pitch = s.input_channels,
        .advance = s.stride * s.input_channels,
        .outputs = s.output_channels / s.groups,
        .channels = s.output_channels,
    };
}

/* The positions from `begin` to before `end` of a convolution over length, whose windows lie inside x. */
TG_INLINE void tg_dsp_conv1d(tg_conv1d s, bool wide, tg_codes y, const void *x, const int8_t *weights,
                             const int32_t *bias, const float *multiplier, void *output, int32_t begin, int32_t end)
{
    const tg_dsp_windows windows = tg_dsp_conv1d_windows(s, wide);
    for (int32_t g = 0; g < s.groups && begin < end; g++) {
        const int32_t o = g * windows.outputs;
        const int32_t start = (begin * s.stride - s.pad_left) * s.input_channels + g * (s.input_channels / s.groups);
        const int32_t first = begin * s.output_channels + o;
        tg_dsp_convolve(windows, y, tg_dsp_at(wide, x, start), &weights[o * windows.rows * windows.count], &bias[o],
                        &multiplier[o], tg_dsp_output_at(wide, output, first), end - begin);
    }
}

#endif
