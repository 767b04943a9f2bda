/* What the device remembers of its updates, kept in two blocks of flash.
 *
 * A record is the whole state. Records are appended to one block until it is full, or the device starts anew: then the
 * other block is erased, and the next record is its first. So the newest record is never in a block that is being
 * erased, and nothing is ever programmed behind a record that may have been cut short, or into a block whose erasure
 * may have been. The newest record with a valid checksum and a consistent state holds.
 *
 * Its bytes are those of the struct, little-endian; the checksum is runtime/crc32.h's of all before it.
 */
#ifndef TG_UPDATE_METADATA_H
#define TG_UPDATE_METADATA_H

#include "bundle.h"
#include "flash.h"

#define TG_METADATA_MAGIC UINT32_C(0x314D4754) /* "TGM1" */
#define TG_METADATA_BLOCKS 2
#define TG_UPDATE_SLOTS 2
#define TG_BUILT_IN TG_UPDATE_SLOTS /* no slot: the model that the firmware was compiled with */

typedef enum {
    TG_SLOT_EMPTY,
    TG_SLOT_DOWNLOADING,
    TG_SLOT_VERIFIED,
    TG_SLOT_TRIAL,
    TG_SLOT_CONFIRMED,
} tg_slot_state;

typedef struct {
    uint32_t magic;
    uint32_t sequence;             /* one more with each record */
    uint8_t slot[TG_UPDATE_SLOTS]; /* tg_slot_state */
    uint8_t active;                /* the slot that starts where there is no trial, or TG_BUILT_IN */
    uint8_t starts;                /* of the trial */
    uint8_t result;                /* the last tg_update_result, */
    uint8_t reserved[3];
    tg_release release; /* and of which release, as it says itself; zero if its header was not read */
    tg_release floor;   /* the latest release ever confirmed */
    uint32_t unused[5];
    uint32_t crc;
} tg_metadata;

_Static_assert(sizeof(tg_metadata) == 64, "a record has no padding, and is a multiple of every unit that divides it");

typedef struct {
    const tg_flash *flash;
    uint32_t first;  /* of the two blocks */
    uint32_t block;  /* 0 or 1: where the newest record is */
    uint32_t next;   /* place of the next record in it; at the end if it goes to the other */
    tg_metadata now; /* the newest record */
} tg_metadata_log;

/* Whether a state can be: at most one slot is on its way and it is not the active one, which is confirmed. */
bool tg_metadata_is_consistent(const tg_metadata *record);

/* Reads the newest record. Where there is none, both slots are empty and the built-in model is active. */
void tg_metadata_open(tg_metadata_log *log, const tg_flash *flash, uint32_t first);

/* Appends `log->now`, numbered and with its checksum. If it fails, the record before holds at the next start. */
bool tg_metadata_append(tg_metadata_log *log);

#endif
