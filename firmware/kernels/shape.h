/* Shapes of operators, and where the padding of a convolution is not involved.
 *
 * Activations lie in the layout [length][channels]. An int8 kernel takes a bias that already holds
 * -input_zero_point * sum(weights of the output channel), so that its inner loop multiplies raw codes:
 *
 *     sum(w * (x - z)) + b  =  sum(w * x) + (b - z * sum(w))
 *
 * Padding stands for real zero, that is for the code z; of the other types z is 0.
 */
#ifndef TG_KERNELS_SHAPE_H
#define TG_KERNELS_SHAPE_H

#include "types.h"

typedef struct {
    int32_t input_length;
    int32_t input_channels;
    int32_t output_length;
    int32_t output_channels;
    int32_t groups;
    int32_t kernel;
    int32_t stride;
    int32_t pad_left;
    int32_t input_zero_point;
} tg_conv1d;

typedef struct {
    int32_t inputs;
    int32_t outputs;
} tg_dense;

typedef struct {
    int32_t length;
    int32_t channels;
    int32_t input_zero_point;
} tg_global_average_pool;

typedef struct {
    int32_t count;
} tg_widen;

/* First output position whose taps all lie at or after the first input. */
TG_INLINE int32_t tg_conv1d_interior_begin(tg_conv1d s)
{
    const int32_t begin = (s.pad_left + s.stride - 1) / s.stride;
    return begin < s.output_length ? begin : s.output_length;
}

/* One past the last output position whose taps all lie before the end of the input; never below the begin. */
TG_INLINE int32_t tg_conv1d_interior_end(tg_conv1d s)
{
    const int32_t room = s.input_length + s.pad_left - s.kernel;
    const int32_t end = room < 0 ? 0 : room / s.stride + 1;
    const int32_t begin = tg_conv1d_interior_begin(s);
    const int32_t capped = end < s.output_length ? end : s.output_length;
    return capped > begin ? capped : begin;
}

/* Where to begin and how to go on through the output positions outside the interior, in one loop. */
TG_INLINE int32_t tg_conv1d_first_edge(tg_conv1d s)
{
    return tg_conv1d_interior_begin(s) > 0 ? 0 : tg_conv1d_interior_end(s);
}

TG_INLINE int32_t tg_conv1d_next_edge(tg_conv1d s, int32_t t)
{
    return t + 1 == tg_conv1d_interior_begin(s) ? tg_conv1d_interior_end(s) : t + 1;
}

typedef struct {
    int32_t begin;
    int32_t end;
} tg_taps;

/* The taps inside the input, of the output whose tap 0 lies at `start`; the others lie in the padding. */
TG_INLINE tg_taps tg_conv1d_taps_inside(tg_conv1d s, int32_t start)
{
    const int32_t room = s.input_length - start;
    const int32_t begin = start < 0 ? -start : 0;
    const int32_t end = room < s.kernel ? room : s.kernel;
    return (tg_taps){ begin, end > begin ? end : begin };
}

#endif
