/* Shapes of operators, and where the padding of a convolution is not involved.
 *
 * Activations lie in the layout [length][channels], of images [height][length][channels]. An int8 kernel takes a bias
 * that already holds -input_zero_point * sum(weights of the output channel), so that its inner loop multiplies raw
 * codes:
 *
 *     sum(w * (x - z)) + b  =  sum(w * x) + (b - z * sum(w))
 *
 * Padding stands for real zero, that is for the code z; of the other types z is 0.
 */
#ifndef TG_KERNELS_SHAPE_H
#define TG_KERNELS_SHAPE_H

#include <stdbool.h>

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

typedef struct {
    int32_t input_height;
    int32_t input_length;
    int32_t input_channels;
    int32_t output_height;
    int32_t output_length;
    int32_t output_channels;
    int32_t groups;
    int32_t kernel_height;
    int32_t kernel_length;
    int32_t stride_height;
    int32_t stride_length;
    int32_t pad_top;
    int32_t pad_left;
    int32_t input_zero_point;
} tg_conv2d;

typedef struct {
    int32_t input_height; /* 1 for a pool over length alone */
    int32_t input_length;
    int32_t channels;
    int32_t output_height;
    int32_t output_length;
    int32_t kernel_height;
    int32_t kernel_length;
    int32_t stride_height;
    int32_t stride_length;
    int32_t pad_top;
    int32_t pad_left;
    int32_t input_zero_point;
} tg_pool;

typedef struct {
    int32_t count;
} tg_elements;

/* One of several tensors that lie side by side in each row of the output. */
typedef struct {
    int32_t rows;
    int32_t row;        /* elements of this tensor in a row, for a plain copy bytes */
    int32_t output_row; /* of all tensors */
    int32_t offset;     /* of those before this one */
} tg_concat;

typedef struct {
    int32_t rows_above;
    int32_t rows;
    int32_t rows_below;
    int32_t bytes_before;
    int32_t row_bytes;
    int32_t bytes_after;
    int32_t fill; /* the byte of real zero */
} tg_pad;

typedef struct {
    int32_t channels;
} tg_softmax;

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

/* The taps that lie inside the input's `size` positions, if tap 0 lies at `start`; the others lie in the padding. */
TG_INLINE tg_taps tg_taps_inside(int32_t start, int32_t kernel, int32_t size)
{
    const int32_t room = size - start;
    const int32_t begin = start < 0 ? -start : 0;
    const int32_t end = room < kernel ? room : kernel;
    return (tg_taps){ begin, end > begin ? end : begin };
}

TG_INLINE tg_taps tg_conv1d_taps_inside(tg_conv1d s, int32_t start)
{
    return tg_taps_inside(start, s.kernel, s.input_length);
}

/* The taps of one output of a pool or convolution of two dimensions that lie inside: rows, columns, and where in the
 * input, in positions, tap (0, 0) lies, which may be outside. */
typedef struct {
    tg_taps rows;
    tg_taps columns;
    int32_t origin;
} tg_window;

TG_INLINE tg_window tg_pool_window(tg_pool s, int32_t row, int32_t column)
{
    const int32_t top = row * s.stride_height - s.pad_top;
    const int32_t left = column * s.stride_length - s.pad_left;
    return (tg_window){ tg_taps_inside(top, s.kernel_height, s.input_height),
                        tg_taps_inside(left, s.kernel_length, s.input_length), top * s.input_length + left };
}

TG_INLINE tg_window tg_conv2d_window(tg_conv2d s, int32_t row, int32_t column)
{
    const int32_t top = row * s.stride_height - s.pad_top;
    const int32_t left = column * s.stride_length - s.pad_left;
    return (tg_window){ tg_taps_inside(top, s.kernel_height, s.input_height),
                        tg_taps_inside(left, s.kernel_length, s.input_length), top * s.input_length + left };
}

/* Whether no tap lies in the padding. */
TG_INLINE bool tg_conv2d_is_whole(tg_conv2d s, tg_window w)
{
    return w.rows.end - w.rows.begin == s.kernel_height && w.columns.end - w.columns.begin == s.kernel_length;
}

TG_INLINE bool tg_is_inside(tg_window w, int32_t row, int32_t column)
{
    return row >= w.rows.begin && row < w.rows.end && column >= w.columns.begin && column < w.columns.end;
}

/* Whether no window of an output row reaches above or below the input. */
TG_INLINE bool tg_conv2d_row_is_whole(tg_conv2d s, int32_t row)
{
    const int32_t top = row * s.stride_height - s.pad_top;
    return top >= 0 && top + s.kernel_height <= s.input_height;
}

/* The columns alone, to know where the padding is not involved. */
TG_INLINE tg_conv1d tg_conv2d_columns(tg_conv2d s)
{
    return (tg_conv1d){
        .input_length = s.input_length,
        .input_channels = s.input_channels,
        .output_length = s.output_length,
        .output_channels = s.output_channels,
        .kernel = s.kernel_length,
        .stride = s.stride_length,
        .pad_left = s.pad_left,
    };
}

#endif
