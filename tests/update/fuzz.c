/* What reads bytes that anybody may have written, for a fuzzer: LLVMFuzzerTestOneInput of libFuzzer, or fuzz_driver.c.
 *
 * The first byte of an input says what the others are:
 *
 *     0  a bundle                    taken only if it is the one good bundle
 *     1  a bundle, hashed anew       the same: hashes prove nothing
 *     2  a bundle, hashed and signed its sections lie one behind the other within it, if it is taken
 *     3  metadata, then calls        whatever the flash says, only the good bundle runs, and the record stays consistent
 *     4  the same, each record's checksum made right
 *     5  bytes on the line           the same, from a device as new
 *     6  type, length and content of questions, made frames; of types from 128 on, the content is the good bundle's
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "runtime/crc32.h"
#include "third_party/monocypher/monocypher.h"
#include "update/link.h"

#define CHECK(condition)                                                    \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __func__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

#define GOOD_BYTES 704
#define BLOCK_BYTES 256
#define UNIT_BYTES 16
#define SLOT_BLOCKS 3
#define MAX_STARTS 2
#define METADATA_BYTES (TG_METADATA_BLOCKS * BLOCK_BYTES)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const device_geometry geometry = { BLOCK_BYTES, UNIT_BYTES, SLOT_BLOCKS };
static const tg_release floor_release = { { 1, 0, 0 } };
static uint8_t secret[64];
static tg_target target = { .interface_version = 5, .board = 1, .arena_bytes = 6048 };
static uint8_t good[GOOD_BYTES];
static device *it;

/* Makes the hashes of a table right, as far as its sections are there, and the signature if wanted. */
static void seal(uint8_t *at, uint32_t bytes, bool is_signed)
{
    for (uint32_t k = 0; k < TG_BUNDLE_SECTIONS && bytes >= TG_BUNDLE_MIN_BYTES; k++) {
        uint8_t *place = &at[sizeof(tg_bundle_header) + k * sizeof(tg_bundle_entry)];
        tg_bundle_entry entry;
        memcpy(&entry, place, sizeof entry);
        if (entry.offset <= bytes && entry.bytes <= bytes - entry.offset) {
            crypto_blake2b(entry.hash, sizeof entry.hash, &at[entry.offset], entry.bytes);
            memcpy(place, &entry, sizeof entry);
        }
    }
    if (is_signed && bytes >= TG_BUNDLE_MIN_BYTES) {
        const uint32_t end = bytes - TG_BUNDLE_SIGNATURE_BYTES;
        crypto_eddsa_sign(&at[end], secret, at, end);
    }
}

static void make_good(void)
{
    tg_bundle_header header = { .magic = TG_BUNDLE_MAGIC,
                                .format = TG_BUNDLE_FORMAT,
                                .header_bytes = sizeof header,
                                .entry_bytes = sizeof(tg_bundle_entry),
                                .sections = TG_BUNDLE_SECTIONS,
                                .total_bytes = GOOD_BYTES,
                                .flags = TG_BUNDLE_SIGNED,
                                .interface_version = target.interface_version,
                                .release = { { 1, 2, 3 } },
                                .boards = target.board,
                                .arena_bytes = target.arena_bytes };
    memcpy(header.preprocess_id, target.preprocess_id, sizeof header.preprocess_id);
    memcpy(header.graph_hash, target.graph_hash, sizeof header.graph_hash);
    memcpy(good, &header, sizeof header);
    for (uint32_t k = 0; k < TG_BUNDLE_SECTIONS; k++) {
        const tg_bundle_entry entry = { .kind = k + 1, .offset = TG_BUNDLE_BEGIN + 32 * k, .bytes = 32 - k };
        memcpy(&good[sizeof header + k * sizeof entry], &entry, sizeof entry);
        memset(&good[entry.offset], (int)k + 1, entry.bytes);
    }
    seal(good, GOOD_BYTES, true);
}

static void set_up(void)
{
    uint8_t seed[32] = { 1 };
    memset(target.preprocess_id, 2, sizeof target.preprocess_id);
    memset(target.graph_hash, 3, sizeof target.graph_hash);
    crypto_eddsa_key_pair(secret, target.key, seed);
    make_good();
    it = device_new(&geometry, &target, MAX_STARTS, &floor_release);
}

/* In memory of exactly its size, so that the address sanitizer sees its ends. */
static void check_bundle(const uint8_t *data, uint32_t bytes, uint8_t kind)
{
    uint8_t *at = malloc(bytes + 1);
    uint8_t *copy = realloc(at, bytes > 0 ? bytes : 1);
    memcpy(copy, data, bytes);
    if (kind > 0) {
        seal(copy, bytes, kind == 2);
    }
    tg_bundle bundle;
    const tg_update_result result = tg_bundle_check(&bundle, copy, bytes, &target, &floor_release);
    CHECK(result <= TG_UPDATE_SIGNATURE);
    if (result == TG_UPDATE_OK && kind < 2) {
        CHECK(bytes >= GOOD_BYTES && memcmp(copy, good, GOOD_BYTES) == 0);
    }
    const uint8_t *end = &copy[TG_BUNDLE_BEGIN];
    for (uint32_t k = 0; k < TG_BUNDLE_SECTIONS && result == TG_UPDATE_OK; k++) {
        CHECK(bundle.section[k] >= end && bundle.section[k] < end + TG_BUNDLE_ALIGNMENT);
        end = bundle.section[k] + bundle.section_bytes[k];
        CHECK(end <= &copy[bytes - TG_BUNDLE_SIGNATURE_BYTES]);
    }
    free(copy);
}

/* What must hold whatever was in the flash. */
static void check_device(void)
{
    const uint8_t running = it->update.running;
    CHECK(running == TG_BUILT_IN || memcmp(device_slot(it, running), good, GOOD_BYTES) == 0);
    CHECK(tg_metadata_is_consistent(&it->update.log.now));
    CHECK(it->flash.misuses == 0);
}

/* One call, chosen by two bytes of the input. */
static void call(uint8_t which, uint8_t detail)
{
    static const uint8_t noise[256] = { 0x54, 0x47, 0x42, 0x32, 2 };
    switch (which % 8) {
    case 0:
        (void)!tg_update_begin(&it->update, detail % 4 == 0 ? detail * 8u : GOOD_BYTES);
        break;
    case 1:
        (void)!tg_update_write(&it->update, noise, detail);
        break;
    case 2:
        (void)!tg_update_finish(&it->update);
        break;
    case 3:
        (void)!tg_update_activate(&it->update);
        break;
    case 4:
        (void)!tg_update_health(&it->update, (tg_update_result)(detail % 16));
        break;
    case 5:
        (void)!device_receive(it, good, GOOD_BYTES, detail + 1u);
        break;
    case 6:
        device_start(it, detail, (tg_cut)(detail % 4), detail);
        break;
    default:
        device_start(it, UINT32_MAX, TG_CUT_BEFORE, 0);
        break;
    }
}

/* Flash as it comes: the input's metadata, and the good bundle in both slots. */
static void fill_flash(const uint8_t *data, bool is_right)
{
    memcpy(device_block(it, 0), data, METADATA_BYTES);
    for (uint32_t at = 0; at < METADATA_BYTES && is_right; at += sizeof(tg_metadata)) {
        uint32_t crc = TG_CRC32_START;
        for (uint32_t i = 0; i < offsetof(tg_metadata, crc); i++) {
            crc = tg_crc32_update(crc, device_block(it, 0)[at + i]);
        }
        crc = tg_crc32_value(crc);
        memcpy(&device_block(it, 0)[at + offsetof(tg_metadata, crc)], &crc, sizeof crc);
    }
    for (uint32_t s = 0; s < TG_UPDATE_SLOTS; s++) {
        memcpy(device_slot(it, s), good, GOOD_BYTES);
    }
    memset(it->flash.used, 1, it->flash.blocks * BLOCK_BYTES / UNIT_BYTES);
    it->flash.misuses = 0;
}

static void check_metadata(const uint8_t *data, uint32_t bytes, bool is_right)
{
    if (bytes < METADATA_BYTES) {
        return;
    }
    fill_flash(data, is_right);
    device_start(it, UINT32_MAX, TG_CUT_BEFORE, 0);
    check_device();
    for (uint32_t at = METADATA_BYTES; at + 1 < bytes && at < METADATA_BYTES + 32; at += 2) {
        call(data[at], data[at + 1]);
        check_device();
    }
}

static tg_update_result take_block(void *context, const uint8_t *content, uint32_t bytes, uint8_t *records,
                                   uint32_t *record_bytes)
{
    (void)context;
    *record_bytes = bytes % (TG_LINK_MAX_RECORDS + 1);
    memset(records, bytes > 0 ? content[bytes - 1] : 0, *record_bytes);
    return *record_bytes > 0 ? TG_UPDATE_OK : TG_UPDATE_SIZE;
}

static void feed(tg_link *link, const uint8_t *bytes, uint32_t n)
{
    uint8_t out[TG_LINK_OUT_BYTES];
    for (uint32_t i = 0; i < n; i++) {
        const uint32_t length = tg_link_feed(link, bytes[i], out);
        CHECK(length <= TG_LINK_OUT_BYTES && (length == 0 || (length >= 13 && out[length - 1] == 0)));
        if (link->is_restart_due) {
            link->is_restart_due = false;
            device_start(it, UINT32_MAX, TG_CUT_BEFORE, 0);
        }
        if (length > 0) {
            check_device();
        }
    }
}

/* A question as a frame. Returns its bytes in the packet. */
static uint32_t frame(uint8_t *packet, uint8_t type, uint32_t sequence, const uint8_t *content, uint32_t bytes)
{
    uint8_t body[8 + UINT8_MAX + 4] = { TG_LINK_VERSION, type };
    memcpy(&body[4], &sequence, sizeof sequence);
    memcpy(&body[8], content, bytes);
    uint32_t crc = TG_CRC32_START;
    for (uint32_t i = 0; i < 8 + bytes; i++) {
        crc = tg_crc32_update(crc, body[i]);
    }
    crc = tg_crc32_value(crc);
    memcpy(&body[8 + bytes], &crc, sizeof crc);
    tg_cobs cobs = tg_cobs_begin(packet);
    for (uint32_t i = 0; i < 8 + bytes + 4; i++) {
        tg_cobs_put(&cobs, body[i]);
    }
    return tg_cobs_end(&cobs);
}

static void ask(tg_link *link, const uint8_t *data, uint32_t bytes)
{
    uint8_t packet[TG_COBS_MAX_BYTES(8 + UINT8_MAX + 4)];
    for (uint32_t at = 0, sequence = 0; at + 1 < bytes; sequence++) {
        const uint8_t type = data[at] % 128;
        const bool is_good = data[at] >= 128;
        uint32_t n = data[at + 1];
        at += 2;
        if (is_good) {
            const uint32_t sent = it->update.received < GOOD_BYTES ? it->update.received : 0;
            n = n < GOOD_BYTES - sent ? n : GOOD_BYTES - sent;
            feed(link, packet, frame(packet, type, sequence, &good[sent], n));
        } else {
            n = n < bytes - at ? n : bytes - at;
            feed(link, packet, frame(packet, type, sequence, &data[at], n));
            at += n;
        }
    }
}

static void check_link(const uint8_t *data, uint32_t bytes, bool is_framed)
{
    static tg_link link;
    static uint8_t erased[METADATA_BYTES];
    memset(erased, 0xFF, sizeof erased);
    fill_flash(erased, false);
    device_start(it, UINT32_MAX, TG_CUT_BEFORE, 0);
    link = (tg_link){ .update = &it->update, .block = take_block };
    if (is_framed) {
        ask(&link, data, bytes);
    } else {
        feed(&link, data, bytes);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (it == NULL) {
        set_up();
    }
    if (size == 0 || size > UINT32_MAX) {
        return 0;
    }
    const uint8_t kind = data[0] % 7;
    const uint32_t bytes = (uint32_t)size - 1;
    if (kind < 3) {
        check_bundle(&data[1], bytes, kind);
    } else if (kind < 5) {
        check_metadata(&data[1], bytes, kind == 4);
    } else {
        check_link(&data[1], bytes, kind == 6);
    }
    return 0;
}
