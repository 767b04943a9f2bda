#include "boards/common/stream.h"

#include <stdio.h>

void tg_stream_init(void)
{
}

bool tg_stream_read(uint8_t *byte)
{
    fflush(stdout); /* whoever is to send the next byte may wait for an answer to the last */
    const int value = getchar();
    *byte = (uint8_t)value;
    return value != EOF;
}

void tg_stream_write(uint8_t byte)
{
    putchar(byte);
}
