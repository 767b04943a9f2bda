/* The addition on Helium: eight codes at a time. */
#ifndef TG_KERNELS_HELIUM_ADD_S8_H
#define TG_KERNELS_HELIUM_ADD_S8_H

#include "vectors_s8.h"

typedef struct {
    float32x4_t a;
    float b;
    float32x4_t offset;
} tg_sum_factors;

TG_INLINE int32x4_t tg_add_four(int32x4_t a, int32x4_t b, tg_sum_factors f)
{
    const float32x4_t inner = vfmaq_n_f32(f.offset, vcvtq_f32_s32(b), f.b);
    return vcvtnq_s32_f32(vfmaq_f32(inner, vcvtq_f32_s32(a), f.a));
}

TG_INLINE void tg_add_eight_s8(tg_codes y, const int8_t *a, const int8_t *b, tg_sum_factors f, int8_t *output,
                               int32_t count)
{
    const int16x8_t codes_a = tg_load_codes_s16(a, count);
    const int16x8_t codes_b = tg_load_codes_s16(b, count);
    const int32x4_t even = tg_add_four(vmovlbq_s16(codes_a), vmovlbq_s16(codes_b), f);
    const int32x4_t odd = tg_add_four(vmovltq_s16(codes_a), vmovltq_s16(codes_b), f);
    tg_store_eight(even, odd, y, output, count);
}

TG_INLINE void tg_add_s8(tg_elements s, tg_codes y, const int8_t *a, const int8_t *b, float multiplier_a,
                         float multiplier_b, float offset, int8_t *output)
{
    const tg_sum_factors factors = { vdupq_n_f32(multiplier_a), multiplier_b, vdupq_n_f32(offset) };
    const tg_codes shifted = { .zero_point = 0, .min = y.min, .max = y.max };
    const int32_t whole = s.count / 8 * 8;
    for (int32_t i = 0; i < whole; i += 8) {
        tg_add_eight_s8(shifted, &a[i], &b[i], factors, &output[i], 8);
    }
    if (whole < s.count) {
        tg_add_eight_s8(shifted, &a[whole], &b[whole], factors, &output[whole], s.count - whole);
    }
}

#endif
