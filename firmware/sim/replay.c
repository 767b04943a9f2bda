#include "sim/replay.h"

#include <stdlib.h>

#include "app/app.h"
#include "boards/common/host.h"
#include "model.h"
#include "sim/sensor.h"

static struct {
    uint32_t magic, block, channels, sample_bytes, quantum, stamp, blocks;
} request;

/* The block that comes next. */
static struct {
    uint32_t number, quanta;
    tg_sample frames[TG_BLOCK * TG_CHANNELS];
} next;

static uint32_t now;                /* ticks of the sensor's clock */
static uint32_t left;               /* blocks that have not come */
static volatile uint32_t delivered; /* blocks that have */

static void put(const void *data, uint32_t bytes)
{
    if (!tg_host_write(data, bytes)) {
        tg_host_exit(EXIT_FAILURE);
    }
}

static void put_u32(uint32_t value)
{
    put(&value, sizeof value);
}

static void read_next(void)
{
    if (left > 0 && !tg_host_read(&next, sizeof next)) {
        tg_host_exit(EXIT_FAILURE);
    }
}

void tg_sensor_quantum(void)
{
    now += request.stamp;
    if (left > 0 && --next.quanta == 0) {
        tg_app_block(next.number, next.frames, now);
        delivered++;
        left--;
        read_next();
    }
}

/* Decides what there is to decide, and says what it looked at. */
static void decide_all(void)
{
    uint8_t record[TG_RECORD_BYTES];
    while (tg_app_poll(record)) {
        put_u32(TG_REPLAY_DECIDED);
        put_u32(tg_the_app.ring.seen_written);
        put_u32(tg_the_app.since_last);
        put(tg_the_app.ticks, sizeof tg_the_app.ticks);
        put(record, sizeof record);
    }
    put_u32(TG_REPLAY_LOOKED);
    put_u32(tg_the_app.ring.seen_written);
}

static void put_end(void)
{
    const tg_ring *ring = &tg_the_app.ring;
    const tg_fault *fault = &tg_the_app.fault;
    const tg_decision *decision = &tg_the_app.decision;
    const uint32_t counters[] = {
        ring->dropped,      ring->skipped,       ring->cut,          ring->lost,     ring->gaps,
        ring->repeated,     ring->torn,          fault->windows,     fault->unknown, fault->counts[0],
        fault->counts[1],   fault->counts[2],    fault->counts[3],   fault->counts[4], fault->counts[5],
        fault->counts[6],   decision->windows,   decision->positive, decision->uncertain, decision->unknown,
        decision->events,   decision->gaps,
    };
    put_u32(TG_REPLAY_END);
    put(counters, sizeof counters);
    put_u32(tg_stack_bytes());
    put_u32(tg_stack_used());
    put(&tg_the_app.log, sizeof tg_the_app.log);
    put(tg_the_app.records, sizeof tg_the_app.records);
}

static tg_replay_status start(void)
{
    if (!tg_host_read(&request, sizeof request) || request.magic != TG_REPLAY_REQUEST || request.block != TG_BLOCK ||
        request.channels != TG_CHANNELS || request.sample_bytes != sizeof(tg_sample) || request.quantum < 2) {
        return TG_REPLAY_BAD_REQUEST;
    }
    return tg_app_init(&tg_built_in_settings) ? TG_REPLAY_OK : TG_REPLAY_BAD_START;
}

int main(void)
{
    if (!tg_host_open()) {
        tg_host_exit(EXIT_FAILURE);
    }
    const tg_replay_status status = start();
    put_u32(TG_REPLAY_RESPONSE);
    put_u32(status);
    if (status == TG_REPLAY_OK) {
        left = request.blocks;
        read_next();
        tg_sensor_start(request.quantum);
        uint32_t seen = 0;
        while (seen < request.blocks) {
            tg_sensor_wait(&delivered, seen);
            seen = delivered;
            decide_all();
        }
        put_end();
    }
    tg_host_exit(EXIT_SUCCESS);
}
