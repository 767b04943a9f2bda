/* Replaces the model by a bundle, in a way that neither a bad bundle nor a power cut leaves the device without one.
 *
 * There are two slots. One may be active: its bundle is confirmed and starts. A new one goes to the other slot:
 *
 *     state         on                                     result            next
 *     any but TRIAL begin                                                    DOWNLOADING, and the slot is erased
 *     DOWNLOADING   write: the header arrived and is bad   of bundle.h       EMPTY
 *     DOWNLOADING   finish: bundle or self-test is bad     of bundle.h, or   EMPTY
 *                                                          of the self-test
 *     DOWNLOADING   finish: all is good                    OK                VERIFIED
 *     DOWNLOADING   start                                  INTERRUPTED       EMPTY
 *     VERIFIED      activate                               OK                TRIAL, 0 starts
 *     TRIAL         start, max_starts reached              NOT_CONFIRMED     EMPTY: rollback
 *     TRIAL         start, bundle is bad                   of bundle.h       EMPTY: rollback
 *     TRIAL         start                                                    TRIAL, one more start; it runs
 *     TRIAL         health: OK                             OK                CONFIRMED, and active
 *     TRIAL         health: anything else                  that              EMPTY: rollback, at the next start
 *     CONFIRMED     start, bundle is bad, slot active      of bundle.h       EMPTY; the other slot is active if it is
 *                                                                            CONFIRMED, else the built-in model
 *     CONFIRMED     start, slot active                                       the same; it runs
 *
 * Until a trial is confirmed the active slot stays what it was, so rolling back is to forget the trial; its slot is
 * not written to. Every start checks in full what it runs. Each change of state is one record of metadata.h, written
 * before what relies on it: a start is counted before the trial runs, a slot forgotten before it is erased. The last
 * result is in the record. `begin` never takes the slot that runs, though it was rolled back or replaced.
 *
 * A release is refused if it is before `built_in` or before the latest one ever confirmed. What falls back from a
 * damaged slot may be older: it was confirmed here.
 */
#ifndef TG_UPDATE_UPDATE_H
#define TG_UPDATE_UPDATE_H

#include "metadata.h"

#define TG_UPDATE_MAX_UNIT 64 /* bytes; units divide it */

typedef struct {
    tg_flash flash;
    uint32_t first_block; /* of metadata; both slots follow */
    uint32_t slot_blocks; /* of one slot */
    uint32_t max_starts;  /* of a trial, 1 to 255 */
    tg_target target;
    tg_release built_in;

    /* Runs a bundle that is good in all else where it lies, and says OK, SELF_TEST or OVER_BUDGET. */
    tg_update_result (*self_test)(void *context, const tg_bundle *bundle);
    void *context;
} tg_update_config;

typedef struct {
    const tg_update_config *config;
    tg_metadata_log log;
    tg_bundle bundle; /* that runs, unless it is the built-in model */
    uint8_t running;  /* slot or TG_BUILT_IN */

    /* Of a download: bytes announced, received and programmed, and those that wait for a unit to be full. */
    uint32_t announced;
    uint32_t received;
    uint32_t programmed;
    uint8_t unit[TG_UPDATE_MAX_UNIT];
} tg_update;

/* Whether slots and metadata fit the flash, whole records its blocks, and whole units a record. */
bool tg_update_check(const tg_update_config *config);

/* Once at each start of the device, with a configuration that was checked. Returns what runs: a slot, whose bundle is
 * then in `update`, or TG_BUILT_IN. */
uint8_t tg_update_start(tg_update *update, const tg_update_config *config);

/* Announces a bundle of `bytes`. */
tg_update_result tg_update_begin(tg_update *update, uint32_t bytes);

/* The next bytes of it. */
tg_update_result tg_update_write(tg_update *update, const uint8_t *data, uint32_t bytes);

/* It is complete. */
tg_update_result tg_update_finish(tg_update *update);

/* Has the verified bundle tried from the next start on. */
tg_update_result tg_update_activate(tg_update *update);

/* What the health check of the running trial says: OK, or why not. */
tg_update_result tg_update_health(tg_update *update, tg_update_result health);

#endif
