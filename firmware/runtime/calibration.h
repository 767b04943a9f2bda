/* What a device learns about itself while it is known to rest, kept in a record that outlasts a reset.
 *
 *     step       makes                                                  refuses, and leaves the record as it was
 *     offset     offset[c] = mean[c] - rest[c] at this temperature      MOVING   a variance > max_variance, or n not 1 to 2^15
 *                                                                       GRAVITY  sum(mean^2) not in [min, max]_norm
 *                                                                       OFFSET   an |offset| > max_offset
 *                mean = (sum + n/2) / n rounded down
 *     slope      slope[c] = 2^16 (offset now - offset[c]) / (T - T0),   the same, and
 *                toward zero, clamped to +-max_slope                    SPAN     |T - T0| < min_span
 *     no event   threshold = highest score + headroom,                  WINDOWS  fewer than min_windows were seen
 *                clamped to [min, max]_threshold
 *
 * A mean is over the n counts of a window of rest. rest[c] is what an ideal sensor gives as it lies, for an
 * accelerometer 1 g along one axis. Temperatures T are in hundredths of a degree, slopes in counts / 2^16 per hundredth.
 * The correction of a count is count - offset[c] - floor((slope[c] * (T - T0) + 2^15) / 2^16).
 *
 * A record is kept in two places, written in turn; the newer one with a valid version, checksum and number of channels
 * holds, so that a write that fails leaves the one before. Its bytes are those of the struct, little-endian, and the
 * checksum is crc32.h's of all before it.
 */
#ifndef TG_RUNTIME_CALIBRATION_H
#define TG_RUNTIME_CALIBRATION_H

#include <stdbool.h>
#include <stdint.h>

#include "spread.h"

#define TG_CALIBRATION_VERSION 1
#define TG_CALIBRATION_CHANNELS 6

typedef struct {
    uint32_t version;  /* of this layout */
    uint32_t sequence; /* one more with each record saved */
    uint32_t channels;
    int32_t temperature; /* T0 */
    int32_t offset[TG_CALIBRATION_CHANNELS]; /* counts; of channels that there are */
    int32_t slope[TG_CALIBRATION_CHANNELS];
    int32_t threshold; /* score code */
    uint32_t crc;
} tg_calibration;

_Static_assert(sizeof(tg_calibration) == 4 * (6 + 2 * TG_CALIBRATION_CHANNELS), "a record has no padding");

typedef struct {
    int32_t rest[TG_CALIBRATION_CHANNELS]; /* counts */
    uint32_t variance_shift;               /* of the spreads that are given */
    uint32_t max_variance;                 /* of shifted counts, squared */
    uint64_t min_norm;                     /* counts, squared */
    uint64_t max_norm;                     /* UINT64_MAX is none */
    uint32_t max_offset; /* counts */
    uint32_t min_span;   /* hundredths of a degree, at least 1 */
    uint32_t max_slope;
    uint32_t min_windows; /* at least 1 */
    int32_t headroom; /* score codes */
    int32_t min_threshold;
    int32_t max_threshold;
} tg_calibration_limits;

typedef enum {
    TG_CALIBRATION_DONE,
    TG_CALIBRATION_MOVING,
    TG_CALIBRATION_GRAVITY,
    TG_CALIBRATION_OFFSET,
    TG_CALIBRATION_SPAN,
    TG_CALIBRATION_WINDOWS,
} tg_calibration_result;

/* One channel at rest. All zero at first. */
typedef struct {
    tg_spread spread;
    int64_t sum;
} tg_calibration_rest;

/* Scores while there is known to be no event. All zero at first. */
typedef struct {
    uint32_t windows;
    int32_t highest;
} tg_calibration_quiet;

/* Takes the next count of a channel at rest. */
void tg_calibration_rest_add(tg_calibration_rest *rest, const tg_calibration_limits *limits, int32_t count);

/* Takes the score code of a window without an event. */
void tg_calibration_quiet_add(tg_calibration_quiet *quiet, int32_t code);

/* A record that corrects nothing. */
void tg_calibration_init(tg_calibration *record, uint32_t channels, int32_t temperature, int32_t threshold);

/* The three steps; `rest` is [channels]. Only TG_CALIBRATION_DONE has changed the record. */
tg_calibration_result tg_calibration_offset(tg_calibration *record, const tg_calibration_limits *limits,
                                            const tg_calibration_rest *rest, int32_t temperature);
tg_calibration_result tg_calibration_slope(tg_calibration *record, const tg_calibration_limits *limits,
                                           const tg_calibration_rest *rest, int32_t temperature);
tg_calibration_result tg_calibration_no_event(tg_calibration *record, const tg_calibration_limits *limits,
                                              const tg_calibration_quiet *quiet);

/* A count of a channel as an ideal sensor would give it. The correction saturates at 32 bits. */
int32_t tg_calibration_apply(const tg_calibration *record, uint32_t channel, int32_t count, int32_t temperature);

/* Makes the record ready to be written: its version, the next sequence number, its checksum. */
void tg_calibration_seal(tg_calibration *record);

/* The newer valid one of two stored records, NULL if neither is. Sequence numbers may wrap. */
const tg_calibration *tg_calibration_newest(const tg_calibration *a, const tg_calibration *b, uint32_t channels);

#endif
