#include "app.h"

#include <string.h>

#include "model.h"
#include "preprocess.h"
#include "runtime/decision.h"
#include "runtime/ring.h"

_Static_assert(TG_CLASSES <= 256, "a class fits a byte");
_Static_assert(TG_HOP >= 1, "windows advance");

/* One window being filled while another is decided. */
#define RING_FRAMES (TG_WINDOW + TG_HOP)

static int16_t ring_frames[RING_FRAMES * TG_CHANNELS];
static int16_t window[TG_WINDOW * TG_CHANNELS];
static tg_ring ring;
static const int16_t threshold_codes[] = TG_THRESHOLD_CODES;
static tg_decision decision;

_Static_assert(sizeof threshold_codes / sizeof *threshold_codes == TG_MODEL_OUTPUT_BYTES, "one threshold per output");

static int16_t frame[TG_CHANNELS];
static uint32_t frame_bytes;

void tg_app_init(void)
{
    tg_model_init();
    tg_ring_init(&ring, ring_frames, RING_FRAMES, TG_CHANNELS, TG_WINDOW, TG_HOP);
    tg_decision_init(&decision, threshold_codes, TG_MODEL_OUTPUT_BYTES);
    frame_bytes = 0;
}

void tg_app_feed(uint8_t byte)
{
    const uint32_t channel = frame_bytes / 2;
    if (frame_bytes % 2 == 0) {
        frame[channel] = byte;
    } else {
        frame[channel] = (int16_t)(uint16_t)((uint16_t)frame[channel] | (uint16_t)byte << 8);
    }
    if (++frame_bytes == 2 * TG_CHANNELS) {
        tg_ring_push(&ring, frame);
        frame_bytes = 0;
    }
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

bool tg_app_poll(uint8_t record[TG_RECORD_BYTES])
{
    if (!tg_ring_ready(&ring)) {
        return false;
    }
    tg_ring_take(&ring, window);
    tg_preprocess(window, tg_model_input());
    tg_model_run();
    const int8_t *codes = tg_model_output();
    record[0] = TG_RECORD_SYNC;
    record[1] = tg_decision_update(&decision, codes);
    record[2] = tg_model_arena_intact();
    record[3] = TG_MODEL_OUTPUT_BYTES;
    put_u32(&record[4], decision.windows);
    put_u32(&record[8], decision.anomalies);
    put_u32(&record[12], ring.dropped);
    memcpy(&record[16], codes, TG_MODEL_OUTPUT_BYTES);
    return true;
}
