/* The product on a device that takes updates over its serial line (update/link.h), with flash in RAM.
 *
 * What the build says it is, is its target (update/bundle.h): its contract, TG_BOARD_BIT, and TG_UPDATE_KEY, the key of who
 * may sign. What runs is the network that it was compiled with, or a bundle's: weights where they lie, and settings. A block is a u32
 * number and frames of the sensor; what it decides are the records of app/app.h.
 *
 * Health check, before a bundle is tried and at each start of a trial: rules and limits that the product can go by, and the
 * score codes that the bundle promises for its golden windows, each within TG_UPDATE_BUDGET_TICKS.
 */
#include <string.h>

#include "app/app.h"
#include "boards/common/clock.h"
#include "boards/common/stream.h"
#include "model.h"
#include "sim/flash.h"
#include "update/link.h"

#define BLOCK_BYTES 4096
#define UNIT_BYTES 16
#define SLOT_BLOCKS ((TG_UPDATE_SLOT_BYTES + BLOCK_BYTES - 1) / BLOCK_BYTES)
#define BLOCKS (TG_METADATA_BLOCKS + TG_UPDATE_SLOTS * SLOT_BLOCKS)
#define MAX_STARTS 3

#ifndef TG_UPDATE_BUDGET_TICKS
#define TG_UPDATE_BUDGET_TICKS ((uint64_t)TG_TICKS_OF_FRAMES(TG_HOP)) /* what takes longer loses windows */
#endif

#define WINDOW_COUNTS (TG_WINDOW * TG_CHANNELS)

typedef struct {
    uint32_t windows;
    uint32_t frames;
    uint32_t channels;
    uint32_t outputs;
    uint32_t count_bytes;
    uint32_t reserved[3];
} golden_header;

typedef struct {
    uint32_t number;
    tg_sample frames[TG_BLOCK * TG_CHANNELS];
} numbered_block;

_Static_assert(sizeof(numbered_block) <= TG_LINK_MAX_CONTENT, "a block fits a question");
_Static_assert(TG_RECORD_BYTES <= TG_LINK_MAX_RECORDS, "a record fits an answer");

static _Alignas(16) uint8_t bytes[BLOCKS * BLOCK_BYTES];
static uint32_t erased[BLOCKS];
static uint8_t used[BLOCKS * BLOCK_BYTES / UNIT_BYTES];
static tg_sim_flash flash;
static tg_update update;
static tg_settings settings; /* of the bundle that runs */

static const void *weights_that_run(void)
{
    return update.running == TG_BUILT_IN ? NULL : update.bundle.section[TG_BUNDLE_WEIGHTS];
}

/* Whether the section is of windows and scores of this network. */
static bool is_golden(const tg_bundle *bundle, golden_header *header)
{
    const uint32_t section_bytes = bundle->section_bytes[TG_BUNDLE_GOLDEN];
    if (section_bytes < sizeof *header) {
        return false;
    }
    memcpy(header, bundle->section[TG_BUNDLE_GOLDEN], sizeof *header);
    const uint64_t counts = (uint64_t)header->windows * WINDOW_COUNTS * sizeof(tg_sample);
    const uint64_t scores = (uint64_t)header->windows * TG_MODEL_OUTPUTS * sizeof(int32_t);
    return header->windows > 0 && header->frames == TG_WINDOW && header->channels == TG_CHANNELS &&
           header->outputs == TG_MODEL_OUTPUTS && header->count_bytes == sizeof(tg_sample) &&
           section_bytes == sizeof *header + (counts + 3) / 4 * 4 + scores;
}

/* Has the network that is bound answer every golden window. */
static tg_update_result answer_golden(const uint8_t *section, uint32_t windows)
{
    const tg_sample *counts = (const tg_sample *)&section[sizeof(golden_header)];
    const uint32_t counts_bytes = (windows * WINDOW_COUNTS * (uint32_t)sizeof(tg_sample) + 3) / 4 * 4;
    const uint8_t *scores = &section[sizeof(golden_header) + counts_bytes];
    uint64_t most = 0;
    for (uint32_t k = 0; k < windows; k++) {
        int32_t codes[TG_MODEL_OUTPUTS];
        const uint64_t begin = tg_clock_ticks();
        tg_app_score(&counts[k * WINDOW_COUNTS], codes);
        const uint64_t ticks = tg_clock_ticks() - begin;
        most = ticks > most ? ticks : most;
        if (memcmp(codes, &scores[k * sizeof codes], sizeof codes) != 0) {
            return TG_UPDATE_SELF_TEST;
        }
    }
    return most <= TG_UPDATE_BUDGET_TICKS ? TG_UPDATE_OK : TG_UPDATE_OVER_BUDGET;
}

static tg_update_result self_test(void *context, const tg_bundle *bundle)
{
    (void)context;
    golden_header golden;
    tg_settings its;
    if (bundle->section_bytes[TG_BUNDLE_WEIGHTS] != TG_WEIGHTS_BYTES) {
        return TG_UPDATE_GRAPH;
    }
    if (!tg_settings_read(&its, bundle->section[TG_BUNDLE_CONFIG], bundle->section_bytes[TG_BUNDLE_CONFIG]) ||
        !tg_settings_check(&its)) {
        return TG_UPDATE_CONFIG;
    }
    if (!is_golden(bundle, &golden)) {
        return TG_UPDATE_SELF_TEST;
    }
    tg_model_bind(bundle->section[TG_BUNDLE_WEIGHTS]);
    const tg_update_result result = answer_golden(bundle->section[TG_BUNDLE_GOLDEN], golden.windows);
    tg_model_bind(weights_that_run());
    return result;
}

static tg_update_result take_block(void *context, const uint8_t *content, uint32_t content_bytes, uint8_t *records,
                                   uint32_t *record_bytes)
{
    (void)context;
    numbered_block block;
    if (content_bytes != sizeof block) {
        return TG_UPDATE_SIZE;
    }
    memcpy(&block, content, sizeof block);
    tg_app_block(block.number, block.frames, (block.number + 1) * (uint32_t)TG_TICKS_OF_FRAMES(TG_BLOCK));
    *record_bytes = 0;
    while (*record_bytes + TG_RECORD_BYTES <= TG_LINK_MAX_RECORDS && tg_app_poll(&records[*record_bytes])) {
        *record_bytes += TG_RECORD_BYTES;
    }
    return TG_UPDATE_OK;
}

/* What a reset does, with the flash as it is. */
static bool start(const tg_update_config *config)
{
    const uint8_t trial = tg_update_start(&update, config);
    if (trial != TG_BUILT_IN && update.log.now.slot[trial] == TG_SLOT_TRIAL &&
        tg_update_health(&update, self_test(NULL, &update.bundle)) != TG_UPDATE_OK) {
        tg_update_start(&update, config);
    }
    tg_model_bind(weights_that_run());
    if (update.running == TG_BUILT_IN) {
        return tg_app_init(&tg_built_in_settings);
    }
    const tg_bundle *bundle = &update.bundle;
    return tg_settings_read(&settings, bundle->section[TG_BUNDLE_CONFIG], bundle->section_bytes[TG_BUNDLE_CONFIG]) &&
           tg_app_init(&settings);
}

/* Answers what comes over the line, until there will never be more, or a start fails. */
static void serve(tg_link *link, const tg_update_config *config)
{
    static uint8_t out[TG_LINK_OUT_BYTES];
    uint8_t byte;
    while (tg_stream_read(&byte)) {
        const uint32_t length = tg_link_feed(link, byte, out);
        for (uint32_t i = 0; i < length; i++) {
            tg_stream_write(out[i]);
        }
        if (link->is_restart_due) {
            link->is_restart_due = false;
            if (!start(config)) {
                return;
            }
        }
    }
}

int main(void)
{
    static tg_link link = { .update = &update, .block = take_block };
    flash = tg_sim_flash_init(bytes, erased, used, BLOCKS, BLOCK_BYTES, UNIT_BYTES);
    const tg_update_config config = { .flash = tg_sim_flash_device(&flash),
                                      .slot_blocks = SLOT_BLOCKS,
                                      .max_starts = MAX_STARTS,
                                      .target = { .interface_version = TG_INTERFACE_VERSION,
                                                  .board = TG_BOARD_BIT,
                                                  .arena_bytes = TG_ARENA_BYTES,
                                                  .preprocess_id = TG_PREPROCESS_ID,
                                                  .graph_hash = TG_GRAPH_HASH,
                                                  .key = TG_UPDATE_KEY },
                                      .built_in = { { TG_UPDATE_RELEASE } },
                                      .self_test = self_test };
    tg_stream_init();
    tg_clock_init();
    if (!tg_update_check(&config) || !start(&config)) {
        return 1;
    }
    serve(&link, &config);
    return 0;
}
