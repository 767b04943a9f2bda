#include "update.h"

#include <string.h>

static const tg_release any_release;

static uint32_t slot_block(const tg_update_config *config, uint32_t slot)
{
    return config->first_block + TG_METADATA_BLOCKS + slot * config->slot_blocks;
}

static uint32_t slot_begin(const tg_update_config *config, uint32_t slot)
{
    return slot_block(config, slot) * config->flash.block_bytes;
}

static uint32_t slot_bytes(const tg_update_config *config)
{
    return config->slot_blocks * config->flash.block_bytes;
}

bool tg_update_check(const tg_update_config *config)
{
    const tg_flash *flash = &config->flash;
    if (flash->unit_bytes == 0 || flash->block_bytes == 0 || TG_UPDATE_MAX_UNIT % flash->unit_bytes != 0 ||
        flash->block_bytes % sizeof(tg_metadata) != 0) {
        return false;
    }
    const uint64_t blocks = (uint64_t)config->first_block + TG_METADATA_BLOCKS +
                            (uint64_t)TG_UPDATE_SLOTS * config->slot_blocks;
    return blocks <= flash->blocks && (uint64_t)flash->blocks * flash->block_bytes <= UINT32_MAX &&
           config->slot_blocks >= 1 && config->max_starts >= 1 && config->max_starts <= UINT8_MAX;
}

/* The slot in a state, or TG_UPDATE_SLOTS. */
static uint8_t find(const tg_update *update, tg_slot_state state)
{
    uint8_t slot = 0;
    while (slot < TG_UPDATE_SLOTS && update->log.now.slot[slot] != state) {
        slot++;
    }
    return slot;
}

/* Gives a slot a state and keeps the result. If that does not get into the flash, all is as it was before; but for the
 * number, since nobody knows how much of the record did. */
static tg_update_result record(tg_update *update, uint8_t slot, tg_slot_state state, tg_update_result result)
{
    tg_metadata *now = &update->log.now;
    tg_metadata before = *now;
    now->slot[slot] = (uint8_t)state;
    now->result = (uint8_t)result;
    if (tg_metadata_append(&update->log)) {
        return TG_UPDATE_OK;
    }
    before.sequence = now->sequence;
    *now = before;
    return TG_UPDATE_FLASH;
}

/* Forgets what is in a slot, and returns why. If that does not get into the flash, the next start finds out again. */
static tg_update_result forget(tg_update *update, uint8_t slot, tg_update_result why)
{
    (void)record(update, slot, TG_SLOT_EMPTY, why);
    update->log.now.slot[slot] = TG_SLOT_EMPTY;
    return why;
}

/* The release that a new one must not be before. */
static tg_release floor_of(const tg_update *update)
{
    const tg_release *confirmed = &update->log.now.floor;
    const tg_release *built_in = &update->config->built_in;
    return tg_release_compare(confirmed, built_in) < 0 ? *built_in : *confirmed;
}

/* Checks the bundle in a slot, and keeps which release it says it is. */
static tg_update_result check(tg_update *update, tg_bundle *bundle, uint8_t slot, const tg_release *floor)
{
    const tg_update_config *config = update->config;
    const uint8_t *at = &config->flash.bytes[slot_begin(config, slot)];
    const tg_update_result result = tg_bundle_check(bundle, at, slot_bytes(config), &config->target, floor);
    update->log.now.release = bundle->header.release;
    return result;
}

/* Starts the trial, if there is one that may be started again. */
static bool start_trial(tg_update *update)
{
    const uint8_t slot = find(update, TG_SLOT_TRIAL);
    if (slot == TG_UPDATE_SLOTS) {
        return false;
    }
    if (update->log.now.starts >= update->config->max_starts) {
        (void)forget(update, slot, TG_UPDATE_NOT_CONFIRMED);
        return false;
    }
    const tg_update_result result = check(update, &update->bundle, slot, &any_release);
    if (result != TG_UPDATE_OK) {
        (void)forget(update, slot, result);
        return false;
    }
    update->log.now.starts++;
    if (!tg_metadata_append(&update->log)) {
        return false; /* a start that cannot be counted could be repeated for ever */
    }
    update->running = slot;
    return true;
}

/* Starts the active slot, or what is left if it is damaged. */
static void start_active(tg_update *update)
{
    tg_metadata *now = &update->log.now;
    while (now->active != TG_BUILT_IN) {
        const uint8_t slot = now->active;
        const uint8_t other = (uint8_t)(1 - slot);
        const tg_release of_last_result = now->release;
        const tg_update_result result = check(update, &update->bundle, slot, &any_release);
        if (result == TG_UPDATE_OK) {
            now->release = of_last_result;
            update->running = slot;
            return;
        }
        now->active = now->slot[other] == TG_SLOT_CONFIRMED ? other : TG_BUILT_IN;
        (void)forget(update, slot, result);
    }
}

uint8_t tg_update_start(tg_update *update, const tg_update_config *config)
{
    *update = (tg_update){ .config = config, .running = TG_BUILT_IN };
    tg_metadata_open(&update->log, &config->flash, config->first_block);
    const uint8_t interrupted = find(update, TG_SLOT_DOWNLOADING);
    if (interrupted != TG_UPDATE_SLOTS) {
        (void)forget(update, interrupted, TG_UPDATE_INTERRUPTED);
    }
    if (!start_trial(update)) {
        start_active(update);
    }
    return update->running;
}

static bool erase_slot(const tg_update_config *config, uint8_t slot, uint32_t bytes)
{
    for (uint32_t at = 0; at < bytes; at += config->flash.block_bytes) {
        const uint32_t block = slot_block(config, slot) + at / config->flash.block_bytes;
        if (!config->flash.erase(config->flash.context, block)) {
            return false;
        }
    }
    return true;
}

/* The slot for the next download: the one with what is on its way, which it replaces, or else one that is not active. */
static uint8_t spare_slot(const tg_update *update)
{
    for (uint8_t slot = 0; slot < TG_UPDATE_SLOTS; slot++) {
        const uint8_t state = update->log.now.slot[slot];
        if (state == TG_SLOT_DOWNLOADING || state == TG_SLOT_VERIFIED) {
            return slot;
        }
    }
    return update->log.now.active == 0 ? 1 : 0;
}

tg_update_result tg_update_begin(tg_update *update, uint32_t bytes)
{
    const tg_metadata *now = &update->log.now;
    const uint8_t slot = spare_slot(update);
    if (find(update, TG_SLOT_TRIAL) != TG_UPDATE_SLOTS || update->running == slot) {
        return TG_UPDATE_STATE;
    }
    if (bytes < TG_BUNDLE_MIN_BYTES || bytes > slot_bytes(update->config)) {
        return record(update, slot, now->slot[slot], TG_UPDATE_SIZE) == TG_UPDATE_OK ? TG_UPDATE_SIZE : TG_UPDATE_FLASH;
    }
    update->log.now.release = any_release;
    if (record(update, slot, TG_SLOT_DOWNLOADING, now->result) != TG_UPDATE_OK) {
        return TG_UPDATE_FLASH;
    }
    update->announced = bytes;
    update->received = update->programmed = 0;
    return erase_slot(update->config, slot, bytes) ? TG_UPDATE_OK : forget(update, slot, TG_UPDATE_FLASH);
}

/* Programs the unit that is full, or filled up. */
static bool program_unit(tg_update *update, uint8_t slot)
{
    const tg_flash *flash = &update->config->flash;
    const uint32_t at = slot_begin(update->config, slot) + update->programmed;
    if (!flash->program(flash->context, at, update->unit, flash->unit_bytes)) {
        return false;
    }
    update->programmed += flash->unit_bytes;
    return true;
}

/* Checks the header as soon as it is in the slot, and that it speaks of as much as was announced. */
static tg_update_result check_early(tg_update *update, uint8_t slot)
{
    const uint32_t before = update->programmed - update->config->flash.unit_bytes;
    tg_bundle_header header;
    if (update->programmed < sizeof header || before >= sizeof header) {
        return TG_UPDATE_OK;
    }
    memcpy(&header, &update->config->flash.bytes[slot_begin(update->config, slot)], sizeof header);
    update->log.now.release = header.release;
    const tg_release floor = floor_of(update);
    const tg_update_result result =
        tg_bundle_check_header(&header, &update->config->target, &floor, update->announced);
    return result == TG_UPDATE_OK && header.total_bytes != update->announced ? TG_UPDATE_SIZE : result;
}

tg_update_result tg_update_write(tg_update *update, const uint8_t *data, uint32_t bytes)
{
    const uint8_t slot = find(update, TG_SLOT_DOWNLOADING);
    const uint32_t unit_bytes = update->config->flash.unit_bytes;
    if (slot == TG_UPDATE_SLOTS) {
        return TG_UPDATE_STATE;
    }
    if (bytes > update->announced - update->received) {
        return forget(update, slot, TG_UPDATE_SIZE);
    }
    for (uint32_t i = 0; i < bytes; i++) {
        update->unit[update->received++ % unit_bytes] = data[i];
        if (update->received % unit_bytes != 0) {
            continue;
        }
        if (!program_unit(update, slot)) {
            return forget(update, slot, TG_UPDATE_FLASH);
        }
        const tg_update_result result = check_early(update, slot);
        if (result != TG_UPDATE_OK) {
            return forget(update, slot, result);
        }
    }
    return TG_UPDATE_OK;
}

/* Programs what waits for a full unit, filled up with what erased flash holds. */
static bool flush(tg_update *update, uint8_t slot)
{
    const uint32_t unit_bytes = update->config->flash.unit_bytes;
    const uint32_t waiting = update->received % unit_bytes;
    memset(&update->unit[waiting], 0xFF, unit_bytes - waiting);
    return waiting == 0 || program_unit(update, slot);
}

/* Everything that must hold before a bundle may be tried, cheap to dear. */
static tg_update_result verify(tg_update *update, uint8_t slot)
{
    const tg_update_config *config = update->config;
    const tg_release floor = floor_of(update);
    tg_bundle bundle;
    const tg_update_result result = check(update, &bundle, slot, &floor);
    return result == TG_UPDATE_OK ? config->self_test(config->context, &bundle) : result;
}

tg_update_result tg_update_finish(tg_update *update)
{
    const uint8_t slot = find(update, TG_SLOT_DOWNLOADING);
    if (slot == TG_UPDATE_SLOTS) {
        return TG_UPDATE_STATE;
    }
    if (update->received != update->announced) {
        return forget(update, slot, TG_UPDATE_SIZE);
    }
    if (!flush(update, slot)) {
        return forget(update, slot, TG_UPDATE_FLASH);
    }
    const tg_update_result result = verify(update, slot);
    return result == TG_UPDATE_OK ? record(update, slot, TG_SLOT_VERIFIED, TG_UPDATE_OK) : forget(update, slot, result);
}

tg_update_result tg_update_activate(tg_update *update)
{
    const uint8_t slot = find(update, TG_SLOT_VERIFIED);
    if (slot == TG_UPDATE_SLOTS) {
        return TG_UPDATE_STATE;
    }
    update->log.now.starts = 0;
    return record(update, slot, TG_SLOT_TRIAL, TG_UPDATE_OK);
}

tg_update_result tg_update_health(tg_update *update, tg_update_result health)
{
    tg_metadata *now = &update->log.now;
    const uint8_t slot = update->running;
    if (slot == TG_BUILT_IN || now->slot[slot] != TG_SLOT_TRIAL) {
        return TG_UPDATE_STATE;
    }
    if (health != TG_UPDATE_OK) {
        return forget(update, slot, health);
    }
    const tg_release *release = &update->bundle.header.release;
    const uint8_t active = now->active;
    const tg_release floor = now->floor;
    now->active = slot;
    now->floor = tg_release_compare(&floor, release) < 0 ? *release : floor;
    const tg_update_result result = record(update, slot, TG_SLOT_CONFIRMED, TG_UPDATE_OK);
    if (result != TG_UPDATE_OK) {
        now->active = active;
        now->floor = floor;
    }
    return result;
}
