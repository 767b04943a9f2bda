/* What stays of an output when the next window begins one hop later: its end becomes its start.
 *
 *     y[i] = y[i + by]        for i < count, in bytes
 *
 * y  int8 [count + by]
 *
 * Assumes  by >= 0.
 */
#ifndef TG_KERNELS_TAKE_OVER_H
#define TG_KERNELS_TAKE_OVER_H

#include <string.h>

#include "types.h"

/* Blocks go through registers, in ascending order: a block is read before anything is written at or above it. */
TG_INLINE void tg_take_over(int8_t *y, int32_t by, int32_t count)
{
    int32_t i = 0;
    for (; i + 16 <= count; i += 16) {
        int8_t block[16];
        memcpy(block, &y[i + by], sizeof block);
        memcpy(&y[i], block, sizeof block);
    }
    for (; i < count; i++) {
        y[i] = y[i + by];
    }
}

#endif
