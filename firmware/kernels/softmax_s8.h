/* The softmax over the channels of one position, in integers.
 *
 *     e[c] = table[max(x) - x[c]]
 *     y[c] = min(floor((256 e[c] + floor(sum(e) / 2)) / sum(e)) - 128, 127)
 *
 * x       int8   [channels]
 * table   uint32 [256], exponentials of differences of codes, at most 2^23 - 1
 * output  int8   [channels] of scale 1/256 and zero point -128; may be x
 *
 * Alignment  none beyond that of the element types.
 * Assumes    1 <= channels <= 512, so that neither the sum nor a numerator reaches 2^32, which the generator checks.
 */
#ifndef TG_KERNELS_SOFTMAX_S8_H
#define TG_KERNELS_SOFTMAX_S8_H

#include "shape.h"

TG_INLINE void tg_softmax_s8(tg_softmax s, const int8_t *x, const uint32_t *table, int8_t *output)
{
    int32_t largest = x[0];
    for (int32_t c = 1; c < s.channels; c++) {
        largest = x[c] > largest ? x[c] : largest;
    }
    uint32_t sum = 0;
    for (int32_t c = 0; c < s.channels; c++) {
        sum += table[largest - x[c]];
    }
    for (int32_t c = 0; c < s.channels; c++) {
        const uint32_t code = (256 * table[largest - x[c]] + sum / 2) / sum;
        output[c] = (int8_t)((int32_t)(code < 255 ? code : 255) - 128);
    }
}

#endif
