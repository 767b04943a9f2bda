#include "flash.h"

#include <string.h>

#define ERASED 0xFF

tg_sim_flash tg_sim_flash_init(uint8_t *bytes, uint32_t *erased, uint8_t *used, uint32_t blocks, uint32_t block_bytes,
                               uint32_t unit_bytes)
{
    memset(bytes, ERASED, (size_t)blocks * block_bytes);
    memset(erased, 0, blocks * sizeof *erased);
    memset(used, 0, (size_t)blocks * block_bytes / unit_bytes);
    return (tg_sim_flash){ .bytes = bytes,
                           .erased = erased,
                           .used = used,
                           .blocks = blocks,
                           .block_bytes = block_bytes,
                           .unit_bytes = unit_bytes,
                           .cut_at = UINT32_MAX };
}

void tg_sim_flash_power(tg_sim_flash *sim, uint32_t cut_at, tg_cut cut, uint32_t seed)
{
    sim->operations = 0;
    sim->cut_at = cut_at;
    sim->cut = cut;
    sim->random = seed;
    sim->is_off = false;
}

/* x = 1664525 x + 1013904223 modulo 2^32 (W. Press et al., Numerical Recipes); its upper half is the better one. */
static uint32_t next_random(tg_sim_flash *sim)
{
    sim->random = sim->random * UINT32_C(1664525) + UINT32_C(1013904223);
    return sim->random >> 16;
}

/* What byte i becomes: that of the data, or erased where there are none. */
static uint8_t target(const uint8_t *data, uint32_t i)
{
    return data == NULL ? ERASED : data[i];
}

/* Takes `bytes` at `at` a part of the way. */
static void tear(tg_sim_flash *sim, uint8_t *at, const uint8_t *data, uint32_t bytes)
{
    const uint32_t way = next_random(sim) % 4;
    const uint32_t reached = next_random(sim) % bytes;
    for (uint32_t i = 0; i < bytes; i++) {
        const bool is_done = way % 2 == 0 ? i < reached : i > reached;
        const bool is_mixed = way == 3 || i == reached;
        const uint32_t changed = is_mixed ? next_random(sim) : is_done ? 0xFF : 0;
        at[i] = (uint8_t)((target(data, i) & changed) | (at[i] & ~changed));
    }
}

static bool is_partial(const tg_sim_flash *sim)
{
    return sim->cut == TG_CUT_DURING || sim->cut == TG_CUT_WORN;
}

/* Whether the next operation changes anything. */
static bool is_begun(const tg_sim_flash *sim)
{
    return sim->operations != sim->cut_at || sim->cut != TG_CUT_BEFORE;
}

/* One operation: `bytes` at `at` change, in part, or not. Says whether they are known to have. */
static bool operate(tg_sim_flash *sim, uint8_t *at, const uint8_t *data, uint32_t bytes)
{
    const bool is_cut = sim->operations++ == sim->cut_at;
    if (is_cut && is_partial(sim)) {
        tear(sim, at, data, bytes);
    } else if (!is_cut || sim->cut == TG_CUT_AFTER) {
        for (uint32_t i = 0; i < bytes; i++) {
            at[i] = target(data, i);
        }
    }
    sim->is_off = is_cut && sim->cut != TG_CUT_WORN;
    return !is_cut;
}

static bool erase(void *context, uint32_t block)
{
    tg_sim_flash *sim = context;
    if (sim->is_off) {
        return false;
    }
    if (block >= sim->blocks) {
        sim->misuses++;
        return false;
    }
    const uint32_t units = sim->block_bytes / sim->unit_bytes;
    if (is_begun(sim)) {
        /* After a part of an erasure nobody can count on any unit. */
        const bool is_torn = sim->operations == sim->cut_at && is_partial(sim);
        memset(&sim->used[block * units], is_torn, units);
        sim->erased[block]++;
    }
    return operate(sim, &sim->bytes[block * sim->block_bytes], NULL, sim->block_bytes);
}

static bool program(void *context, uint32_t at, const uint8_t *data, uint32_t bytes)
{
    tg_sim_flash *sim = context;
    const uint32_t end = sim->blocks * sim->block_bytes;
    if (sim->is_off) {
        return false;
    }
    if (at > end || bytes > end - at || at % sim->unit_bytes != 0 || bytes % sim->unit_bytes != 0) {
        sim->misuses++;
        return false;
    }
    for (uint32_t i = 0; i < bytes; i += sim->unit_bytes) {
        const uint32_t unit = (at + i) / sim->unit_bytes;
        if (sim->used[unit] != 0) {
            sim->misuses++;
            return false;
        }
        sim->used[unit] = is_begun(sim);
        if (!operate(sim, &sim->bytes[at + i], &data[i], sim->unit_bytes)) {
            return false;
        }
    }
    return true;
}

tg_flash tg_sim_flash_device(tg_sim_flash *sim)
{
    return (tg_flash){ .bytes = sim->bytes,
                       .blocks = sim->blocks,
                       .block_bytes = sim->block_bytes,
                       .unit_bytes = sim->unit_bytes,
                       .context = sim,
                       .erase = erase,
                       .program = program };
}
