/* Raw counts over a byte stream. stages/core/recordings/wire.py is the other side, docs/serial.md the whole story.
 *
 * A frame, little-endian, is sent as one COBS packet (cobs.h):
 *
 *     u8   version          TG_WIRE_VERSION
 *     u8   type             TG_WIRE_HELLO or TG_WIRE_SAMPLES
 *     u16  channels
 *     u32  sequence         of frames, both types, from 0 at the device's start, modulo 2^32
 *
 *     TG_WIRE_HELLO, first and then about once a second:
 *     u32  sample_rate_millihz
 *     u32  counts_per_unit_milli
 *     char firmware[16]     ASCII, padded with zeros
 *
 *     TG_WIRE_SAMPLES:
 *     u64  first_sample     number of the first sample, from 0 at the device's start
 *     u64  time_us          of that sample, by the device's clock
 *     u16  samples          at least 1
 *     i16  counts[samples][channels]
 *
 *     u32  crc32            of everything before it (crc32.h)
 */
#ifndef TG_RUNTIME_WIRE_H
#define TG_RUNTIME_WIRE_H

#include <stdint.h>

#include "cobs.h"

#define TG_WIRE_VERSION 1
#define TG_WIRE_HELLO 1
#define TG_WIRE_SAMPLES 2

/* A receiver need not take a longer frame. */
#define TG_WIRE_MAX_BYTES 4096
#define TG_WIRE_FIRMWARE_BYTES 16

#define TG_WIRE_HELLO_BYTES (8 + 8 + TG_WIRE_FIRMWARE_BYTES + 4)
#define TG_WIRE_SAMPLES_BYTES(samples, channels) (8 + 18 + 2 * (samples) * (channels) + 4)

typedef struct {
    uint16_t channels;
    uint32_t sample_rate_millihz;
    uint32_t counts_per_unit_milli;
    char firmware[TG_WIRE_FIRMWARE_BYTES];
} tg_wire_hello;

typedef struct {
    uint16_t channels;
    uint16_t samples;
    uint64_t first_sample;
    uint64_t time_us;
    const int16_t *counts; /* [samples][channels] */
} tg_wire_samples;

/* Write a frame as a COBS packet and return its length, at most TG_COBS_MAX_BYTES of the frame's. */
uint32_t tg_wire_put_hello(uint8_t *out, uint32_t sequence, const tg_wire_hello *hello);
uint32_t tg_wire_put_samples(uint8_t *out, uint32_t sequence, const tg_wire_samples *samples);

#endif
