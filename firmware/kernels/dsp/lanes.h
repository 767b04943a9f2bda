/* Codes as pairs of int16, what the dual multiply-accumulate of the DSP extension takes. Four codes are split:
 *
 *     b = b0 b1 b2 b3        even(b) = (b0, b2)        odd(b) = (b1, b3)
 *
 * Codes split the same way are paired the same way, so neither x nor the weights need another order in memory:
 *
 *     b . c = smlad(even(b), even(c), smlad(odd(b), odd(c), 0))
 *
 * The assembly is for instructions that arm_acle.h has no name for: those that rotate or combine registers on the
 * way.
 */
#ifndef TG_KERNELS_DSP_LANES_H
#define TG_KERNELS_DSP_LANES_H

#include <arm_acle.h>
#include <stdbool.h>
#include <string.h>

#include "kernels/types.h"

/* The first `count` of four bytes, the others 0. The core loads words at any address. */
TG_INLINE int32_t tg_dsp_load(const int8_t *bytes, int32_t count)
{
    int32_t word = 0;
    memcpy(&word, bytes, (size_t)count);
    return word;
}

TG_INLINE int32_t tg_dsp_even(int32_t word)
{
    return __sxtb16(word);
}

TG_INLINE int32_t tg_dsp_odd(int32_t word)
{
    int32_t pair;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(pair) : "r"(word));
    return pair;
}

/* Two int16 from the low or the high halves of two registers. */
TG_INLINE int32_t tg_dsp_low_pair(int32_t first, int32_t second)
{
    int32_t pair;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
}

TG_INLINE int32_t tg_dsp_high_pair(int32_t first, int32_t second)
{
    int32_t pair;
    __asm("pkhtb %0, %2, %1, asr #16" : "=r"(pair) : "r"(first), "r"(second));
    return pair;
}

/* Four codes split, as they lie in memory: the even pair, then the odd one. */
TG_INLINE int64_t tg_dsp_pairs(int32_t even, int32_t odd)
{
    return (int64_t)((uint64_t)(uint32_t)odd << 32 | (uint32_t)even);
}

/* The first `count` of four int8, the others 0. */
TG_INLINE int64_t tg_dsp_split_s8(const int8_t *codes, int32_t count)
{
    const int32_t word = tg_dsp_load(codes, count);
    return tg_dsp_pairs(tg_dsp_even(word), tg_dsp_odd(word));
}

/* The first `count` of four int16, the others 0. */
TG_INLINE int64_t tg_dsp_split_s16(const tg_s16 *codes, int32_t count)
{
    uint32_t words[2] = { 0, 0 };
    memcpy(words, codes, 2 * (size_t)count);
    return tg_dsp_pairs(tg_dsp_low_pair(words[0], words[1]), tg_dsp_high_pair(words[0], words[1]));
}

/* Adds the products of four bytes. One block, so that no scheduler hoists its loads until registers run out. */
TG_INLINE int32_t tg_dsp_multiply_add(const int64_t *split, int32_t even, int32_t odd, int32_t acc)
{
    int32_t x_even;
    int32_t x_odd;
    int32_t sum;
    __asm volatile("ldrd %1, %2, %3\n\tsmlad %1, %1, %4, %6\n\tsmlad %0, %2, %5, %1"
          : "=r"(sum), "=&r"(x_even), "=&r"(x_odd)
          : "m"(*split), "r"(even), "r"(odd), "r"(acc));
    return sum;
}

/* Adds the odd bytes of a word to two int16. */
TG_INLINE int32_t tg_dsp_add_odd(int32_t sums, int32_t word)
{
    int32_t pair;
    __asm("sxtab16 %0, %1, %2, ror #8" : "=r"(pair) : "r"(sums), "r"(word));
    return pair;
}

/* Where a code lies: int16 if `wide`, else int8. */
TG_INLINE const void *tg_dsp_at(bool wide, const void *x, int32_t index)
{
    return (const int8_t *)x + (wide ? 2 * index : index);
}

TG_INLINE void *tg_dsp_output_at(bool wide, void *output, int32_t index)
{
    return (int8_t *)output + (wide ? 2 * index : index);
}

TG_INLINE int32_t tg_dsp_code(bool wide, const void *x, int32_t index)
{
    return wide ? ((const tg_s16 *)x)[index] : ((const int8_t *)x)[index];
}

#endif
