/* The wire protocol's device side on the host. Requests from stdin, answers to stdout, both behind their u32 length.
 *
 *     u8 0, bytes                                                       the bytes as a COBS packet
 *     u8 1, bytes                                                       CRC-32 of the bytes
 *     u8 2, u32 sequence, u16 channels, u32 rate, u32 gain, char[16]    a hello
 *     u8 3, u32 sequence, u16 channels, u16 samples, u64 first, u64 time, i16[]    samples
 *     u8 4, bytes                                                       what forward sends for these bytes
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "app/forward.h"
#include "runtime/cobs.h"
#include "runtime/crc32.h"
#include "runtime/wire.h"

static const uint8_t *request;

static void take(void *field, uint32_t bytes)
{
    memcpy(field, request, bytes);
    request += bytes;
}

static void answer(const uint8_t *data, uint32_t bytes)
{
    fwrite(&bytes, sizeof bytes, 1, stdout);
    fwrite(data, 1, bytes, stdout);
}

static void answer_cobs(uint32_t bytes)
{
    uint8_t *out = malloc(TG_COBS_MAX_BYTES(bytes));
    tg_cobs cobs = tg_cobs_begin(out);
    for (uint32_t i = 0; i < bytes; i++) {
        tg_cobs_put(&cobs, request[i]);
    }
    answer(out, tg_cobs_end(&cobs));
    free(out);
}

static void answer_crc32(uint32_t bytes)
{
    uint32_t state = TG_CRC32_START;
    for (uint32_t i = 0; i < bytes; i++) {
        state = tg_crc32_update(state, request[i]);
    }
    const uint32_t value = tg_crc32_value(state);
    answer((const uint8_t *)&value, sizeof value);
}

static void answer_hello(void)
{
    uint32_t sequence;
    tg_wire_hello hello;
    take(&sequence, sizeof sequence);
    take(&hello.channels, sizeof hello.channels);
    take(&hello.sample_rate_millihz, sizeof hello.sample_rate_millihz);
    take(&hello.counts_per_unit_milli, sizeof hello.counts_per_unit_milli);
    take(hello.firmware, sizeof hello.firmware);
    uint8_t *out = malloc(TG_COBS_MAX_BYTES(TG_WIRE_HELLO_BYTES));
    answer(out, tg_wire_put_hello(out, sequence, &hello));
    free(out);
}

static void answer_samples(void)
{
    uint32_t sequence;
    tg_wire_samples samples;
    take(&sequence, sizeof sequence);
    take(&samples.channels, sizeof samples.channels);
    take(&samples.samples, sizeof samples.samples);
    take(&samples.first_sample, sizeof samples.first_sample);
    take(&samples.time_us, sizeof samples.time_us);
    const uint32_t n_counts = (uint32_t)samples.samples * samples.channels;
    int16_t *counts = malloc(n_counts * sizeof *counts);
    take(counts, n_counts * sizeof *counts);
    samples.counts = counts;
    uint8_t *out = malloc(TG_COBS_MAX_BYTES(TG_WIRE_SAMPLES_BYTES((uint32_t)samples.samples, samples.channels)));
    answer(out, tg_wire_put_samples(out, sequence, &samples));
    free(out);
    free(counts);
}

static void answer_forward(uint32_t bytes)
{
    uint8_t *out = malloc(TG_FORWARD_OUT_BYTES);
    uint8_t *all = NULL;
    uint32_t length = 0;
    tg_forward_init();
    for (uint32_t i = 0; i < bytes; i++) {
        const uint32_t sent = tg_forward_feed(request[i], out);
        if (sent > 0) {
            all = realloc(all, length + sent);
            memcpy(&all[length], out, sent);
            length += sent;
        }
    }
    answer(all, length);
    free(all);
    free(out);
}

static void serve(uint32_t bytes)
{
    const uint8_t kind = *request++;
    switch (kind) {
    case 0:
        answer_cobs(bytes - 1);
        break;
    case 1:
        answer_crc32(bytes - 1);
        break;
    case 2:
        answer_hello();
        break;
    case 3:
        answer_samples();
        break;
    case 4:
        answer_forward(bytes - 1);
        break;
    default:
        abort();
    }
}

int main(void)
{
    uint32_t bytes;
    while (fread(&bytes, sizeof bytes, 1, stdin) == 1) {
        uint8_t *data = malloc(bytes);
        if (fread(data, 1, bytes, stdin) != bytes) {
            abort();
        }
        request = data;
        serve(bytes);
        free(data);
    }
    return 0;
}
