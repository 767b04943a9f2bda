/* The mean under a window on Helium: four channels at a time. There is no division of vectors: that is done lane by
 * lane. */
#ifndef TG_KERNELS_HELIUM_AVERAGE_POOL_S8_H
#define TG_KERNELS_HELIUM_AVERAGE_POOL_S8_H

#include "vectors_s8.h"

/* The first `count` of four codes less a zero point, as numbers. */
TG_INLINE float32x4_t tg_load_real_codes(const int8_t *codes, int32_t zero_point, int32_t count)
{
    const int32x4_t loaded = count == 4 ? vldrbq_s32(codes) : vldrbq_z_s32(codes, tg_first_words(count));
    return vcvtq_f32_s32(vsubq_n_s32(loaded, zero_point));
}

/* Through memory: GCC 12 takes the wrong lanes where it is free to move them between vectors and single numbers. */
TG_INLINE float32x4_t tg_quotients(float32x4_t sums, float taps, float scale)
{
    float values[4];
    vstrwq_f32(values, sums);
    __asm__ volatile("" ::: "memory");
    for (int32_t i = 0; i < 4; i++) {
        values[i] = values[i] / taps / scale;
    }
    __asm__ volatile("" ::: "memory");
    return vldrwq_f32(values);
}

TG_INLINE void tg_average_four_s8(tg_pool s, tg_codes y, tg_window w, const int8_t *x, float scale, float taps,
                                  float output_scale, int8_t *output, int32_t count)
{
    float32x4_t acc = vdupq_n_f32(0.0f);
    for (int32_t k = w.rows.begin; k < w.rows.end; k++) {
        for (int32_t j = w.columns.begin; j < w.columns.end; j++) {
            const int8_t *codes = &x[(w.origin + k * s.input_length + j) * s.channels];
            const float32x4_t values = tg_load_real_codes(codes, s.input_zero_point, count);
            acc = vaddq_f32(acc, vmulq_n_f32(values, scale));
        }
    }
    const float32x4_t mean = tg_quotients(acc, taps, output_scale);
    const tg_codes shifted = { .zero_point = 0, .min = y.min, .max = y.max };
    tg_store_four(vcvtnq_s32_f32(vaddq_n_f32(mean, (float)y.zero_point)), shifted, &output, 0, count);
}

TG_INLINE void tg_average_pool_s8(tg_pool s, tg_codes y, const int8_t *x, float scale, float taps,
                                  float output_scale, int8_t *output)
{
    const int32_t whole = s.channels / 4 * 4;
    for (int32_t h = 0; h < s.output_height; h++) {
        for (int32_t t = 0; t < s.output_length; t++) {
            const tg_window w = tg_pool_window(s, h, t);
            int8_t *codes = &output[(h * s.output_length + t) * s.channels];
            for (int32_t c = 0; c < whole; c += 4) {
                tg_average_four_s8(s, y, w, &x[c], scale, taps, output_scale, &codes[c], 4);
            }
            if (whole < s.channels) {
                const int32_t count = s.channels - whole;
                tg_average_four_s8(s, y, w, &x[whole], scale, taps, output_scale, &codes[whole], count);
            }
        }
    }
}

#endif
