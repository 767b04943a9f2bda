/* Convolution without padding, on the DSP extension.
 *
 * An output is the product of a window of x and the weights of its channel, both `rows` rows of `bytes` bytes. A tile is
 * the windows of a few positions: they are split into pairs of int16 once (lanes.h), and then every output channel
 * multiplies the whole tile by weights that it splits once. Per four bytes of a window and 8 positions that is 3
 * instructions for the weights, 8 loads of x and 16 dual multiply-accumulates: 0.84 instructions per product.
 *
 * A window too long for a tile, or alone, is multiplied by several output channels at a time instead, 1.44 instructions
 * per product. What is missing from the last word of a row counts as 0. Nothing outside x or the weights is read. A last
 * tile or group of channels that would go past the end starts earlier and computes some outputs once more.
 */
#ifndef TG_KERNELS_DSP_TILE_S8_H
#define TG_KERNELS_DSP_TILE_S8_H

#include "kernels/dsp/lanes.h"
#include "kernels/dsp/requantize.h"

enum {
    TG_DSP_POSITIONS = 8,    /* of a tile, at most: their accumulators stay in registers */
    TG_DSP_TILE_WORDS = 128, /* of 8 bytes, on the stack */
    TG_DSP_OUTPUTS = 4,      /* channels at a time for one window */
};

/* Windows at consecutive positions, and their outputs. */
typedef struct {
    int32_t rows;
    int32_t bytes;   /* of one row */
    int32_t pitch;   /* bytes from row to row of x */
    int32_t advance; /* bytes from position to position in x */
    int32_t outputs;
    int32_t channels; /* bytes from position to position in the output */
} tg_dsp_windows;

/* How many positions make a tile, for `count` of them in all; 1 says that there are to be no tiles. */
TG_INLINE int32_t tg_dsp_positions(tg_dsp_windows s, int32_t count)
{
    const int32_t words = s.rows * ((s.bytes + 3) / 4);
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

/* The same `count` bytes, at most 4, of every window. */
TG_INLINE void tg_dsp_split_word(tg_dsp_windows s, const int8_t *x, int32_t count, int32_t positions, int64_t *split)
{
    for (int32_t p = 0; p < positions; p++) {
        split[p] = tg_dsp_split(tg_dsp_load(&x[p * s.advance], count));
    }
}

TG_INLINE void tg_dsp_split_tile(tg_dsp_windows s, const int8_t *x, int32_t positions, int64_t *split)
{
    const int32_t whole = s.bytes / 4 * 4;
    for (int32_t r = 0; r < s.rows; r++, x += s.pitch) {
        for (int32_t i = 0; i < whole; i += 4, split += positions) {
            tg_dsp_split_word(s, &x[i], 4, positions, split);
        }
        if (whole < s.bytes) {
            tg_dsp_split_word(s, &x[whole], s.bytes - whole, positions, split);
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
    const int32_t whole = s.bytes / 4 * 4;
    for (int32_t r = 0; r < s.rows; r++, weights += s.bytes) {
        for (int32_t i = 0; i < whole; i += 4, split += positions) {
            tg_dsp_multiply_word(split, &weights[i], 4, positions, acc);
        }
        if (whole < s.bytes) {
            tg_dsp_multiply_word(split, &weights[whole], s.bytes - whole, positions, acc);
            split += positions;
        }
    }
}

/* All outputs of `positions` positions. */
TG_INLINE void tg_dsp_tile_s8(tg_dsp_windows s, tg_codes y, const int8_t *x, const int8_t *weights, const int32_t *bias,
                              const float *multiplier, int8_t *output, int32_t positions)
{
    int64_t split[TG_DSP_TILE_WORDS];
    tg_dsp_split_tile(s, x, positions, split);
    for (int32_t o = 0; o < s.outputs; o++) {
        int32_t acc[TG_DSP_POSITIONS];
#pragma GCC unroll 8
        for (int32_t p = 0; p < positions; p++) {
            acc[p] = bias[o];
        }
        tg_dsp_multiply_tile(s, split, &weights[o * s.rows * s.bytes], positions, acc);
#pragma GCC unroll 8
        for (int32_t p = 0; p < positions; p++) {
            output[p * s.channels + o] = tg_dsp_requantize_s8(acc[p], multiplier[o], y);
        }
    }
}

/* The product of one word of a window and the weights of every channel. */
TG_INLINE void tg_dsp_window_word(tg_dsp_windows s, const int8_t *x, const int8_t *weights, int32_t count,
                                  int32_t outputs, int32_t *acc)
{
    const int32_t x_word = tg_dsp_load(x, count);
    const int32_t even = tg_dsp_even(x_word);
    const int32_t odd = tg_dsp_odd(x_word);
#pragma GCC unroll 4
    for (int32_t o = 0; o < outputs; o++) {
        const int32_t word = tg_dsp_load(&weights[o * s.rows * s.bytes], count);
        acc[o] = __smlad(even, tg_dsp_even(word), __smlad(odd, tg_dsp_odd(word), acc[o]));
    }
}

/* Accumulators of `outputs` channels for one window. */
TG_INLINE void tg_dsp_window_s8(tg_dsp_windows s, const int8_t *x, const int8_t *weights, const int32_t *bias,
                                int32_t outputs, int32_t *acc)
{
    const int32_t whole = s.bytes / 4 * 4;
#pragma GCC unroll 4
    for (int32_t o = 0; o < outputs; o++) {
        acc[o] = bias[o];
    }
    for (int32_t r = 0; r < s.rows; r++) {
        const int8_t *row = &weights[r * s.bytes];
        for (int32_t i = 0; i < whole; i += 4) {
            tg_dsp_window_word(s, &x[r * s.pitch + i], &row[i], 4, outputs, acc);
        }
        if (whole < s.bytes) {
            tg_dsp_window_word(s, &x[r * s.pitch + whole], &row[whole], s.bytes - whole, outputs, acc);
        }
    }
}

TG_INLINE void tg_dsp_position_s8(tg_dsp_windows s, tg_codes y, const int8_t *x, const int8_t *weights,
                                  const int32_t *bias, const float *multiplier, int8_t *output)
{
    const int32_t together = s.outputs < TG_DSP_OUTPUTS ? 1 : TG_DSP_OUTPUTS;
    for (int32_t next = 0; next < s.outputs; next += together) {
        const int32_t first = tg_dsp_least(next, s.outputs - together);
        int32_t acc[TG_DSP_OUTPUTS];
        tg_dsp_window_s8(s, x, &weights[first * s.rows * s.bytes], &bias[first], together, acc);
#pragma GCC unroll 4
        for (int32_t o = 0; o < together; o++) {
            output[first + o] = tg_dsp_requantize_s8(acc[o], multiplier[first + o], y);
        }
    }
}

/* All outputs of `count` positions. */
TG_INLINE void tg_dsp_convolve_s8(tg_dsp_windows s, tg_codes y, const int8_t *x, const int8_t *weights,
                                  const int32_t *bias, const float *multiplier, int8_t *output, int32_t count)
{
    const int32_t positions = tg_dsp_positions(s, count);
    for (int32_t next = 0; next < count; next += positions) {
        const int32_t t = tg_dsp_least(next, count - positions);
        if (positions == 1) {
            tg_dsp_position_s8(s, y, &x[t * s.advance], weights, bias, multiplier, &output[t * s.channels]);
        } else {
            tg_dsp_tile_s8(s, y, &x[t * s.advance], weights, bias, multiplier, &output[t * s.channels], positions);
        }
    }
}

#endif
