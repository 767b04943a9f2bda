/* Consistent overhead byte stuffing (S. Cheshire and M. Baker, IEEE/ACM Transactions on Networking 7, 1999).
 *
 * A packet is written without a zero in it, and then one zero: so a receiver finds the next packet after anything.
 * Blocks of up to 254 non-zero bytes stand behind their length + 1; a block of less than 254 stands for its bytes and
 * a zero, but for the packet's last.
 */
#ifndef TG_RUNTIME_COBS_H
#define TG_RUNTIME_COBS_H

#include <stdint.h>

/* Bytes that a packet of `bytes` takes at most, its final zero included. */
#define TG_COBS_MAX_BYTES(bytes) ((bytes) + (bytes) / 254 + 2)

typedef struct {
    uint8_t *out;    /* owned by the caller */
    uint32_t length; /* written so far */
    uint32_t block;  /* where the length of the open block goes */
} tg_cobs;

/* Begins a packet at `out`. */
tg_cobs tg_cobs_begin(uint8_t *out);

/* Appends one byte. */
void tg_cobs_put(tg_cobs *cobs, uint8_t byte);

/* Ends the packet and returns its length. */
uint32_t tg_cobs_end(tg_cobs *cobs);

/* Takes the stuffing out of what stood between two zeros, in place. Returns its length, 0 if it was not stuffed so. */
uint32_t tg_cobs_decode(uint8_t *packet, uint32_t length);

#endif
