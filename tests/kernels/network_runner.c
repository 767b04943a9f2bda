/* Runs generated networks one after another on request.bin (network_case.c). */
#include <stdlib.h>

#include "boards/common/host.h"

/* Written by the test: the declarations of all cases, and the array `cases` of them. */
#include "cases.h"

int main(void)
{
    bool done = tg_host_open();
    tg_clock_init();
    for (uint32_t i = 0; done && i < sizeof cases / sizeof cases[0]; i++) {
        done = cases[i]();
    }
    tg_host_exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}
