/* Runs kernels on cases from stdin and writes their outputs to stdout. Every buffer is allocated to its exact size, so
 * that the address sanitizer sees any access outside it. A case is 14 int32 (kernel, type, shape, output range), the
 * sizes of four arrays and of the output in bytes, and the arrays: the input, then constants. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "dsp/level.h"
#include "dsp/scale.h"
#include "dsp/table.h"
#include "kernels/conv1d_f32.h"
#include "kernels/conv1d_s16.h"
#include "kernels/conv1d_s8.h"
#include "kernels/dense_f32.h"
#include "kernels/dense_s16.h"
#include "kernels/dense_s16_s32.h"
#include "kernels/dense_s8.h"
#include "kernels/dense_s8_s32.h"
#include "kernels/depthwise_conv1d_f32.h"
#include "kernels/depthwise_conv1d_s16.h"
#include "kernels/depthwise_conv1d_s8.h"
#include "kernels/global_average_pool_f32.h"
#include "kernels/global_average_pool_s16.h"
#include "kernels/global_average_pool_s8.h"
#include "kernels/order_key.h"
#include "kernels/pointwise_conv1d_f32.h"
#include "kernels/pointwise_conv1d_s16.h"
#include "kernels/pointwise_conv1d_s8.h"
#include "kernels/widen_f32.h"
#include "kernels/widen_s16.h"

enum { CONV, DEPTHWISE, POINTWISE, POOL, DENSE, DENSE_S32, WIDEN, SCALE, TABLE, ORDER_KEY };
enum { S8, S16, F32 };
enum { ARRAYS = 4 };

typedef struct {
    int32_t kernel;
    int32_t type;
    int32_t shape[9]; /* of a convolution; other shapes are parts of it */
    int32_t range[3]; /* zero point, least and largest output; of float32 the bits */
    uint32_t array_bytes[ARRAYS];
    uint32_t output_bytes;
} header;

static tg_conv1d conv(const header *h)
{
    const int32_t *f = h->shape;
    return (tg_conv1d){ f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8] };
}

static tg_dense dense(const header *h)
{
    return (tg_dense){ h->shape[1], h->shape[3] };
}

static tg_global_average_pool pool(const header *h)
{
    return (tg_global_average_pool){ h->shape[0], h->shape[1], h->shape[8] };
}

static tg_widen widen(const header *h)
{
    return (tg_widen){ h->shape[0] * h->shape[1] };
}

static float scalar(const void *array)
{
    float value;
    memcpy(&value, array, sizeof value);
    return value;
}

static void run_s8(const header *h, void *const *a, void *y)
{
    const tg_codes codes = { h->range[0], h->range[1], h->range[2] };
    switch (h->kernel) {
    case CONV:
        tg_conv1d_s8(conv(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case DEPTHWISE:
        tg_depthwise_conv1d_s8(conv(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case POINTWISE:
        tg_pointwise_conv1d_s8(conv(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case POOL:
        tg_global_average_pool_s8(pool(h), codes, a[0], scalar(a[1]), y);
        break;
    case DENSE:
        tg_dense_s8(dense(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case DENSE_S32:
        tg_dense_s8_s32(dense(h), a[0], a[1], a[2], y);
        break;
    default:
        abort();
    }
}

static void run_s16(const header *h, void *const *a, void *y)
{
    const tg_codes codes = { h->range[0], h->range[1], h->range[2] };
    switch (h->kernel) {
    case CONV:
        tg_conv1d_s16(conv(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case DEPTHWISE:
        tg_depthwise_conv1d_s16(conv(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case POINTWISE:
        tg_pointwise_conv1d_s16(conv(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case POOL:
        tg_global_average_pool_s16(pool(h), codes, a[0], scalar(a[1]), y);
        break;
    case DENSE:
        tg_dense_s16(dense(h), codes, a[0], a[1], a[2], a[3], y);
        break;
    case DENSE_S32:
        tg_dense_s16_s32(dense(h), a[0], a[1], a[2], y);
        break;
    case WIDEN:
        tg_widen_s16(widen(h), a[0], y);
        break;
    default:
        abort();
    }
}

static void order_keys(const float *values, int32_t count, int32_t *keys)
{
    for (int32_t i = 0; i < count; i++) {
        keys[i] = tg_order_key(values[i]);
    }
}

static void run_f32(const header *h, void *const *a, void *y)
{
    const tg_range range = { scalar(&h->range[1]), scalar(&h->range[2]) };
    switch (h->kernel) {
    case CONV:
        tg_conv1d_f32(conv(h), range, a[0], a[1], a[2], y);
        break;
    case DEPTHWISE:
        tg_depthwise_conv1d_f32(conv(h), range, a[0], a[1], a[2], y);
        break;
    case POINTWISE:
        tg_pointwise_conv1d_f32(conv(h), range, a[0], a[1], a[2], y);
        break;
    case POOL:
        tg_global_average_pool_f32(pool(h), range, a[0], scalar(a[1]), y);
        break;
    case DENSE:
        tg_dense_f32(dense(h), range, a[0], a[1], a[2], y);
        break;
    case WIDEN:
        tg_widen_f32(widen(h), a[0], scalar(a[1]), y);
        break;
    case ORDER_KEY:
        order_keys(a[0], h->shape[1], y);
        break;
    default:
        abort();
    }
}

static void *take(size_t bytes)
{
    void *data = malloc(bytes);
    if (data == NULL || fread(data, 1, bytes, stdin) != bytes) {
        abort();
    }
    return data;
}

static void scale(const header *h, const int16_t *x, int8_t *y)
{
    const int32_t *f = h->shape;
    const tg_levelling s = { f[0], f[3], f[1], f[5] != 0, (uint32_t)f[6] };
    const tg_affine program = { h->range[0], h->range[1], h->range[2] };
    const tg_level level = tg_window_level(s, x, f[4]);
    for (int32_t t = 0; t < s.window; t++) {
        y[t] = tg_affine_code(program, tg_levelled(s, level, x[t * s.channels + f[4]]));
    }
}

static void look_up(const int32_t *x, const int32_t *breakpoints, int32_t count, int8_t *y)
{
    for (int32_t i = 0; i < count; i++) {
        y[i] = tg_table_code(breakpoints, x[i]);
    }
}

int main(void)
{
    static void (*const run[])(const header *, void *const *, void *) = { run_s8, run_s16, run_f32 };
    header h;
    while (fread(&h, sizeof h, 1, stdin) == 1) {
        void *arrays[ARRAYS];
        for (int i = 0; i < ARRAYS; i++) {
            arrays[i] = take(h.array_bytes[i]);
        }
        void *y = calloc(h.output_bytes, 1);
        if (h.kernel == SCALE) {
            scale(&h, arrays[0], y);
        } else if (h.kernel == TABLE) {
            look_up(arrays[0], arrays[1], h.shape[2], y);
        } else {
            run[h.type](&h, arrays, y);
        }
        fwrite(y, 1, h.output_bytes, stdout);
        for (int i = 0; i < ARRAYS; i++) {
            free(arrays[i]);
        }
        free(y);
    }
    return 0;
}
