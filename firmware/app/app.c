#include "app.h"

#include "boards/common/clock.h"
#include "model.h"
#include "preprocess.h"

_Static_assert(TG_MODEL_OUTPUTS <= TG_DECISION_MAX_OUTPUTS, "a class fits a byte");
_Static_assert(TG_HOP >= 1, "windows advance");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "counts lie in memory as the sensor gives them");
_Static_assert((TG_LOG_WINDOWS & (TG_LOG_WINDOWS - 1)) == 0, "the log's numbers may wrap");

#define FRAME_BYTES (TG_CHANNELS * sizeof(tg_sample))

/* One window being filled while another is decided, and a block more for one that comes meanwhile. */
#define RING_BLOCKS ((TG_WINDOW + TG_HOP + TG_BLOCK - 1) / TG_BLOCK + 1)
#define RING_FRAMES (RING_BLOCKS * TG_BLOCK)

tg_app tg_the_app;

static uint8_t ring_frames[RING_FRAMES * FRAME_BYTES];
static uint32_t arrivals[RING_BLOCKS]; /* ticks, of the block that lies there in the ring */
static tg_sample window[TG_WINDOW * TG_CHANNELS];
/* Of the last window taken: */
static uint32_t arrived; /* ticks, of its last block */
static int32_t lowest;   /* count */
static int32_t highest;  /* count */
static bool ran;         /* the network */

static const tg_settings *settings;
static int32_t recent_codes[TG_DECISION_AVERAGE * TG_MODEL_OUTPUTS];

bool tg_app_init(const tg_settings *by)
{
    if (!tg_settings_check(by)) {
        return false;
    }
    settings = by;
    tg_model_init();
    tg_ring_init(&tg_the_app.ring, ring_frames, RING_FRAMES, FRAME_BYTES, TG_WINDOW, TG_HOP, TG_RING_LATE);
    tg_decision_init(&tg_the_app.decision, &settings->decision, recent_codes);
    tg_fault_init(&tg_the_app.fault, &settings->timing);
    tg_log_init(&tg_the_app.log, TG_LOG_WINDOWS);
    ran = false;
    return true;
}

void tg_app_block(uint32_t number, const tg_sample frames[TG_BLOCK * TG_CHANNELS], uint32_t ticks)
{
    const uint32_t begin = tg_the_app.ring.written;
    tg_ring_push(&tg_the_app.ring, number, frames, TG_BLOCK);
    if (tg_the_app.ring.written != begin) {
        arrivals[begin % RING_FRAMES / TG_BLOCK] = ticks;
    }
}

/* Copies the next window, and tells how long after the one before its last block came. */
static bool take(void)
{
    if (!tg_ring_take(&tg_the_app.ring, window)) {
        return false;
    }
    /* Where the window's last frame is: the next one begins a hop after this one's first. */
    const uint32_t last = (tg_the_app.ring.position % RING_FRAMES + RING_FRAMES + TG_WINDOW - 1 - TG_HOP) % RING_FRAMES;
    const uint32_t now = arrivals[last / TG_BLOCK];
    const bool is_first = tg_the_app.decision.windows == 0;
    tg_the_app.since_last = is_first ? (uint32_t)TG_TICKS_OF_FRAMES(TG_HOP) : now - arrived;
    arrived = now;
    return true;
}

/* Looks at every count, for the fault gate and for the log. */
static uint8_t causes_of_fault(void)
{
    lowest = highest = window[0];
    for (uint32_t i = 1; !settings->has_fault_gate && i < TG_WINDOW * TG_CHANNELS; i++) {
        lowest = window[i] < lowest ? window[i] : lowest;
        highest = window[i] > highest ? window[i] : highest;
    }
    for (uint32_t c = 0; settings->has_fault_gate && c < TG_CHANNELS; c++) {
        _Generic(window[0], int16_t : tg_fault_channel_s16, int32_t : tg_fault_channel_s32)(
            &tg_the_app.fault, &settings->limits[c], &window[c], TG_WINDOW, TG_CHANNELS);
        lowest = tg_the_app.fault.min;
        highest = tg_the_app.fault.max;
    }
    return tg_fault_end(&tg_the_app.fault, tg_the_app.ring.missed, tg_the_app.since_last);
}

/* Ends a stage that began at `begin`, and returns when the next one begins. */
static uint64_t end_stage(tg_stage stage, uint64_t begin)
{
    const uint64_t end = tg_clock_ticks();
    const uint32_t ticks = (uint32_t)(end - begin);
    uint32_t *most = &tg_the_app.most_ticks[stage];
    tg_the_app.ticks[stage] = ticks;
    *most = ticks > *most ? ticks : *most;
    return end;
}

static void read_scores(int32_t codes[TG_MODEL_OUTPUTS])
{
    for (uint32_t k = 0; k < TG_MODEL_OUTPUTS; k++) {
        codes[k] = tg_model_score(k);
    }
}

void tg_app_score(const tg_sample samples[TG_WINDOW * TG_CHANNELS], int32_t codes[TG_MODEL_OUTPUTS])
{
    ran = false;
    tg_preprocess(samples, tg_model_input());
    tg_model_run();
    read_scores(codes);
}

/* Fills in the score codes of a window that the gate lets pass. */
static void infer(int32_t codes[TG_MODEL_OUTPUTS], uint64_t begin)
{
    tg_preprocess(window, tg_model_input());
    begin = end_stage(TG_STAGE_PREPROCESS, begin);
    if (ran && tg_the_app.ring.missed == 0) {
        tg_model_run_next();
    } else {
        tg_model_run();
    }
    read_scores(codes);
    (void)end_stage(TG_STAGE_MODEL, begin);
}

static uint8_t decide(const int32_t codes[TG_MODEL_OUTPUTS], uint8_t causes)
{
    tg_decision *decision = &tg_the_app.decision;
    if (tg_the_app.ring.missed > 0) {
        tg_decision_gap(decision, (tg_the_app.ring.missed + TG_HOP - 1) / TG_HOP);
    }
    return causes ? tg_decision_unknown(decision) : tg_decision_update(decision, codes);
}

static uint16_t at_most_16_bits(uint32_t value)
{
    return value < UINT16_MAX ? (uint16_t)value : UINT16_MAX;
}

static void append_to_log(const int32_t codes[TG_MODEL_OUTPUTS], uint8_t class, uint8_t causes)
{
    tg_log_record entry = {
        .window = tg_the_app.decision.windows - 1,
        .min = lowest,
        .max = highest,
        .class = class,
        .state = tg_the_app.decision.state,
        .causes = causes,
        .missed = at_most_16_bits(tg_the_app.ring.missed),
    };
    for (uint32_t stage = 0; stage < TG_STAGES; stage++) {
        entry.ticks += tg_the_app.ticks[stage];
    }
    tg_log_top(&entry, codes, TG_MODEL_OUTPUTS);
    tg_log_append(&tg_the_app.log, tg_the_app.records, &entry);
}

static void put_u32(uint8_t *to, uint32_t value)
{
    for (int i = 0; i < 4; i++) {
        to[i] = (uint8_t)(value >> (8 * i));
    }
}

static void fill(uint8_t record[TG_RECORD_BYTES], const int32_t codes[TG_MODEL_OUTPUTS], uint8_t class, uint8_t causes)
{
    const tg_ring *ring = &tg_the_app.ring;
    const tg_decision *decision = &tg_the_app.decision;
    const uint16_t missed = at_most_16_bits(ring->missed);
    record[0] = TG_RECORD_SYNC;
    record[1] = class;
    record[2] = (uint8_t)((tg_model_arena_intact() ? TG_RECORD_ARENA_INTACT : 0u) |
                          (decision->state > 0 ? TG_RECORD_ALARM : 0u));
    record[3] = TG_MODEL_OUTPUTS;
    put_u32(&record[4], decision->windows);
    put_u32(&record[8], decision->positive);
    put_u32(&record[12], ring->seen_lost + ring->cut + ring->dropped + ring->skipped);
    record[16] = decision->state;
    record[17] = causes;
    record[18] = (uint8_t)missed;
    record[19] = (uint8_t)(missed >> 8);
    for (uint32_t k = 0; k < TG_MODEL_OUTPUTS; k++) {
        put_u32(&record[20 + 4 * k], (uint32_t)codes[k]);
    }
}

bool tg_app_poll(uint8_t record[TG_RECORD_BYTES])
{
    uint64_t begin = tg_clock_ticks();
    if (!take()) {
        return false;
    }
    int32_t codes[TG_MODEL_OUTPUTS] = { 0 };
    tg_the_app.ticks[TG_STAGE_PREPROCESS] = 0;
    tg_the_app.ticks[TG_STAGE_MODEL] = 0;
    begin = end_stage(TG_STAGE_TAKE, begin);
    const uint8_t causes = causes_of_fault();
    begin = end_stage(TG_STAGE_GATE, begin);
    if (!causes) {
        infer(codes, begin);
        begin = tg_clock_ticks();
    }
    ran = !causes;
    const uint8_t class = decide(codes, causes);
    (void)end_stage(TG_STAGE_DECIDE, begin);
    append_to_log(codes, class, causes);
    fill(record, codes, class, causes);
    return true;
}
