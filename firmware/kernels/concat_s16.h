/* One tensor into its place among several side by side, in the codes of the output.
 *
 *     y[r][offset + i] = requantize(x[r][i], multiplier)             the multiplier is float32(s_x / s_y)
 *
 * x       int16 [rows][row]
 * output  int16 [rows][output_row], not overlapping x
 *
 * Alignment  none beyond that of the element type.
 */
#ifndef TG_KERNELS_CONCAT_S16_H
#define TG_KERNELS_CONCAT_S16_H

#include "requantize.h"
#include "shape.h"

TG_INLINE void tg_concat_s16(tg_concat s, const tg_s16 *restrict x, float multiplier, tg_s16 *restrict output)
{
    const tg_codes y = { .zero_point = 0, .min = INT16_MIN, .max = INT16_MAX };
    for (int32_t r = 0; r < s.rows; r++) {
        for (int32_t i = 0; i < s.row; i++) {
            output[r * s.output_row + s.offset + i] = tg_requantize_s16(x[r * s.row + i], multiplier, y);
        }
    }
}

#endif
