/* Binary logarithm in steps of 1/256, linear between powers of two.
 *
 *     f(0) = 0
 *     f(v) = 256 * m + floor(256 * (v - 2^m) / 2^m),   m = floor(log2(v))
 *
 * which is the exponent and the eight bits below the leading one.
 */
#ifndef TG_DSP_LOG2_H
#define TG_DSP_LOG2_H

#include <stdint.h>

/* 0 for 0. */
static inline int32_t tg_bit_length(uint64_t v)
{
    return v == 0 ? 0 : 64 - __builtin_clzll(v);
}

static inline int32_t tg_log2_q8(uint64_t v)
{
    if (v == 0) {
        return 0;
    }
    const int32_t exponent = tg_bit_length(v) - 1;
    const uint64_t below = exponent > 8 ? v >> (exponent - 8) : v << (8 - exponent);
    return 256 * exponent + (int32_t)(below & 255);
}

#endif
