/* NOR flash in RAM, whose power fails at a chosen operation.
 *
 * An operation erases one block, or programs one unit. The one at which the power fails
 *
 *     TG_CUT_BEFORE    has done nothing
 *     TG_CUT_DURING    has done a part of it: some bits are as before and the others as after
 *     TG_CUT_AFTER     is complete, but nobody is told
 *
 * and from then on nothing changes any more, and every operation says that it failed, until the power is on again. What
 * a part is comes from the seed: the beginning or the end up to any byte, with that byte's bits mixed; or all bits mixed.
 * TG_CUT_WORN is no cut: that operation does a part and fails, as where the flash is worn, and the next ones work.
 *
 * A unit that was programmed, even in part, takes nothing before its block is erased; that, and an operation outside the
 * flash or not on whole units, is a misuse: it is counted and fails.
 */
#ifndef TG_SIM_FLASH_H
#define TG_SIM_FLASH_H

#include "update/flash.h"

typedef enum {
    TG_CUT_BEFORE,
    TG_CUT_DURING,
    TG_CUT_AFTER,
    TG_CUT_WORN,
} tg_cut;

typedef struct {
    uint8_t *bytes;    /* [blocks * block_bytes] */
    uint32_t *erased;  /* [blocks] wear: erasures begun */
    uint8_t *used;     /* [blocks * block_bytes / unit_bytes] a unit was programmed since it was erased */
    uint32_t blocks;
    uint32_t block_bytes;
    uint32_t unit_bytes;
    uint32_t operations; /* since the power is on, the one that it failed at included */
    uint32_t cut_at;     /* the operation, from 0; UINT32_MAX is none */
    tg_cut cut;
    uint32_t random; /* state, from the seed */
    bool is_off;
    uint32_t misuses;
} tg_sim_flash;

/* A flash that is erased all over, never worn, with the power on for good. The caller owns the memory. */
tg_sim_flash tg_sim_flash_init(uint8_t *bytes, uint32_t *erased, uint8_t *used, uint32_t blocks, uint32_t block_bytes,
                               uint32_t unit_bytes);

/* Turns the power on until operation `cut_at`, from 0 at this call, in the way of `cut`. */
void tg_sim_flash_power(tg_sim_flash *sim, uint32_t cut_at, tg_cut cut, uint32_t seed);

/* As the code under test sees it. */
tg_flash tg_sim_flash_device(tg_sim_flash *sim);

#endif
