/* The flash that updates are kept in, as the board gives it. sim/flash.h is one in RAM.
 *
 * It is read where it is mapped. Erased bytes are 0xFF. A block is the least that can be erased, a unit the least that
 * can be programmed, once after each erasure.
 */
#ifndef TG_UPDATE_FLASH_H
#define TG_UPDATE_FLASH_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    const uint8_t *bytes; /* [blocks][block_bytes] */
    uint32_t blocks;
    uint32_t block_bytes;
    uint32_t unit_bytes;
    void *context; /* for the two below */

    /* Erases one block. False if it did not come about. */
    bool (*erase)(void *context, uint32_t block);

    /* Programs whole erased units, in order; `at` counts bytes from the beginning. False as above. */
    bool (*program)(void *context, uint32_t at, const uint8_t *data, uint32_t bytes);
} tg_flash;

#endif
