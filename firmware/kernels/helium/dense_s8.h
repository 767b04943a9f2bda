/* The fully connected layer on Helium: one row. */
#ifndef TG_KERNELS_HELIUM_DENSE_S8_H
#define TG_KERNELS_HELIUM_DENSE_S8_H

#include "../shape.h"
#include "rows_s8.h"

TG_INLINE void tg_dense_s8(tg_dense s, tg_codes y, const int8_t *restrict x, const int8_t *restrict weights,
                           const int32_t *restrict bias, const float *restrict multiplier,
                           int8_t *restrict output)
{
    const tg_rows row = { x, 0, 1, s.inputs, s.outputs };
    tg_rows_s8(row, y, weights, bias, multiplier, output);
}

#endif
