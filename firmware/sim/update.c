/* A device that takes updates over its serial line, with flash in RAM and a network of one layer whose weights are data.
 *
 * update_target.h, which is not of this folder, gives `target`, `built_in_release` and `built_in_weights`.
 *
 *     weights   int8 [outputs][inputs], int32 bias [outputs]
 *     golden    as docs/bundle.md says, of windows of `inputs` frames of one channel of 16 bits, in the range of 8 bits
 *
 * Its health check, at the start of a trial, is the self-test: the golden scores, within BUDGET_TICKS for all windows.
 */
#include <string.h>

#include "boards/common/clock.h"
#include "boards/common/stream.h"
#include "kernels/dense_s8_s32.h"
#include "sim/flash.h"
#include "update/link.h"
#include "update_target.h"

#define BLOCK_BYTES 4096
#define UNIT_BYTES 16
#define SLOT_BLOCKS 4
#define BLOCKS (TG_METADATA_BLOCKS + TG_UPDATE_SLOTS * SLOT_BLOCKS)
#define MAX_STARTS 3
#define BUDGET_TICKS 20000

#define INPUTS 16
#define OUTPUTS 2
#define WEIGHTS_BYTES (OUTPUTS * INPUTS + OUTPUTS * 4)

typedef struct {
    uint32_t windows;
    uint32_t frames;
    uint32_t channels;
    uint32_t outputs;
    uint32_t count_bytes;
    uint32_t reserved[3];
} golden_header;

typedef struct {
    int16_t counts[INPUTS];
} window;

typedef struct {
    int32_t codes[OUTPUTS];
} score;

static _Alignas(16) uint8_t bytes[BLOCKS * BLOCK_BYTES];
static uint32_t erased[BLOCKS];
static uint8_t used[BLOCKS * BLOCK_BYTES / UNIT_BYTES];
static tg_sim_flash flash;
static tg_update update;

/* The network, with its weights where they lie. */
static score infer(const uint8_t *weights, const window *counts)
{
    int8_t x[INPUTS];
    int32_t bias[OUTPUTS];
    score result;
    memcpy(bias, &weights[OUTPUTS * INPUTS], sizeof bias);
    for (int32_t i = 0; i < INPUTS; i++) {
        x[i] = (int8_t)counts->counts[i];
    }
    tg_dense_s8_s32((tg_dense){ .inputs = INPUTS, .outputs = OUTPUTS }, x, (const int8_t *)weights, bias, result.codes);
    return result;
}

static bool is_golden(const tg_bundle *bundle, golden_header *header)
{
    if (bundle->section_bytes[TG_BUNDLE_WEIGHTS] != WEIGHTS_BYTES ||
        bundle->section_bytes[TG_BUNDLE_GOLDEN] < sizeof *header) {
        return false;
    }
    memcpy(header, bundle->section[TG_BUNDLE_GOLDEN], sizeof *header);
    const uint64_t expected = sizeof *header + (uint64_t)header->windows * (sizeof(window) + sizeof(score));
    return header->windows > 0 && header->frames == INPUTS && header->channels == 1 && header->outputs == OUTPUTS &&
           header->count_bytes == 2 && bundle->section_bytes[TG_BUNDLE_GOLDEN] == expected;
}

static tg_update_result self_test(void *context, const tg_bundle *bundle)
{
    (void)context;
    golden_header header;
    if (!is_golden(bundle, &header)) {
        return TG_UPDATE_SELF_TEST;
    }
    const uint8_t *windows = &bundle->section[TG_BUNDLE_GOLDEN][sizeof header];
    const uint8_t *scores = &windows[header.windows * sizeof(window)];
    const uint64_t begin = tg_clock_ticks();
    for (uint32_t k = 0; k < header.windows; k++) {
        window counts;
        memcpy(&counts, &windows[k * sizeof counts], sizeof counts);
        const score got = infer(bundle->section[TG_BUNDLE_WEIGHTS], &counts);
        if (memcmp(&got, &scores[k * sizeof got], sizeof got) != 0) {
            return TG_UPDATE_SELF_TEST;
        }
    }
    return tg_clock_ticks() - begin <= BUDGET_TICKS ? TG_UPDATE_OK : TG_UPDATE_OVER_BUDGET;
}

static uint32_t probe(void *context, const uint8_t *content, uint32_t content_bytes, int32_t *scores)
{
    (void)context;
    window counts;
    if (content_bytes != sizeof counts) {
        return 0;
    }
    memcpy(&counts, content, sizeof counts);
    const bool is_built_in = update.running == TG_BUILT_IN;
    const score got = infer(is_built_in ? built_in_weights : update.bundle.section[TG_BUNDLE_WEIGHTS], &counts);
    memcpy(scores, got.codes, sizeof got.codes);
    return OUTPUTS;
}

/* What a reset does, with the flash as it is. */
static void start(const tg_update_config *config)
{
    const uint8_t running = tg_update_start(&update, config);
    if (running != TG_BUILT_IN && update.log.now.slot[running] == TG_SLOT_TRIAL &&
        tg_update_health(&update, self_test(NULL, &update.bundle)) != TG_UPDATE_OK) {
        tg_update_start(&update, config);
    }
}

int main(void)
{
    static tg_link link = { .update = &update, .probe = probe };
    static uint8_t out[TG_LINK_OUT_BYTES];
    flash = tg_sim_flash_init(bytes, erased, used, BLOCKS, BLOCK_BYTES, UNIT_BYTES);
    const tg_update_config config = { .flash = tg_sim_flash_device(&flash),
                                      .slot_blocks = SLOT_BLOCKS,
                                      .max_starts = MAX_STARTS,
                                      .target = target,
                                      .built_in = built_in_release,
                                      .self_test = self_test };
    uint8_t byte;
    tg_stream_init();
    tg_clock_init();
    if (!tg_update_check(&config)) {
        return 1;
    }
    start(&config);
    while (tg_stream_read(&byte)) {
        const uint32_t length = tg_link_feed(&link, byte, out);
        for (uint32_t i = 0; i < length; i++) {
            tg_stream_write(out[i]);
        }
        if (link.is_restart_due) {
            link.is_restart_due = false;
            start(&config);
        }
    }
    return 0;
}
