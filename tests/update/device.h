/* A device of the tests: simulated flash, updates, and a self-test and health that say what they are told to. */
#ifndef TG_TESTS_UPDATE_DEVICE_H
#define TG_TESTS_UPDATE_DEVICE_H

#include "sim/flash.h"
#include "update/update.h"

#define DEVICE_FIRST_BLOCK 1 /* what is before it belongs to somebody else, and is never written to */

typedef struct {
    uint32_t block_bytes;
    uint32_t unit_bytes;
    uint32_t slot_blocks;
} device_geometry;

typedef struct {
    tg_sim_flash flash;
    tg_update_config config;
    tg_update update;
    tg_update_result self_test; /* what it says */
    uint32_t self_tests;        /* how often it was asked */
} device;

/* A device as it leaves the factory, started. NULL if the geometry is refused. It is released with device_free. */
device *device_new(const device_geometry *geometry, const tg_target *target, uint32_t max_starts,
                   const tg_release *built_in);
void device_free(device *it);

/* Flash, wear and all, as those of another device of the same geometry. */
void device_copy(device *to, const device *from);

/* Its parts, and what its self-test says from now on; returns how often that was asked. */
tg_update *device_update(device *it);
tg_sim_flash *device_flash(device *it);
uint32_t device_self_test(device *it, tg_update_result says);

/* Switches off and on, where the power is cut at an operation as in sim/flash.h. Returns what runs. */
uint8_t device_start(device *it, uint32_t cut_at, tg_cut cut, uint32_t seed);

/* Begin, write in pieces, finish; returns the first result that is not OK. */
tg_update_result device_receive(device *it, const uint8_t *bundle, uint32_t bytes, uint32_t piece);

/* Bytes of a slot, and of one of the two blocks of metadata. */
uint8_t *device_slot(device *it, uint32_t slot);
uint8_t *device_block(device *it, uint32_t block);

/* The record that a start now would find. */
tg_metadata device_metadata(const device *it);

#endif
