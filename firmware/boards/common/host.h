/* What the harness needs of its board: the host's files, the stack, and the clock. Never part of the app. */
#ifndef TG_BOARDS_HOST_H
#define TG_BOARDS_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "boards/common/clock.h"

/* Opens request.bin for reading and response.bin for writing in the host's current directory. */
bool tg_host_open(void);

/* Reads or writes exactly `bytes`. */
bool tg_host_read(void *data, uint32_t bytes);
bool tg_host_write(const void *data, uint32_t bytes);

/* Closes both files and ends the run with an exit status. */
_Noreturn void tg_host_exit(int status);

/* Size of the stack and the most of it ever used; both 0 where the board does not own its stack. */
uint32_t tg_stack_bytes(void);
uint32_t tg_stack_used(void);

#endif
