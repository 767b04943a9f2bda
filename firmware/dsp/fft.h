/* Complex integer FFT, radix 2, decimation in time, in place, without scaling.
 *
 *     for size = 2, 4, .. n, every block of `size` values, every j < size / 2, with a = x[j], b = x[j + size / 2]:
 *
 *         t    = (W^(j n / size) * b + 2^29) >> 30        real and imaginary part apart
 *         a, b = a + t, a - t
 *
 * cosine   int32 [3 n / 4]: c[k] = rint(2^30 cos(2 pi k / n)), so that 2^30 W^k = 2^30 exp(-2 pi i k / n) is
 *          c[k] + i c[k + n / 4]
 * re, im   int32 [n], the input in bit-reversed order
 *
 * Assumes  n a power of two from 16 to 1024; input parts |x| < 2^17, imaginary parts 0. Each stage doubles the largest
 *          magnitude and adds less than one, so the result stays below 2^28 and a sum of products below 2^59.
 *          >> of a negative number is arithmetic (GCC defines it so).
 */
#ifndef TG_DSP_FFT_H
#define TG_DSP_FFT_H

#include <stdint.h>

/* The bit reversal of i + 1 from that of i, for numbers below n. */
static inline int32_t tg_next_reversed(int32_t reversed, int32_t n)
{
    int32_t bit = n >> 1;
    while (reversed & bit) {
        reversed ^= bit;
        bit >>= 1;
    }
    return reversed | bit;
}

/* Real part of (a + ib)(c + id) / 2^30, a half rounded up. */
static inline int32_t tg_rotate(int32_t a, int32_t b, int32_t c, int32_t d)
{
    return (int32_t)(((int64_t)a * c - (int64_t)b * d + (INT64_C(1) << 29)) >> 30);
}

static inline void tg_butterfly(int32_t *re, int32_t *im, int32_t a, int32_t b, int32_t cosine, int32_t minus_sine)
{
    const int32_t t_re = tg_rotate(re[b], im[b], cosine, minus_sine);
    const int32_t t_im = tg_rotate(re[b], -im[b], minus_sine, cosine);
    re[b] = re[a] - t_re;
    im[b] = im[a] - t_im;
    re[a] += t_re;
    im[a] += t_im;
}

static inline void tg_fft(int32_t n, const int32_t *restrict cosine, int32_t *restrict re, int32_t *restrict im)
{
    for (int32_t half = 1, stride = n >> 1; half < n; half <<= 1, stride >>= 1) {
        for (int32_t j = 0; j < half; j++) {
            const int32_t k = j * stride;
            for (int32_t a = j; a < n; a += 2 * half) {
                tg_butterfly(re, im, a, a + half, cosine[k], cosine[k + n / 4]);
            }
        }
    }
}

#endif
