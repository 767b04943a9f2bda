/* The harness's files through Arm semihosting (Arm, "Semihosting for AArch32 and AArch64"). */
#include "boards/common/host.h"
#include "boards/common/vectors.h"

#include "runtime/stack.h"

enum {
    SYS_OPEN = 0x01,
    SYS_CLOSE = 0x02,
    SYS_WRITE = 0x05,
    SYS_READ = 0x06,
    SYS_EXIT_EXTENDED = 0x20,
};

enum { MODE_RB = 1, MODE_WB = 5 };

#define ADP_STOPPED_APPLICATION_EXIT 0x20026u
#define FAULT_STATUS 70 /* EX_SOFTWARE of sysexits.h */

extern uint32_t tg_stack_low[], tg_stack_top[];

static int32_t request = -1;
static int32_t response = -1;

static int32_t semihost(uint32_t operation, const void *arguments)
{
    register uint32_t r0 __asm("r0") = operation;
    register const void *r1 __asm("r1") = arguments;
    __asm volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return (int32_t)r0;
}

static int32_t open_file(const char *name, uint32_t name_bytes, uint32_t mode)
{
    const uintptr_t arguments[] = { (uintptr_t)name, mode, name_bytes };
    return semihost(SYS_OPEN, arguments);
}

/* SYS_READ and SYS_WRITE return how many bytes were left over. */
static bool transfer(uint32_t operation, int32_t file, uintptr_t data, uint32_t bytes)
{
    const uintptr_t arguments[] = { (uintptr_t)file, data, bytes };
    return semihost(operation, arguments) == 0;
}

bool tg_host_open(void)
{
    static const char request_name[] = "request.bin";
    static const char response_name[] = "response.bin";
    request = open_file(request_name, sizeof request_name - 1, MODE_RB);
    response = open_file(response_name, sizeof response_name - 1, MODE_WB);
    return request >= 0 && response >= 0;
}

bool tg_host_read(void *data, uint32_t bytes)
{
    return transfer(SYS_READ, request, (uintptr_t)data, bytes);
}

bool tg_host_write(const void *data, uint32_t bytes)
{
    return transfer(SYS_WRITE, response, (uintptr_t)data, bytes);
}

_Noreturn void tg_host_exit(int status)
{
    const uintptr_t file[] = { (uintptr_t)response };
    (void)semihost(SYS_CLOSE, file);
    const uintptr_t arguments[] = { ADP_STOPPED_APPLICATION_EXIT, (uintptr_t)status };
    (void)semihost(SYS_EXIT_EXTENDED, arguments);
    for (;;) {
    }
}

void tg_fault(void)
{
    tg_host_exit(FAULT_STATUS);
}

static uint32_t bytes_between(const uint32_t *begin, const uint32_t *end)
{
    return (uint32_t)((uintptr_t)end - (uintptr_t)begin);
}

uint32_t tg_stack_bytes(void)
{
    return bytes_between(tg_stack_low, tg_stack_top);
}

uint32_t tg_stack_used(void)
{
    return tg_stack_high_water(tg_stack_low, tg_stack_top);
}
