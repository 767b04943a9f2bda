#include "metadata.h"

#include <stddef.h>
#include <string.h>

#include "runtime/crc32.h"

static uint32_t checksum(const tg_metadata *record)
{
    return tg_crc32(record, offsetof(tg_metadata, crc));
}

static uint32_t capacity(const tg_metadata_log *log)
{
    return log->flash->block_bytes / (uint32_t)sizeof(tg_metadata);
}

static uint32_t place(const tg_metadata_log *log, uint32_t block, uint32_t index)
{
    return (log->first + block) * log->flash->block_bytes + index * (uint32_t)sizeof(tg_metadata);
}

bool tg_metadata_is_consistent(const tg_metadata *record)
{
    uint32_t on_their_way = 0;
    for (uint32_t s = 0; s < TG_UPDATE_SLOTS; s++) {
        if (record->slot[s] > TG_SLOT_CONFIRMED) {
            return false;
        }
        on_their_way += record->slot[s] != TG_SLOT_EMPTY && record->slot[s] != TG_SLOT_CONFIRMED;
    }
    const bool is_active_good = record->active == TG_BUILT_IN || (record->active < TG_UPDATE_SLOTS &&
                                                                  record->slot[record->active] == TG_SLOT_CONFIRMED);
    return on_their_way <= 1 && is_active_good;
}

static bool is_valid(const tg_metadata *record)
{
    return record->magic == TG_METADATA_MAGIC && record->crc == checksum(record) && tg_metadata_is_consistent(record);
}

/* Takes the record at one place if it is the newest so far. Sequence numbers may wrap. */
static void consider(tg_metadata_log *log, uint32_t block, uint32_t index)
{
    tg_metadata record;
    memcpy(&record, &log->flash->bytes[place(log, block, index)], sizeof record);
    const bool is_first = log->now.magic != TG_METADATA_MAGIC;
    if (is_valid(&record) && (is_first || (int32_t)(record.sequence - log->now.sequence) > 0)) {
        log->now = record;
        log->block = block;
    }
}

void tg_metadata_open(tg_metadata_log *log, const tg_flash *flash, uint32_t first)
{
    *log = (tg_metadata_log){ .flash = flash, .first = first, .now = { .active = TG_BUILT_IN } };
    log->next = capacity(log);
    for (uint32_t block = 0; block < TG_METADATA_BLOCKS; block++) {
        for (uint32_t index = 0; index < capacity(log); index++) {
            consider(log, block, index);
        }
    }
}

bool tg_metadata_append(tg_metadata_log *log)
{
    log->now.magic = TG_METADATA_MAGIC;
    log->now.sequence++;
    log->now.crc = checksum(&log->now);
    const bool is_full = log->next == capacity(log);
    const uint32_t block = is_full ? 1 - log->block : log->block;
    const uint32_t index = is_full ? 0 : log->next;
    /* Until it is known to be done the place is spent, and the record before is still where it was. */
    log->next = capacity(log);
    if (is_full && !log->flash->erase(log->flash->context, log->first + block)) {
        return false;
    }
    if (!log->flash->program(log->flash->context, place(log, block, index), (const uint8_t *)&log->now,
                             sizeof log->now)) {
        return false;
    }
    log->block = block;
    log->next = index + 1;
    return true;
}
