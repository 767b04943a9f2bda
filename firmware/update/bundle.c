#include "bundle.h"

#include <stdbool.h>
#include <string.h>

#include "third_party/monocypher/monocypher.h"

int tg_release_compare(const tg_release *a, const tg_release *b)
{
    for (int i = 0; i < 3; i++) {
        if (a->part[i] != b->part[i]) {
            return a->part[i] < b->part[i] ? -1 : 1;
        }
    }
    return 0;
}

/* That it is a bundle, of this version, of a size that can be. */
static tg_update_result check_form(const tg_bundle_header *header, uint32_t place_bytes)
{
    if (header->magic != TG_BUNDLE_MAGIC) {
        return TG_UPDATE_MAGIC;
    }
    if (header->format != TG_BUNDLE_FORMAT) {
        return TG_UPDATE_FORMAT;
    }
    const uint32_t reserved = header->reserved[0] | header->reserved[1] | header->reserved[2];
    if (header->header_bytes != sizeof(tg_bundle_header) || header->entry_bytes != sizeof(tg_bundle_entry) ||
        header->sections != TG_BUNDLE_SECTIONS || reserved != 0 || (header->flags & ~TG_BUNDLE_SIGNED) != 0) {
        return TG_UPDATE_LAYOUT;
    }
    const bool is_size = header->total_bytes >= TG_BUNDLE_MIN_BYTES && header->total_bytes <= place_bytes &&
                         header->total_bytes % TG_BUNDLE_ALIGNMENT == 0;
    return is_size ? TG_UPDATE_OK : TG_UPDATE_SIZE;
}

/* That it is for this device. */
static tg_update_result check_target(const tg_bundle_header *header, const tg_target *target, const tg_release *floor)
{
    if (tg_release_compare(&header->release, floor) < 0) {
        return TG_UPDATE_DOWNGRADE;
    }
    if (header->interface_version != target->interface_version) {
        return TG_UPDATE_INTERFACE;
    }
    if ((header->boards & target->board) == 0) {
        return TG_UPDATE_BOARD;
    }
    if (header->arena_bytes > target->arena_bytes) {
        return TG_UPDATE_ARENA;
    }
    if (memcmp(header->preprocess_id, target->preprocess_id, sizeof target->preprocess_id) != 0) {
        return TG_UPDATE_PREPROCESS;
    }
    if (memcmp(header->graph_hash, target->graph_hash, sizeof target->graph_hash) != 0) {
        return TG_UPDATE_GRAPH;
    }
    return (header->flags & TG_BUNDLE_SIGNED) != 0 ? TG_UPDATE_OK : TG_UPDATE_UNSIGNED;
}

tg_update_result tg_bundle_check_header(const tg_bundle_header *header, const tg_target *target, const tg_release *floor,
                                        uint32_t place_bytes)
{
    const tg_update_result result = check_form(header, place_bytes);
    return result != TG_UPDATE_OK ? result : check_target(header, target, floor);
}

static tg_bundle_entry entry_at(const uint8_t *at, uint32_t k)
{
    tg_bundle_entry entry;
    memcpy(&entry, &at[sizeof(tg_bundle_header) + k * sizeof entry], sizeof entry);
    return entry;
}

/* Finds the sections. Each begins where the one before ends, so that they can neither overlap nor leave anything over. */
static tg_update_result check_table(tg_bundle *bundle, const uint8_t *at)
{
    const uint32_t end = bundle->header.total_bytes - TG_BUNDLE_SIGNATURE_BYTES;
    uint32_t offset = TG_BUNDLE_BEGIN;
    for (uint32_t k = 0; k < TG_BUNDLE_SECTIONS; k++) {
        const tg_bundle_entry entry = entry_at(at, k);
        if (entry.kind != k + 1 || entry.reserved != 0 || entry.offset != offset || entry.bytes > end - offset) {
            return TG_UPDATE_LAYOUT;
        }
        bundle->section[k] = &at[offset];
        bundle->section_bytes[k] = entry.bytes;
        /* Rounded up it is still not beyond the end, which is a multiple too. */
        offset += (entry.bytes + TG_BUNDLE_ALIGNMENT - 1) / TG_BUNDLE_ALIGNMENT * TG_BUNDLE_ALIGNMENT;
    }
    return offset == end ? TG_UPDATE_OK : TG_UPDATE_LAYOUT;
}

static tg_update_result check_sections(const tg_bundle *bundle, const uint8_t *at)
{
    for (uint32_t k = 0; k < TG_BUNDLE_SECTIONS; k++) {
        const tg_bundle_entry entry = entry_at(at, k);
        uint8_t hash[TG_BUNDLE_HASH_BYTES];
        crypto_blake2b(hash, sizeof hash, bundle->section[k], bundle->section_bytes[k]);
        if (memcmp(hash, entry.hash, sizeof hash) != 0) {
            return TG_UPDATE_HASH;
        }
    }
    return TG_UPDATE_OK;
}

static tg_update_result check_signature(const tg_bundle *bundle, const uint8_t *at, const uint8_t *key)
{
    static const uint8_t never_set[TG_BUNDLE_KEY_BYTES];
    const uint32_t end = bundle->header.total_bytes - TG_BUNDLE_SIGNATURE_BYTES;
    const bool is_signed =
        memcmp(key, never_set, sizeof never_set) != 0 && crypto_eddsa_check(&at[end], key, at, end) == 0;
    return is_signed ? TG_UPDATE_OK : TG_UPDATE_SIGNATURE;
}

tg_update_result tg_bundle_check(tg_bundle *bundle, const uint8_t *at, uint32_t bytes, const tg_target *target,
                                 const tg_release *floor)
{
    *bundle = (tg_bundle){ 0 };
    if (bytes < TG_BUNDLE_MIN_BYTES) {
        return TG_UPDATE_SIZE;
    }
    memcpy(&bundle->header, at, sizeof bundle->header);
    tg_update_result result = tg_bundle_check_header(&bundle->header, target, floor, bytes);
    if (result == TG_UPDATE_OK) {
        result = check_table(bundle, at);
    }
    if (result == TG_UPDATE_OK) {
        result = check_sections(bundle, at);
    }
    return result != TG_UPDATE_OK ? result : check_signature(bundle, at, target->key);
}
