#include "wire.h"

#include "crc32.h"

typedef struct {
    tg_cobs cobs;
    uint32_t crc;
} writer;

static void put_u8(writer *to, uint8_t value)
{
    to->crc = tg_crc32_update(to->crc, value);
    tg_cobs_put(&to->cobs, value);
}

static void put_u16(writer *to, uint16_t value)
{
    put_u8(to, (uint8_t)value);
    put_u8(to, (uint8_t)(value >> 8));
}

static void put_u32(writer *to, uint32_t value)
{
    put_u16(to, (uint16_t)value);
    put_u16(to, (uint16_t)(value >> 16));
}

static void put_u64(writer *to, uint64_t value)
{
    put_u32(to, (uint32_t)value);
    put_u32(to, (uint32_t)(value >> 32));
}

static writer begin(uint8_t *out, uint8_t type, uint16_t channels, uint32_t sequence)
{
    writer to = { .cobs = tg_cobs_begin(out), .crc = TG_CRC32_START };
    put_u8(&to, TG_WIRE_VERSION);
    put_u8(&to, type);
    put_u16(&to, channels);
    put_u32(&to, sequence);
    return to;
}

static uint32_t end(writer *to)
{
    put_u32(to, tg_crc32_value(to->crc));
    return tg_cobs_end(&to->cobs);
}

uint32_t tg_wire_put_hello(uint8_t *out, uint32_t sequence, const tg_wire_hello *hello)
{
    writer to = begin(out, TG_WIRE_HELLO, hello->channels, sequence);
    put_u32(&to, hello->sample_rate_millihz);
    put_u32(&to, hello->counts_per_unit_milli);
    for (int i = 0; i < TG_WIRE_FIRMWARE_BYTES; i++) {
        put_u8(&to, (uint8_t)hello->firmware[i]);
    }
    return end(&to);
}

uint32_t tg_wire_put_samples(uint8_t *out, uint32_t sequence, const tg_wire_samples *samples)
{
    const uint32_t n_counts = (uint32_t)samples->samples * samples->channels;
    writer to = begin(out, TG_WIRE_SAMPLES, samples->channels, sequence);
    put_u64(&to, samples->first_sample);
    put_u64(&to, samples->time_us);
    put_u16(&to, samples->samples);
    for (uint32_t i = 0; i < n_counts; i++) {
        put_u16(&to, (uint16_t)samples->counts[i]);
    }
    return end(&to);
}
