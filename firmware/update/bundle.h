/* The bundle that a device loads, and what it must be to run here. docs/bundle.md has the format; this is version 2.
 *
 * A bundle is used where it lies, little-endian: a header, a table of sections, the sections in the table's order from
 * multiples of 16 bytes on, and a signature over all that is before it. It is checked in this order, and the first thing
 * that is wrong is the result; nothing is read that an earlier check has not shown to be there:
 *
 *     step       result                    rule
 *     header     SIZE                      as long as a header, a table and a signature, and no longer than its place
 *                MAGIC, FORMAT             TG_BUNDLE_MAGIC, TG_BUNDLE_FORMAT
 *                LAYOUT                    sizes and number of the parts are this version's; reserved words are zero
 *                SIZE                      total is a multiple of 16, at least those parts, and fits its place
 *                DOWNGRADE                 release >= floor, by its three numbers in turn
 *                INTERFACE                 interface_version equal
 *                BOARD                     this board's bit is set
 *                ARENA                     arena_bytes <= those there are
 *                PREPROCESS, GRAPH         preprocess_id, graph_hash equal
 *                UNSIGNED                  the flag that it is signed is set
 *     table      LAYOUT                    kind k + 1, from where section k - 1 ended, the last one up to the signature
 *     sections   HASH                      BLAKE2b-256 of each is the table's
 *     signature  SIGNATURE                 EdDSA (Curve25519, BLAKE2b) by the device's key, which is not all zero
 *
 * A point of low order, as of a key that was never set, would take forged signatures: hence the last rule.
 */
#ifndef TG_UPDATE_BUNDLE_H
#define TG_UPDATE_BUNDLE_H

#include <stdint.h>

#include "result.h"

#define TG_BUNDLE_MAGIC UINT32_C(0x32424754) /* "TGB2" */
#define TG_BUNDLE_FORMAT 2
#define TG_BUNDLE_SIGNED UINT32_C(1) /* the only flag */
#define TG_BUNDLE_ALIGNMENT 16
#define TG_BUNDLE_HASH_BYTES 32
#define TG_BUNDLE_KEY_BYTES 32
#define TG_BUNDLE_SIGNATURE_BYTES 64

/* Sections; the kind of one in the table is its number here + 1. */
typedef enum {
    TG_BUNDLE_WEIGHTS,
    TG_BUNDLE_CONTRACT,
    TG_BUNDLE_PREPROCESS,
    TG_BUNDLE_CONFIG,
    TG_BUNDLE_CALIBRATION,
    TG_BUNDLE_GOLDEN,
    TG_BUNDLE_SECTIONS,
} tg_bundle_section;

typedef struct {
    uint32_t part[3]; /* major, minor, patch */
} tg_release;

typedef struct {
    uint32_t magic;
    uint32_t format;
    uint32_t header_bytes;
    uint32_t entry_bytes;
    uint32_t sections;
    uint32_t total_bytes;
    uint32_t flags;
    uint32_t interface_version;
    tg_release release;
    uint32_t boards;
    uint32_t arena_bytes;
    uint32_t reserved[3];
    uint8_t model_version[TG_BUNDLE_HASH_BYTES];
    uint8_t preprocess_id[TG_BUNDLE_HASH_BYTES];
    uint8_t graph_hash[TG_BUNDLE_HASH_BYTES];
} tg_bundle_header;

typedef struct {
    uint32_t kind;
    uint32_t offset;
    uint32_t bytes;
    uint32_t reserved;
    uint8_t hash[TG_BUNDLE_HASH_BYTES];
} tg_bundle_entry;

_Static_assert(sizeof(tg_bundle_header) == 160, "a header has no padding");
_Static_assert(sizeof(tg_bundle_entry) == 48, "an entry has no padding");

#define TG_BUNDLE_BEGIN (sizeof(tg_bundle_header) + TG_BUNDLE_SECTIONS * sizeof(tg_bundle_entry))
#define TG_BUNDLE_MIN_BYTES (TG_BUNDLE_BEGIN + TG_BUNDLE_SIGNATURE_BYTES)

/* A bundle that was found good: its header, and where its sections lie. */
typedef struct {
    tg_bundle_header header;
    const uint8_t *section[TG_BUNDLE_SECTIONS];
    uint32_t section_bytes[TG_BUNDLE_SECTIONS];
} tg_bundle;

/* What this device is. */
typedef struct {
    uint32_t interface_version;
    uint32_t board; /* its bit */
    uint32_t arena_bytes;
    uint8_t preprocess_id[TG_BUNDLE_HASH_BYTES];
    uint8_t graph_hash[TG_BUNDLE_HASH_BYTES];
    uint8_t key[TG_BUNDLE_KEY_BYTES]; /* public */
} tg_target;

/* -1, 0 or 1: a is before, the same as, or after b. */
int tg_release_compare(const tg_release *a, const tg_release *b);

/* The first step, of a bundle of which only the header need be there yet. `place_bytes` is the room for all of it. */
tg_update_result tg_bundle_check_header(const tg_bundle_header *header, const tg_target *target, const tg_release *floor,
                                        uint32_t place_bytes);

/* All steps, of `bytes` at `at`, of which there may be more than the bundle has. Fills `bundle` if the result is OK, and
 * its header whenever there are bytes for one. */
tg_update_result tg_bundle_check(tg_bundle *bundle, const uint8_t *at, uint32_t bytes, const tg_target *target,
                                 const tg_release *floor);

#endif
