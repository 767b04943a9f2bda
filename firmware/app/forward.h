/* The recorder: a stream of counts in, frames of runtime/wire.h out. No network and no preprocessing.
 *
 * In    samples of TG_FORWARD_CHANNELS little-endian int16 counts, back to back, as the app reads them: the stream
 *       stands for the sensor.
 * Out   a frame per TG_FORWARD_FRAME_SAMPLES samples; before the first, and then about once a second, a hello.
 *
 * The time stamp of a frame is its sample counter over the nominal rate, so that the same samples give the same bytes.
 * A board with a sensor takes both from its own timer instead, and then the rate error of a recording means something.
 *
 * CMakeLists.txt defines TG_FORWARD_CHANNELS, _FRAME_SAMPLES, _SAMPLE_RATE_MILLIHZ and _COUNTS_PER_UNIT_MILLI.
 */
#ifndef TG_FORWARD_H
#define TG_FORWARD_H

#include <stdint.h>

#include "runtime/wire.h"

#define TG_FORWARD_FIRMWARE "forward-1"

/* A hello and a frame of samples. */
#define TG_FORWARD_OUT_BYTES                    \
    (TG_COBS_MAX_BYTES(TG_WIRE_HELLO_BYTES) +   \
     TG_COBS_MAX_BYTES(TG_WIRE_SAMPLES_BYTES(TG_FORWARD_FRAME_SAMPLES, TG_FORWARD_CHANNELS)))

/* Starts at sample 0 and frame 0. */
void tg_forward_init(void);

/* Takes one byte of the stream. Returns how many bytes of `out` are to be sent, mostly 0. */
uint32_t tg_forward_feed(uint8_t byte, uint8_t out[TG_FORWARD_OUT_BYTES]);

#endif
