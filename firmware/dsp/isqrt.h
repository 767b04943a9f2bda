/* Integer square root.
 *
 *     r = floor(sqrt(v)), the largest r with r^2 <= v
 *
 * decided bit by bit from the highest. Exact for every v.
 */
#ifndef TG_DSP_ISQRT_H
#define TG_DSP_ISQRT_H

#include <stdint.h>

static inline uint32_t tg_isqrt(uint64_t v)
{
    uint32_t root = 0;
    for (uint32_t bit = UINT32_C(1) << 31; bit != 0; bit >>= 1) {
        const uint32_t larger = root | bit;
        if ((uint64_t)larger * larger <= v) {
            root = larger;
        }
    }
    return root;
}

#endif
