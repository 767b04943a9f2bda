#include "app.h"

#include "model.h"
#include "preprocess.h"
#include "runtime/decision.h"
#include "runtime/fault.h"
#include "runtime/ring.h"

_Static_assert(TG_MODEL_OUTPUTS <= TG_DECISION_MAX_OUTPUTS, "a class fits a byte");
_Static_assert(TG_HOP >= 1, "windows advance");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "counts lie in memory as the stream brings them");

/* One window being filled while another is decided. */
#define RING_FRAMES (TG_WINDOW + TG_HOP)
#define FRAME_BYTES (TG_CHANNELS * sizeof(tg_sample))

static uint8_t ring_frames[RING_FRAMES * FRAME_BYTES];
static tg_sample window[TG_WINDOW * TG_CHANNELS];
static tg_ring ring;
static uint32_t frames; /* so far */
static bool ran;        /* the network, on the window before */
static const tg_decision_codes decision_codes[] = TG_DECISION_CODES;
static const tg_decision_config decision_config = {
    .codes = decision_codes,
    .outputs = TG_MODEL_OUTPUTS,
    .pick = TG_DECISION_PICK,
    .hysteresis = TG_DECISION_HYSTERESIS,
    .margin = TG_DECISION_MARGIN,
    .average = TG_DECISION_AVERAGE,
    .need = TG_DECISION_NEED,
    .of = TG_DECISION_OF,
    .accumulate = TG_DECISION_ACCUMULATE,
    .min_hold = TG_DECISION_MIN_HOLD,
    .cooldown = TG_DECISION_COOLDOWN,
};
static int32_t recent_codes[TG_DECISION_AVERAGE * TG_MODEL_OUTPUTS];
static tg_decision decision;

_Static_assert(sizeof decision_codes / sizeof *decision_codes == TG_MODEL_OUTPUTS, "thresholds per output");

static const tg_fault_limits fault_limits[] = TG_FAULT_LIMITS;
/* A gap is the decision's, and a stream has no clock. */
static const tg_fault_timing fault_timing = { UINT32_MAX, 0, UINT32_MAX };
static tg_fault fault;

_Static_assert(sizeof fault_limits / sizeof *fault_limits == TG_CHANNELS, "limits per channel");

static uint8_t frame[FRAME_BYTES];
static uint32_t frame_filled; /* bytes */

static bool is_fit_to_start(void)
{
    for (uint32_t c = 0; c < TG_CHANNELS; c++) {
        if (TG_FAULT_GATE && tg_fault_check(&fault_limits[c], &fault_timing, TG_WINDOW) != TG_FAULT_FINE) {
            return false;
        }
    }
    return tg_decision_check(&decision_config) == TG_DECISION_FINE;
}

bool tg_app_init(void)
{
    if (!is_fit_to_start()) {
        return false;
    }
    tg_model_init();
    tg_ring_init(&ring, ring_frames, RING_FRAMES, FRAME_BYTES, TG_WINDOW, TG_HOP, TG_RING_DROP_OLDEST);
    tg_decision_init(&decision, &decision_config, recent_codes);
    tg_fault_init(&fault, &fault_timing);
    frames = 0;
    ran = false;
    frame_filled = 0;
    return true;
}

void tg_app_feed(uint8_t byte)
{
    frame[frame_filled++] = byte;
    if (frame_filled == FRAME_BYTES) {
        tg_ring_push(&ring, frames++, frame, 1);
        frame_filled = 0;
    }
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static bool is_valid(void)
{
    for (uint32_t c = 0; TG_FAULT_GATE && c < TG_CHANNELS; c++) {
        tg_fault_scan scan = { 0 };
        for (uint32_t i = 0; i < TG_WINDOW; i++) {
            tg_fault_scan_add(&scan, &fault_limits[c], window[i * TG_CHANNELS + c]);
        }
        tg_fault_channel(&fault, &scan, &fault_limits[c]);
    }
    return tg_fault_end(&fault, ring.missed, 0) == 0;
}

static uint8_t decide(int32_t codes[TG_MODEL_OUTPUTS])
{
    const bool follows = ran && ring.missed == 0;
    if (ring.missed > 0) {
        tg_decision_gap(&decision, (ring.missed + TG_HOP - 1) / TG_HOP);
    }
    ran = is_valid();
    if (!ran) {
        return tg_decision_unknown(&decision);
    }
    tg_preprocess(window, tg_model_input());
    if (follows) {
        tg_model_run_next();
    } else {
        tg_model_run();
    }
    for (uint32_t k = 0; k < TG_MODEL_OUTPUTS; k++) {
        codes[k] = tg_model_score(k);
    }
    return tg_decision_update(&decision, codes);
}

bool tg_app_poll(uint8_t record[TG_RECORD_BYTES])
{
    if (!tg_ring_take(&ring, window)) {
        return false;
    }
    int32_t codes[TG_MODEL_OUTPUTS] = { 0 };
    const uint8_t class = decide(codes);
    for (uint32_t k = 0; k < TG_MODEL_OUTPUTS; k++) {
        put_u32(&record[16 + 4 * k], (uint32_t)codes[k]);
    }
    record[0] = TG_RECORD_SYNC;
    record[1] = class;
    record[2] = (uint8_t)((tg_model_arena_intact() ? TG_RECORD_ARENA_INTACT : 0u) |
                          (decision.state > 0 ? TG_RECORD_ALARM : 0u));
    record[3] = TG_MODEL_OUTPUTS;
    put_u32(&record[4], decision.windows);
    put_u32(&record[8], decision.positive);
    put_u32(&record[12], ring.dropped);
    return true;
}
