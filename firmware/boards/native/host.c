#include "boards/common/host.h"

#include <stdio.h>
#include <stdlib.h>

static FILE *request;
static FILE *response;

bool tg_host_open(void)
{
    request = fopen("request.bin", "rb");
    response = fopen("response.bin", "wb");
    return request != NULL && response != NULL;
}

bool tg_host_read(void *data, uint32_t bytes)
{
    return fread(data, 1, bytes, request) == bytes;
}

bool tg_host_write(const void *data, uint32_t bytes)
{
    return fwrite(data, 1, bytes, response) == bytes;
}

_Noreturn void tg_host_exit(int status)
{
    const bool closed = response == NULL || fclose(response) == 0;
    exit(closed ? status : EXIT_FAILURE);
}

uint32_t tg_stack_bytes(void)
{
    return 0;
}

uint32_t tg_stack_used(void)
{
    return 0;
}
