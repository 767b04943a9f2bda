#include "forward.h"

_Static_assert(TG_FORWARD_CHANNELS >= 1, "there is something to forward");
_Static_assert(TG_FORWARD_FRAME_SAMPLES >= 1 && TG_FORWARD_FRAME_SAMPLES <= UINT16_MAX, "samples are counted in u16");
_Static_assert(TG_WIRE_SAMPLES_BYTES(TG_FORWARD_FRAME_SAMPLES, TG_FORWARD_CHANNELS) <= TG_WIRE_MAX_BYTES,
               "a receiver takes the frame");
_Static_assert(TG_FORWARD_SAMPLE_RATE_MILLIHZ >= 1 && TG_FORWARD_SAMPLE_RATE_MILLIHZ <= UINT32_MAX,
               "the rate fits its field");
_Static_assert(TG_FORWARD_COUNTS_PER_UNIT_MILLI >= 1 && TG_FORWARD_COUNTS_PER_UNIT_MILLI <= UINT32_MAX,
               "the gain fits its field");
_Static_assert(sizeof TG_FORWARD_FIRMWARE <= TG_WIRE_FIRMWARE_BYTES + 1, "the version fits its field");

#define FRAME_COUNTS (TG_FORWARD_FRAME_SAMPLES * TG_FORWARD_CHANNELS)
#define FRAMES_PER_SECOND (TG_FORWARD_SAMPLE_RATE_MILLIHZ / 1000 / TG_FORWARD_FRAME_SAMPLES)
#define FRAMES_PER_HELLO (FRAMES_PER_SECOND > 0 ? FRAMES_PER_SECOND : 1)

static const tg_wire_hello hello = {
    .channels = TG_FORWARD_CHANNELS,
    .sample_rate_millihz = TG_FORWARD_SAMPLE_RATE_MILLIHZ,
    .counts_per_unit_milli = TG_FORWARD_COUNTS_PER_UNIT_MILLI,
    .firmware = TG_FORWARD_FIRMWARE,
};

static int16_t counts[FRAME_COUNTS];
static uint32_t frame_bytes;     /* of `counts`, received */
static uint32_t sequence;        /* of the next frame of either type */
static uint32_t frames_to_hello; /* frames of samples still before the next hello */
static uint64_t first_sample;    /* of the frame being filled */

void tg_forward_init(void)
{
    frame_bytes = 0;
    sequence = 0;
    frames_to_hello = 0;
    first_sample = 0;
}

/* floor(sample * 10^9 / rate), with the rate in mHz. In two parts, since sample * 10^9 would soon pass 2^64: the
 * remainder is below 2^32, and 2^32 * 10^9 below 2^62. */
static uint64_t time_us_of(uint64_t sample)
{
    const uint64_t rate = TG_FORWARD_SAMPLE_RATE_MILLIHZ;
    const uint64_t scale = UINT64_C(1000000000);
    return sample / rate * scale + sample % rate * scale / rate;
}

static uint32_t send(uint8_t *out)
{
    uint32_t length = 0;
    if (frames_to_hello == 0) {
        length = tg_wire_put_hello(out, sequence++, &hello);
        frames_to_hello = FRAMES_PER_HELLO;
    }
    frames_to_hello--;
    const tg_wire_samples samples = {
        .channels = TG_FORWARD_CHANNELS,
        .samples = TG_FORWARD_FRAME_SAMPLES,
        .first_sample = first_sample,
        .time_us = time_us_of(first_sample),
        .counts = counts,
    };
    return length + tg_wire_put_samples(&out[length], sequence++, &samples);
}

uint32_t tg_forward_feed(uint8_t byte, uint8_t out[TG_FORWARD_OUT_BYTES])
{
    const uint32_t index = frame_bytes / 2;
    if (frame_bytes % 2 == 0) {
        counts[index] = byte;
    } else {
        counts[index] = (int16_t)(uint16_t)((uint16_t)counts[index] | (uint16_t)byte << 8);
    }
    if (++frame_bytes < 2 * FRAME_COUNTS) {
        return 0;
    }
    const uint32_t length = send(out);
    frame_bytes = 0;
    first_sample += TG_FORWARD_FRAME_SAMPLES;
    return length;
}
