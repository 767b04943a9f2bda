/* One tensor into its place among several side by side, in the codes of the output.
 *
 *     y[r][offset + i] = table[x[r][i] + 128]
 *
 * x       int8 [rows][row]
 * table   int8 [256], the output code of each input code from -128 on
 * output  int8 [rows][output_row], not overlapping x
 *
 * Alignment  none.
 */
#ifndef TG_KERNELS_CONCAT_S8_H
#define TG_KERNELS_CONCAT_S8_H

#include "lookup_s8.h"
#include "shape.h"

TG_INLINE void tg_concat_s8(tg_concat s, const int8_t *restrict x, const int8_t *restrict table,
                            int8_t *restrict output)
{
    for (int32_t r = 0; r < s.rows; r++) {
        tg_lookup_s8((tg_elements){ s.row }, &x[r * s.row], table, &output[r * s.output_row + s.offset]);
    }
}

#endif
