/* The byte stream of a board: sensor counts in, records out. */
#ifndef TG_BOARDS_STREAM_H
#define TG_BOARDS_STREAM_H

#include <stdbool.h>
#include <stdint.h>

void tg_stream_init(void);

/* Waits for a byte. Returns false if there will never be one: only a host's stream ends. */
bool tg_stream_read(uint8_t *byte);

/* Waits until the byte is taken. */
void tg_stream_write(uint8_t byte);

#endif
