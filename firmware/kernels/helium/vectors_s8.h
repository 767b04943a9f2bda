/* What the int8 kernels share on a core with Helium: loads that stay inside their arrays, and accumulators to
 * codes.
 *
 * A row of `length` codes is read in chunks of 16. The last chunk of a longer row that 16 does not divide ends
 * where the row ends: it overlaps the one before, and the codes of the overlap are taken as 0. A row shorter than
 * 16 is read under a predicate, which gives 0 for the rest. So no chunk reads outside its row, and no row needs
 * filling up.
 *
 * float32(acc) * multiplier is one conversion and one multiplication, each rounded to nearest even, and vcvtn
 * rounds the product half to even and saturates. Adding the zero point saturates too, so that clipping to the
 * output range last gives what requantize.h defines. Helium takes subnormals for zero, which changes no code
 * (requantize.h).
 */
#ifndef TG_KERNELS_HELIUM_VECTORS_S8_H
#define TG_KERNELS_HELIUM_VECTORS_S8_H

#include <arm_mve.h>
#include <stdbool.h>

#include "../requantize.h"

/* A predicate, one bit per byte. The compiler must not see its value: GCC 12 folds constants of this type wrongly,
 * 0x000F into 0xFFFF. */
TG_INLINE mve_pred16_t tg_predicate(uint32_t bytes)
{
    __asm__("" : "+r"(bytes));
    return (mve_pred16_t)bytes;
}

/* Of the first n of 16 bytes. */
TG_INLINE mve_pred16_t tg_first_bytes(int32_t n)
{
    return tg_predicate(n >= 16 ? UINT32_C(0xFFFF) : (UINT32_C(1) << n) - 1);
}

/* Of the last n of 16 bytes. */
TG_INLINE mve_pred16_t tg_last_bytes(int32_t n)
{
    return tg_predicate(UINT32_C(0xFFFF) << (16 - n) & UINT32_C(0xFFFF));
}

/* Of the first n of four words. */
TG_INLINE mve_pred16_t tg_first_words(int32_t n)
{
    return tg_first_bytes(4 * n);
}

TG_INLINE int32_t tg_chunks(int32_t length)
{
    return (length + 15) / 16;
}

/* Loads that stay where they are written. There are eight vector registers: constants that the compiler would load
 * ahead of a loop are spilled, at two instructions each time, and loads that it would move up are as well. With an
 * offset of up to 127 bytes known at compile time, address and load are one instruction. */
TG_INLINE int8x16_t tg_load_here_s8(const int8_t *base, int32_t offset)
{
    int8x16_t codes;
    if (__builtin_constant_p(offset) && offset >= -127 && offset <= 127) {
        __asm__ volatile("vldrb.8 %q0, [%1, %2]" : "=w"(codes) : "r"(base), "i"(offset) : "memory");
    } else {
        __asm__ volatile("vldrb.8 %q0, [%1]" : "=w"(codes) : "r"(base + offset) : "memory");
    }
    return codes;
}

TG_INLINE int16x8_t tg_load_here_s16(const int8_t *base, int32_t offset)
{
    int16x8_t codes;
    if (__builtin_constant_p(offset) && offset >= -127 && offset <= 127) {
        __asm__ volatile("vldrb.s16 %q0, [%1, %2]" : "=w"(codes) : "l"(base), "i"(offset) : "memory");
    } else {
        __asm__ volatile("vldrb.s16 %q0, [%1]" : "=w"(codes) : "l"(base + offset) : "memory");
    }
    return codes;
}

/* The same, moving on by a step at no further cost if the step is up to 127 bytes. */
TG_INLINE int8x16_t tg_load_next_s8(const int8_t **next, int32_t step)
{
    int8x16_t codes;
    if (__builtin_constant_p(step) && step >= -127 && step <= 127) {
        const int8_t(*at)[16] = (const int8_t(*)[16])*next;
        __asm__("vldrb.8 %q0, [%1], %3" : "=w"(codes), "+r"(*next) : "m"(*at), "i"(step));
    } else {
        codes = tg_load_here_s8(*next, 0);
        *next += step;
    }
    return codes;
}

TG_INLINE int32x4_t tg_load_here_s32(const void *base, int32_t offset)
{
    int32x4_t values;
    __asm__ volatile("vldrw.32 %q0, [%1, %2]" : "=w"(values) : "r"(base), "i"(offset) : "memory");
    return values;
}

/* Where in a row a chunk begins. */
TG_INLINE int32_t tg_chunk_begin(int32_t length, int32_t chunk)
{
    const int32_t begin = 16 * chunk;
    return begin + 16 <= length ? begin : length - 16;
}

TG_INLINE int8x16_t tg_x_chunk_s8(const int8_t *row, int32_t length, int32_t chunk, bool here)
{
    const int32_t left = length - 16 * chunk;
    if (length < 16) {
        return vldrbq_z_s8(row, tg_first_bytes(length));
    }
    if (left < 16) {
        return vldrbq_z_s8(&row[length - 16], tg_last_bytes(left));
    }
    return here ? tg_load_here_s8(row, 16 * chunk) : vldrbq_s8(&row[16 * chunk]);
}

TG_INLINE int8x16_t tg_weight_chunk_s8(const int8_t *weights, int32_t row, int32_t length, int32_t chunk, bool here)
{
    if (length < 16) {
        return vldrbq_z_s8(&weights[row], tg_first_bytes(length));
    }
    const int32_t offset = row + tg_chunk_begin(length, chunk);
    return here ? tg_load_here_s8(weights, offset) : vldrbq_s8(&weights[offset]);
}

/* {a, b, c, d}, in two steps so that two registers at a time are enough. The compiler has no intrinsic for this
 * instruction and would go through memory. */
TG_INLINE int32x4_t tg_even_lanes_s32(int32_t a, int32_t c)
{
    int32x4_t lanes;
    __asm__("vmov %q0[2], %q0[0], %1, %2" : "=w"(lanes) : "r"(a), "r"(c));
    return lanes;
}

TG_INLINE int32x4_t tg_odd_lanes_s32(int32x4_t lanes, int32_t b, int32_t d)
{
    __asm__("vmov %q0[3], %q0[1], %1, %2" : "+w"(lanes) : "r"(b), "r"(d));
    return lanes;
}

/* Eight channels, as widening leaves them. */
typedef struct {
    int32x4_t even;
    int32x4_t odd;
} tg_pairs;

/* The first `count` of eight codes; 0 for the others. */
TG_INLINE int16x8_t tg_load_codes_s16(const int8_t *codes, int32_t count)
{
    return count == 8 ? vldrbq_s16(codes) : vldrbq_z_s16(codes, tg_first_bytes(2 * count));
}

TG_INLINE tg_pairs tg_add_wide(tg_pairs acc, int16x8_t sum)
{
    acc.even = vaddq_s32(acc.even, vmovlbq_s16(sum));
    acc.odd = vaddq_s32(acc.odd, vmovltq_s16(sum));
    return acc;
}

/* Each lane saturated into its own lower half. The intrinsics vqmovnb take a vector for the upper halves, which do not
 * matter here, and cost a copy of it. */
TG_INLINE int16x8_t tg_narrow_s32(int32x4_t lanes)
{
    __asm__("vqmovnb.s32 %q0, %q0" : "+w"(lanes));
    return vreinterpretq_s16_s32(lanes);
}

TG_INLINE int8x16_t tg_narrow_s16(int16x8_t lanes)
{
    __asm__("vqmovnb.s16 %q0, %q0" : "+w"(lanes));
    return vreinterpretq_s8_s16(lanes);
}

/* rint(float32(acc) * multiplier) */
TG_INLINE int32x4_t tg_scaled_s32(int32x4_t acc, float32x4_t multiplier)
{
    return vcvtnq_s32_f32(vmulq_f32(vcvtq_f32_s32(acc), multiplier));
}

/* The same with four multipliers that are loaded here, and not before the accumulators are complete. */
TG_INLINE int32x4_t tg_scaled_here_s32(int32x4_t acc, const float *multiplier, int32_t offset)
{
    float32x4_t factors;
    __asm__ volatile("vldrw.32 %q0, [%2, %3]"
                     : "=w"(factors), "+w"(acc)
                     : "r"(multiplier), "i"(4 * offset)
                     : "memory");
    return tg_scaled_s32(acc, factors);
}

/* The limits that narrowing to int8 has not imposed already; each code is the low byte of its lane. */
TG_INLINE int8x16_t tg_clip_codes(int8x16_t codes, tg_codes y)
{
    if (y.min > INT8_MIN) {
        codes = vmaxq_s8(codes, vdupq_n_s8((int8_t)y.min));
    }
    if (y.max < INT8_MAX) {
        codes = vminq_s8(codes, vdupq_n_s8((int8_t)y.max));
    }
    return codes;
}

/* Stores the low byte of each word, of the first `count`, and moves on by a step. */
TG_INLINE void tg_store_next(int8_t **next, int32_t step, int32x4_t words, int32_t count)
{
    if (count == 4 && __builtin_constant_p(step) && step >= -127 && step <= 127) {
        int8_t(*at)[4] = (int8_t(*)[4])*next;
        __asm__("vstrb.32 %q2, [%0], %3" : "+l"(*next), "=m"(*at) : "w"(words), "i"(step));
        return;
    }
    if (count == 4) {
        vstrbq_s32(*next, words);
    } else {
        vstrbq_p_s32(*next, words, tg_first_words(count));
    }
    *next += step;
}

/* Stores the first `count` of sixteen codes. GCC 12 takes a predicated store for one of the whole vector, and drops it if
 * later stores cover that, unless it must expect the memory to be read in between. */
TG_INLINE void tg_store_first_s8(int8_t *output, int8x16_t codes, int32_t count)
{
    if (count >= 16) {
        vstrbq_s8(output, codes);
    } else {
        vstrbq_p_s8(output, codes, tg_first_bytes(count));
        __asm__ volatile("" ::: "memory");
    }
}

/* Saturates, adds the zero point and clips; each code is the low byte of its lane. */
TG_INLINE int8x16_t tg_codes_of_s16(int16x8_t value, tg_codes y)
{
    if (!tg_is_known(y.zero_point, 0)) {
        value = vqaddq_n_s16(value, (int16_t)y.zero_point);
    }
    return tg_clip_codes(tg_narrow_s16(value), y);
}

/* Stores the first `count` codes of four results of requantisation. */
TG_INLINE void tg_store_four(int32x4_t value, tg_codes y, int8_t **next, int32_t step, int32_t count)
{
    tg_store_next(next, step, vreinterpretq_s32_s8(tg_codes_of_s16(tg_narrow_s32(value), y)), count);
}

/* The same of two rows of the output, the first narrowed already: the second go through the upper halves of words. */
TG_INLINE void tg_store_two_rows(int16x8_t first, int32x4_t second, tg_codes y, int8_t **next, int32_t step,
                                 int32_t count)
{
    const int32x4_t words = vreinterpretq_s32_s8(tg_codes_of_s16(vqmovntq_s32(first, second), y));
    tg_store_next(next, step, words, count);
    tg_store_next(next, step, vshrq_n_s32(words, 16), count);
}

/* The same of eight channels. */
TG_INLINE void tg_store_eight(int32x4_t even, int32x4_t odd, tg_codes y, int8_t *output, int32_t count)
{
    const int16x8_t codes = vreinterpretq_s16_s8(tg_codes_of_s16(vqmovntq_s32(tg_narrow_s32(even), odd), y));
    if (count == 8) {
        vstrbq_s16(output, codes);
    } else {
        vstrbq_p_s16(output, codes, tg_first_bytes(2 * count));
    }
}

#endif
