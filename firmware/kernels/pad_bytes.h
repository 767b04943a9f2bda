/* Zeros around a tensor of any type, whose scale is kept.
 *
 *     y = fill above, below, before and after x
 *
 * x       bytes [rows][row_bytes]
 * output  bytes [rows_above + rows + rows_below][bytes_before + row_bytes + bytes_after], not overlapping x
 *
 * Alignment  none.
 * Assumes    every byte of a real zero is `fill`: the zero point of int8, 0 of the other types.
 */
#ifndef TG_KERNELS_PAD_BYTES_H
#define TG_KERNELS_PAD_BYTES_H

#include <string.h>

#include "shape.h"

TG_INLINE void tg_pad_bytes(tg_pad s, const void *restrict x, void *restrict output)
{
    const int32_t output_row = s.bytes_before + s.row_bytes + s.bytes_after;
    int8_t *first = (int8_t *)output + s.rows_above * output_row + s.bytes_before;
    memset(output, s.fill, (size_t)((s.rows_above + s.rows + s.rows_below) * output_row));
    for (int32_t r = 0; r < s.rows; r++) {
        memcpy(&first[r * output_row], (const int8_t *)x + r * s.row_bytes, (size_t)s.row_bytes);
    }
}

#endif
