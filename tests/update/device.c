#include "device.h"

#include <stdlib.h>
#include <string.h>

static tg_update_result self_test(void *context, const tg_bundle *bundle)
{
    device *it = context;
    it->self_tests++;
    return bundle->section_bytes[TG_BUNDLE_GOLDEN] > 0 ? it->self_test : TG_UPDATE_SELF_TEST;
}

static uint32_t flash_bytes(const device *it)
{
    return it->flash.blocks * it->flash.block_bytes;
}

/* Memory of exactly its size, so that the address sanitizer sees its ends. */
device *device_new(const device_geometry *geometry, const tg_target *target, uint32_t max_starts,
                   const tg_release *built_in)
{
    const uint32_t blocks = DEVICE_FIRST_BLOCK + TG_METADATA_BLOCKS + TG_UPDATE_SLOTS * geometry->slot_blocks;
    const uint32_t bytes = blocks * geometry->block_bytes;
    tg_update_config config = { .flash = { .blocks = blocks,
                                           .block_bytes = geometry->block_bytes,
                                           .unit_bytes = geometry->unit_bytes },
                                .first_block = DEVICE_FIRST_BLOCK,
                                .slot_blocks = geometry->slot_blocks,
                                .max_starts = max_starts,
                                .target = *target,
                                .built_in = *built_in,
                                .self_test = self_test };
    if (!tg_update_check(&config)) {
        return NULL;
    }
    device *it = calloc(1, sizeof *it);
    it->flash = tg_sim_flash_init(malloc(bytes), malloc(blocks * sizeof(uint32_t)), malloc(bytes / geometry->unit_bytes),
                                  blocks, geometry->block_bytes, geometry->unit_bytes);
    config.flash = tg_sim_flash_device(&it->flash);
    config.context = it;
    it->config = config;
    tg_update_start(&it->update, &it->config);
    return it;
}

void device_free(device *it)
{
    free(it->flash.bytes);
    free(it->flash.erased);
    free(it->flash.used);
    free(it);
}

void device_copy(device *to, const device *from)
{
    memcpy(to->flash.bytes, from->flash.bytes, flash_bytes(from));
    memcpy(to->flash.erased, from->flash.erased, from->flash.blocks * sizeof(uint32_t));
    memcpy(to->flash.used, from->flash.used, flash_bytes(from) / from->flash.unit_bytes);
    to->flash.misuses = from->flash.misuses;
    to->self_test = from->self_test;
}

tg_update *device_update(device *it)
{
    return &it->update;
}

tg_sim_flash *device_flash(device *it)
{
    return &it->flash;
}

uint32_t device_self_test(device *it, tg_update_result says)
{
    it->self_test = says;
    return it->self_tests;
}

uint8_t device_start(device *it, uint32_t cut_at, tg_cut cut, uint32_t seed)
{
    tg_sim_flash_power(&it->flash, cut_at, cut, seed);
    return tg_update_start(&it->update, &it->config);
}

tg_update_result device_receive(device *it, const uint8_t *bundle, uint32_t bytes, uint32_t piece)
{
    tg_update_result result = tg_update_begin(&it->update, bytes);
    for (uint32_t at = 0; at < bytes && result == TG_UPDATE_OK; at += piece) {
        result = tg_update_write(&it->update, &bundle[at], bytes - at < piece ? bytes - at : piece);
    }
    return result == TG_UPDATE_OK ? tg_update_finish(&it->update) : result;
}

uint8_t *device_block(device *it, uint32_t block)
{
    return &it->flash.bytes[(DEVICE_FIRST_BLOCK + block) * it->flash.block_bytes];
}

uint8_t *device_slot(device *it, uint32_t slot)
{
    return device_block(it, TG_METADATA_BLOCKS + slot * it->config.slot_blocks);
}

tg_metadata device_metadata(const device *it)
{
    tg_metadata_log log;
    tg_metadata_open(&log, &it->config.flash, it->config.first_block);
    return log.now;
}
