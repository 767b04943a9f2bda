#include "app.h"

#include "model.h"
#include "preprocess.h"
#include "runtime/accumulate.h"
#include "runtime/decision.h"
#include "runtime/ring.h"

_Static_assert(TG_CLASSES <= 256, "a class fits a byte");
_Static_assert(TG_HOP >= 1, "windows advance");
_Static_assert(TG_ALARM_FULL >= 1, "an alarm takes a positive window");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "counts lie in memory as the stream brings them");

/* One window being filled while another is decided. */
#define RING_FRAMES (TG_WINDOW + TG_HOP)
#define FRAME_BYTES (TG_CHANNELS * sizeof(tg_sample))

static uint8_t ring_frames[RING_FRAMES * FRAME_BYTES];
static tg_sample window[TG_WINDOW * TG_CHANNELS];
static tg_ring ring;
static const int32_t threshold_codes[] = TG_THRESHOLD_CODES;
static tg_decision decision;
static tg_accumulate accumulate;

_Static_assert(sizeof threshold_codes / sizeof *threshold_codes == TG_MODEL_OUTPUTS, "one threshold per output");

static uint8_t frame[FRAME_BYTES];
static uint32_t frame_filled; /* bytes */

void tg_app_init(void)
{
    tg_model_init();
    tg_ring_init(&ring, ring_frames, RING_FRAMES, FRAME_BYTES, TG_WINDOW, TG_HOP);
    tg_decision_init(&decision, threshold_codes, TG_MODEL_OUTPUTS);
    tg_accumulate_init(&accumulate, TG_ALARM_FULL);
    frame_filled = 0;
}

void tg_app_feed(uint8_t byte)
{
    frame[frame_filled++] = byte;
    if (frame_filled == FRAME_BYTES) {
        tg_ring_push(&ring, frame);
        frame_filled = 0;
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
    int32_t codes[TG_MODEL_OUTPUTS];
    for (uint32_t k = 0; k < TG_MODEL_OUTPUTS; k++) {
        codes[k] = tg_model_score(k);
        put_u32(&record[16 + 4 * k], (uint32_t)codes[k]);
    }
    const uint8_t class = tg_decision_update(&decision, codes);
    const bool alarm = tg_accumulate_update(&accumulate, class > 0);
    record[0] = TG_RECORD_SYNC;
    record[1] = class;
    record[2] = (uint8_t)((tg_model_arena_intact() ? TG_RECORD_ARENA_INTACT : 0u) | (alarm ? TG_RECORD_ALARM : 0u));
    record[3] = TG_MODEL_OUTPUTS;
    put_u32(&record[4], decision.windows);
    put_u32(&record[8], decision.anomalies);
    put_u32(&record[12], ring.dropped);
    return true;
}
