/* Products of rows with the weights of every output channel: what a dense layer, a pointwise convolution and the
 * interior of an ordinary convolution have in common, because the taps of one output lie side by side in
 * [length][channels].
 *
 *     y[t][o] = requantize(bias[o] + sum over i < length of w[o][i] * x[t * step + i], multiplier[o])
 *
 * Four outputs at a time, over all rows: their weights stay in registers while a row is one chunk. Longer rows are
 * taken in pairs, so that a chunk of weights is loaded once for two rows.
 */
#ifndef TG_KERNELS_HELIUM_ROWS_S8_H
#define TG_KERNELS_HELIUM_ROWS_S8_H

#include <stdbool.h>

#include "vectors_s8.h"

typedef struct {
    const int8_t *x;
    int32_t step;  /* from one row to the next */
    int32_t count; /* of rows */
    int32_t length;
    int32_t outputs;
} tg_rows;

/* Constants of four outputs, the first `count` of which exist. The others read the weights of one that does, and
 * are not stored. */
typedef struct {
    const int8_t *weights;
    const int32_t *bias;
    const float *multiplier;
    int32_t row[4];
    int32_t count;
} tg_four;

TG_INLINE tg_four tg_four_at(const int8_t *weights, const int32_t *bias, const float *multiplier, int32_t count)
{
    const int32_t row[4] = { 0, count > 1 ? 1 : 0, count > 2 ? 2 : 0, count > 3 ? 3 : 0 };
    return (tg_four){ weights, bias, multiplier, { row[0], row[1], row[2], row[3] }, count };
}

TG_INLINE int32x4_t tg_four_s32(const int32_t *values, int32_t count, bool here)
{
    if (count < 4) {
        return vldrwq_z_s32(values, tg_first_words(count));
    }
    return here ? tg_load_here_s32(values, 0) : vldrwq_s32(values);
}

TG_INLINE float32x4_t tg_four_f32(const float *values, int32_t count, bool here)
{
    if (count < 4) {
        return vldrwq_z_f32(values, tg_first_words(count));
    }
    return here ? vreinterpretq_f32_s32(tg_load_here_s32(values, 0)) : vldrwq_f32(values);
}

TG_INLINE int32_t tg_row_dot_s8(const int8_t *x, const int8_t *weights, int32_t row, int32_t length)
{
    int32_t acc = vmladavq_s8(tg_x_chunk_s8(x, length, 0, false), tg_weight_chunk_s8(weights, row, length, 0, false));
    for (int32_t k = 1; k < tg_chunks(length); k++) {
        const int8x16_t codes = tg_x_chunk_s8(x, length, k, false);
        acc = vmladavaq_s8(acc, codes, tg_weight_chunk_s8(weights, row, length, k, false));
    }
    return acc;
}

/* rint(float32(acc) * multiplier) of one row of any length. */
TG_INLINE int32x4_t tg_row_s8(tg_rows r, tg_four w, const int8_t *x)
{
    int32_t acc[4];
#pragma GCC unroll 4 /* at any level of optimisation: arrays of vectors are to be registers */
    for (int32_t j = 0; j < 4; j++) {
        acc[j] = tg_row_dot_s8(x, w.weights, w.row[j] * r.length, r.length);
    }
    const int32x4_t sums = tg_odd_lanes_s32(tg_even_lanes_s32(acc[0], acc[2]), acc[1], acc[3]);
    const int32x4_t bias = tg_four_s32(w.bias, w.count, false);
    return tg_scaled_s32(vaddq_s32(sums, bias), tg_four_f32(w.multiplier, w.count, false));
}

/* Constants of four outputs of one chunk, which stay in registers over all rows. */
typedef struct {
    int8x16_t weights[4];
    int32x4_t bias;
    float32x4_t multiplier;
} tg_four_held;

TG_INLINE int32x4_t tg_short_row_s8(tg_rows r, tg_four_held w, const int8_t **next)
{
    const int8x16_t codes =
        r.length == 16 ? tg_load_next_s8(next, r.step) : tg_x_chunk_s8(*next, r.length, 0, false);
    int32_t acc[4];
#pragma GCC unroll 4
    for (int32_t j = 0; j < 4; j++) {
        acc[j] = vmladavq_s8(codes, w.weights[j]);
    }
    *next += r.length == 16 ? 0 : r.step;
    const int32x4_t sums = tg_odd_lanes_s32(tg_even_lanes_s32(acc[0], acc[2]), acc[1], acc[3]);
    return tg_scaled_s32(vaddq_s32(sums, w.bias), w.multiplier);
}

TG_INLINE void tg_short_rows_s8(tg_rows r, tg_codes y, tg_four w, int8_t *output)
{
    tg_four_held held = { .bias = tg_four_s32(w.bias, w.count, false),
                          .multiplier = tg_four_f32(w.multiplier, w.count, false) };
#pragma GCC unroll 4
    for (int32_t j = 0; j < 4; j++) {
        held.weights[j] = tg_weight_chunk_s8(w.weights, w.row[j] * r.length, r.length, 0, false);
    }
    const int8_t *x = r.x;
    for (int32_t t = 0; t + 1 < r.count; t += 2) {
        const int16x8_t first = tg_narrow_s32(tg_short_row_s8(r, held, &x));
        tg_store_two_rows(first, tg_short_row_s8(r, held, &x), y, &output, r.outputs, w.count);
    }
    if (r.count % 2 != 0) {
        tg_store_four(tg_short_row_s8(r, held, &x), y, &output, 0, w.count);
    }
}

enum { TG_CHUNKS_UNROLLED = 6 };

/* Sums of outputs i and j for each of two rows. */
typedef struct {
    int32_t i[2];
    int32_t j[2];
} tg_two_by_two;

/* Chunk k of two rows, added to their sums. */
TG_INLINE tg_two_by_two tg_add_chunk_s8(tg_two_by_two acc, tg_rows r, tg_four w, const int8x16_t codes[2], int32_t i,
                                        int32_t j, int32_t k)
{
    const int8x16_t wi = tg_weight_chunk_s8(w.weights, w.row[i] * r.length, r.length, k, true);
    acc.i[0] = k == 0 ? vmladavq_s8(codes[0], wi) : vmladavaq_s8(acc.i[0], codes[0], wi);
    acc.i[1] = k == 0 ? vmladavq_s8(codes[1], wi) : vmladavaq_s8(acc.i[1], codes[1], wi);
    const int8x16_t wj = tg_weight_chunk_s8(w.weights, w.row[j] * r.length, r.length, k, true);
    acc.j[0] = k == 0 ? vmladavq_s8(codes[0], wj) : vmladavaq_s8(acc.j[0], codes[0], wj);
    acc.j[1] = k == 0 ? vmladavq_s8(codes[1], wj) : vmladavaq_s8(acc.j[1], codes[1], wj);
    return acc;
}

TG_INLINE void tg_row_pair_s8(tg_rows r, tg_codes y, tg_four w, const int8_t *x, int8_t **next)
{
    const int32_t chunks = tg_chunks(r.length);
    int8x16_t held[2][2]; /* of rows of two chunks; longer ones are loaded twice */
    tg_two_by_two even;
    tg_two_by_two odd;
    for (int32_t k = 0; k < chunks; k++) {
        const int8x16_t codes[2] = { tg_x_chunk_s8(x, r.length, k, true),
                                     tg_x_chunk_s8(&x[r.step], r.length, k, true) };
        even = tg_add_chunk_s8(even, r, w, codes, 0, 2, k);
        held[k % 2][0] = codes[0];
        held[k % 2][1] = codes[1];
    }
    int32x4_t first = tg_even_lanes_s32(even.i[0], even.j[0]);
    int32x4_t second = tg_even_lanes_s32(even.i[1], even.j[1]);
    for (int32_t k = 0; k < chunks; k++) {
        if (chunks > 2) {
            held[k % 2][0] = tg_x_chunk_s8(x, r.length, k, true);
            held[k % 2][1] = tg_x_chunk_s8(&x[r.step], r.length, k, true);
        }
        odd = tg_add_chunk_s8(odd, r, w, held[k % 2], 1, 3, k);
    }
    const int32x4_t bias = tg_four_s32(w.bias, w.count, true);
    first = vaddq_s32(tg_odd_lanes_s32(first, odd.i[0], odd.j[0]), bias);
    second = vaddq_s32(tg_odd_lanes_s32(second, odd.i[1], odd.j[1]), bias);
    const float32x4_t multiplier = tg_four_f32(w.multiplier, w.count, true);
    const int16x8_t narrow = tg_narrow_s32(tg_scaled_s32(first, multiplier));
    tg_store_two_rows(narrow, tg_scaled_s32(second, multiplier), y, next, r.outputs, w.count);
}

/* The sums of outputs i and j for two rows of many chunks, in a loop: what is not unrolled keeps its place in memory by
 * moving on as it loads. */
TG_INLINE tg_two_by_two tg_many_chunks_s8(tg_rows r, tg_four w, const int8_t *x, int32_t i, int32_t j)
{
    const int8_t *first = x;
    const int8_t *second = &x[r.step];
    const int8_t *weights_i = &w.weights[w.row[i] * r.length];
    const int8_t *weights_j = &w.weights[w.row[j] * r.length];
    tg_two_by_two acc = { { 0, 0 }, { 0, 0 } };
#pragma GCC unroll 1
    for (int32_t k = 0; k < r.length / 16; k++) {
        const int8x16_t codes[2] = { tg_load_next_s8(&first, 16), tg_load_next_s8(&second, 16) };
        const int8x16_t wi = tg_load_next_s8(&weights_i, 16);
        acc.i[0] = vmladavaq_s8(acc.i[0], codes[0], wi);
        acc.i[1] = vmladavaq_s8(acc.i[1], codes[1], wi);
        const int8x16_t wj = tg_load_next_s8(&weights_j, 16);
        acc.j[0] = vmladavaq_s8(acc.j[0], codes[0], wj);
        acc.j[1] = vmladavaq_s8(acc.j[1], codes[1], wj);
    }
    if (r.length % 16 != 0) {
        const mve_pred16_t left = tg_first_bytes(r.length % 16);
        const int8x16_t codes[2] = { vldrbq_z_s8(first, left), vldrbq_z_s8(second, left) };
        const int8x16_t wi = vldrbq_z_s8(weights_i, left);
        const int8x16_t wj = vldrbq_z_s8(weights_j, left);
        acc.i[0] = vmladavaq_s8(acc.i[0], codes[0], wi);
        acc.i[1] = vmladavaq_s8(acc.i[1], codes[1], wi);
        acc.j[0] = vmladavaq_s8(acc.j[0], codes[0], wj);
        acc.j[1] = vmladavaq_s8(acc.j[1], codes[1], wj);
    }
    return acc;
}

TG_INLINE void tg_many_chunks_pair_s8(tg_rows r, tg_codes y, tg_four w, const int8_t *x, int8_t **next)
{
    const tg_two_by_two even = tg_many_chunks_s8(r, w, x, 0, 2);
    int32x4_t first = tg_even_lanes_s32(even.i[0], even.j[0]);
    int32x4_t second = tg_even_lanes_s32(even.i[1], even.j[1]);
    const tg_two_by_two odd = tg_many_chunks_s8(r, w, x, 1, 3);
    const int32x4_t bias = tg_four_s32(w.bias, w.count, true);
    first = vaddq_s32(tg_odd_lanes_s32(first, odd.i[0], odd.j[0]), bias);
    second = vaddq_s32(tg_odd_lanes_s32(second, odd.i[1], odd.j[1]), bias);
    const float32x4_t multiplier = tg_four_f32(w.multiplier, w.count, true);
    const int16x8_t narrow = tg_narrow_s32(tg_scaled_s32(first, multiplier));
    tg_store_two_rows(narrow, tg_scaled_s32(second, multiplier), y, next, r.outputs, w.count);
}

TG_INLINE void tg_long_rows_s8(tg_rows r, tg_codes y, tg_four w, int8_t *output)
{
    const int8_t *x = r.x;
    for (int32_t t = 0; t + 1 < r.count; t += 2) {
        if (tg_chunks(r.length) > TG_CHUNKS_UNROLLED) {
            tg_many_chunks_pair_s8(r, y, w, x, &output);
        } else {
            tg_row_pair_s8(r, y, w, x, &output);
        }
        x += 2 * r.step;
    }
    if (r.count % 2 != 0) {
        tg_store_four(tg_row_s8(r, w, x), y, &output, 0, w.count);
    }
}

TG_INLINE void tg_rows_four_s8(tg_rows r, tg_codes y, tg_four w, int8_t *output)
{
    if (r.length <= 16) {
        tg_short_rows_s8(r, y, w, output);
    } else {
        tg_long_rows_s8(r, y, w, output);
    }
}

TG_INLINE void tg_rows_s8(tg_rows r, tg_codes y, const int8_t *restrict weights, const int32_t *restrict bias,
                          const float *restrict multiplier, int8_t *restrict output)
{
    const int32_t whole = r.outputs / 4 * 4;
    for (int32_t o = 0; o < whole; o += 4) {
        const tg_four w = tg_four_at(&weights[o * r.length], &bias[o], &multiplier[o], 4);
        tg_rows_four_s8(r, y, w, &output[o]);
    }
    if (whole < r.outputs) {
        const int32_t count = r.outputs - whole;
        const tg_four w = tg_four_at(&weights[whole * r.length], &bias[whole], &multiplier[whole], count);
        tg_rows_four_s8(r, y, w, &output[whole]);
    }
}

#endif
