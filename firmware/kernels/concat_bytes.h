/* One tensor into its place among several side by side, of any type: its scale is the output's.
 *
 *     y[r][offset + i] = x[r][i]
 *
 * x       bytes [rows][row]
 * output  bytes [rows][output_row], not overlapping x
 *
 * Alignment  none.
 */
#ifndef TG_KERNELS_CONCAT_BYTES_H
#define TG_KERNELS_CONCAT_BYTES_H

#include <string.h>

#include "shape.h"

TG_INLINE void tg_concat_bytes(tg_concat s, const void *restrict x, void *restrict output)
{
    for (int32_t r = 0; r < s.rows; r++) {
        memcpy((int8_t *)output + r * s.output_row + s.offset, (const int8_t *)x + r * s.row, (size_t)s.row);
    }
}

#endif
