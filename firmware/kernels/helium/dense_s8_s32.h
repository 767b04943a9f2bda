/* The fully connected layer with its accumulator as output, on Helium. */
#ifndef TG_KERNELS_HELIUM_DENSE_S8_S32_H
#define TG_KERNELS_HELIUM_DENSE_S8_S32_H

#include "../shape.h"
#include "rows_s8.h"

TG_INLINE void tg_dense_s8_s32(tg_dense s, const int8_t *restrict x, const int8_t *restrict weights,
                              const int32_t *restrict bias, tg_s32 *restrict output)
{
    for (int32_t o = 0; o < s.outputs; o++) {
        output[o] = bias[o] + tg_row_dot_s8(x, weights, o * s.inputs, s.inputs);
    }
}

#endif
