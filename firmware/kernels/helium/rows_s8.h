/* Products of rows with the weights of every output channel: what a dense layer, a pointwise convolution and the
 * interior of an ordinary convolution have in common, because the taps of one output lie side by side in [length][channels].
 *
 *     y[t][o] = requantize(bias[o] + sum over i < length of w[o][i] * x[t * step + i], multiplier[o])
 *
 * Four outputs at a time, over all rows: their weights stay in registers while a row is one chunk. Longer rows are taken
 * in pairs, so that a chunk of weights is loaded once for two rows.
 */
#ifndef TG_KERNELS_HELIUM_ROWS_S8_H
#define TG_KERNELS_HELIUM_ROWS_S8_H

#include "vectors_s8.h"

typedef struct {
    const int8_t *x;
    int32_t step;  /* from one row to the next */
    int32_t count; /* of rows */
    int32_t length;
    int32_t outputs;
} tg_rows;

/* Constants of four outputs, the first `count` of which exist. The others read the weights of one that does, and are not
 * stored. */
typedef struct {
    const int8_t *weights;
    int32_t row[4];
    int32x4_t bias;
    float32x4_t multiplier;
    int32_t count;
} tg_four;

TG_INLINE tg_four tg_four_at(const int8_t *weights, const int32_t *bias, const float *multiplier, int32_t count)
{
    const mve_pred16_t lanes = tg_first_words(count);
    return (tg_four){
        .weights = weights,
        .row = { 0, count > 1 ? 1 : 0, count > 2 ? 2 : 0, count > 3 ? 3 : 0 },
        .bias = count == 4 ? vldrwq_s32(bias) : vldrwq_z_s32(bias, lanes),
        .multiplier = count == 4 ? vldrwq_f32(multiplier) : vldrwq_z_f32(multiplier, lanes),
        .count = count,
    };
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

/* rint(float32(acc) * multiplier) of one row. */
TG_INLINE int32x4_t tg_row_s8(tg_rows r, tg_four w, const int8_t *x)
{
    int32_t acc[4];
    for (int32_t j = 0; j < 4; j++) {
        acc[j] = tg_row_dot_s8(x, w.weights, w.row[j] * r.length, r.length);
    }
    const int32x4_t sums = tg_odd_lanes_s32(tg_even_lanes_s32(acc[0], acc[2]), acc[1], acc[3]);
    return tg_scaled_s32(vaddq_s32(sums, w.bias), w.multiplier);
}

/* Sums of outputs i and j for each of two rows. */
typedef struct {
    int32_t i[2];
    int32_t j[2];
} tg_two_by_two;

TG_INLINE tg_two_by_two tg_row_pair_dots_s8(tg_rows r, tg_four w, const int8_t *x, int32_t i, int32_t j)
{
    const int32_t n = r.length;
    const bool here = tg_chunks(n) > 2; /* else the codes of both rows stay in registers */
    tg_two_by_two acc;
    for (int32_t k = 0; k < tg_chunks(n); k++) {
        const int8x16_t codes[2] = { tg_x_chunk_s8(x, n, k, here), tg_x_chunk_s8(&x[r.step], n, k, here) };
        const int8x16_t wi = tg_weight_chunk_s8(w.weights, w.row[i] * n, n, k, true);
        acc.i[0] = k == 0 ? vmladavq_s8(codes[0], wi) : vmladavaq_s8(acc.i[0], codes[0], wi);
        acc.i[1] = k == 0 ? vmladavq_s8(codes[1], wi) : vmladavaq_s8(acc.i[1], codes[1], wi);
        const int8x16_t wj = tg_weight_chunk_s8(w.weights, w.row[j] * n, n, k, true);
        acc.j[0] = k == 0 ? vmladavq_s8(codes[0], wj) : vmladavaq_s8(acc.j[0], codes[0], wj);
        acc.j[1] = k == 0 ? vmladavq_s8(codes[1], wj) : vmladavaq_s8(acc.j[1], codes[1], wj);
    }
    return acc;
}

TG_INLINE void tg_row_pair_s8(tg_rows r, tg_codes y, tg_four w, const int8_t *x, int8_t *output)
{
    const tg_two_by_two even = tg_row_pair_dots_s8(r, w, x, 0, 2);
    int32x4_t first = tg_even_lanes_s32(even.i[0], even.j[0]);
    int32x4_t second = tg_even_lanes_s32(even.i[1], even.j[1]);
    const tg_two_by_two odd = tg_row_pair_dots_s8(r, w, x, 1, 3);
    first = tg_scaled_s32(vaddq_s32(tg_odd_lanes_s32(first, odd.i[0], odd.j[0]), w.bias), w.multiplier);
    second = tg_scaled_s32(vaddq_s32(tg_odd_lanes_s32(second, odd.i[1], odd.j[1]), w.bias), w.multiplier);
    tg_store_two_rows(tg_narrow_s32(first), second, y, output, r.outputs, w.count);
}

TG_INLINE void tg_rows_four_s8(tg_rows r, tg_codes y, tg_four w, int8_t *restrict output)
{
    const int32_t paired = r.count / 2 * 2;
    for (int32_t t = 0; t < paired; t += 2) {
        const int8_t *x = &r.x[t * r.step];
        if (r.length <= 16) {
            const int16x8_t first = tg_narrow_s32(tg_row_s8(r, w, x));
            tg_store_two_rows(first, tg_row_s8(r, w, &x[r.step]), y, &output[t * r.outputs], r.outputs, w.count);
        } else {
            tg_row_pair_s8(r, y, w, x, &output[t * r.outputs]);
        }
    }
    if (paired < r.count) {
        const int16x8_t last = tg_narrow_s32(tg_row_s8(r, w, &r.x[paired * r.step]));
        const int8x16_t codes = tg_codes_of_s16(last, y);
        tg_store_words(&output[paired * r.outputs], vreinterpretq_s32_s8(codes), w.count);
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
