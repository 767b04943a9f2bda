/* Runs kernels on cases from stdin and writes their outputs to stdout. Every buffer is allocated to its exact size, so
 * that the address sanitizer sees any access outside it. A case is 13 int32 (kind and shape) and its arrays. */
#include <stdio.h>
#include <stdlib.h>

#include "dsp/level.h"
#include "dsp/scale.h"
#include "dsp/table.h"
#include "kernels/conv1d_s8.h"
#include "kernels/dense_s8.h"
#include "kernels/depthwise_conv1d_s8.h"
#include "kernels/global_average_pool_s8.h"
#include "kernels/pointwise_conv1d_s8.h"

enum { CONV, DEPTHWISE, POINTWISE, POOL, DENSE, SCALE, TABLE };

static void *take(int32_t count, size_t size)
{
    void *data = malloc((size_t)count * size);
    if (data == NULL || fread(data, size, (size_t)count, stdin) != (size_t)count) {
        abort();
    }
    return data;
}

static void convolve(int32_t kind, tg_conv1d s, int8_t *y)
{
    const int32_t in = s.input_channels / s.groups;
    int8_t *x = take(s.input_length * s.input_channels, 1);
    int8_t *w = take(s.output_channels * in * s.kernel, 1);
    int32_t *bias = take(s.output_channels, sizeof *bias);
    float *multiplier = take(s.output_channels, sizeof *multiplier);
    if (kind == CONV) {
        tg_conv1d_s8(s, x, w, bias, multiplier, y);
    } else if (kind == DEPTHWISE) {
        tg_depthwise_conv1d_s8(s, x, w, bias, multiplier, y);
    } else {
        tg_pointwise_conv1d_s8(s, x, w, bias, multiplier, y);
    }
    free(x);
    free(w);
    free(bias);
    free(multiplier);
}

static void pool(tg_global_average_pool s, int8_t *y)
{
    int8_t *x = take(s.length * s.channels, 1);
    float *multiplier = take(1, sizeof *multiplier);
    tg_global_average_pool_s8(s, x, *multiplier, y);
    free(x);
    free(multiplier);
}

static void dense(tg_dense s, int8_t *y)
{
    int8_t *x = take(s.inputs, 1);
    int8_t *w = take(s.inputs * s.outputs, 1);
    int32_t *bias = take(s.outputs, sizeof *bias);
    float *multiplier = take(s.outputs, sizeof *multiplier);
    tg_dense_s8(s, x, w, bias, multiplier, y);
    free(x);
    free(w);
    free(bias);
    free(multiplier);
}

static void scale(tg_levelling s, int32_t channel, tg_affine program, int8_t *y)
{
    int16_t *x = take(s.window * s.channels, sizeof *x);
    const tg_level level = tg_window_level(s, x, channel);
    for (int32_t t = 0; t < s.window; t++) {
        y[t] = tg_affine_code(program, tg_levelled(s, level, x[t * s.channels + channel]));
    }
    free(x);
}

static void look_up(int32_t count, int8_t *y)
{
    int32_t *breakpoints = take(TG_BREAKPOINTS, sizeof *breakpoints);
    int32_t *x = take(count, sizeof *x);
    for (int32_t i = 0; i < count; i++) {
        y[i] = tg_table_code(breakpoints, x[i]);
    }
    free(breakpoints);
    free(x);
}

int main(void)
{
    int32_t f[13];
    while (fread(f, sizeof f, 1, stdin) == 1) {
        const tg_codes codes = { f[10], f[11], f[12] };
        const tg_conv1d conv = { f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9], codes };
        const size_t outputs = (size_t)f[3] * (size_t)f[4];
        int8_t *y = calloc(outputs, 1);
        switch (f[0]) {
        case POOL:
            pool((tg_global_average_pool){ f[1], f[2], f[9], codes }, y);
            break;
        case DENSE:
            dense((tg_dense){ f[2], f[4], codes }, y);
            break;
        case SCALE:
            scale((tg_levelling){ f[1], f[5], f[2], f[7], (uint32_t)f[11] }, f[6], (tg_affine){ f[8], f[9], f[10] }, y);
            break;
        case TABLE:
            look_up(f[3], y);
            break;
        default:
            convolve(f[0], conv, y);
        }
        fwrite(y, 1, outputs, stdout);
        free(y);
    }
    return 0;
}
