/* A value to a code through a table.
 *
 *     q = -128 + (number of breakpoints <= v)
 *
 * breakpoints  int32 [TG_BREAKPOINTS], never falling
 *
 * Eight halving steps without a branch: before the one of size s, all of the first `reached` breakpoints are <= v, and
 * the answer is below reached + 2s.
 */
#ifndef TG_DSP_TABLE_H
#define TG_DSP_TABLE_H

#include <stdint.h>

enum { TG_BREAKPOINTS = 255 };

static inline int8_t tg_table_code(const int32_t *breakpoints, int32_t v)
{
    int32_t reached = 0;
    for (int32_t step = 128; step > 0; step >>= 1) {
        reached += breakpoints[reached + step - 1] <= v ? step : 0;
    }
    return (int8_t)(reached - 128);
}

#endif
