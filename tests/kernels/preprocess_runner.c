/* Runs generated preprocessing programs: for each, request.bin holds a u32 number of windows and their samples, and
 * response.bin takes the codes of every window. */
#include <stdlib.h>

#include "boards/common/host.h"

typedef struct {
    void (*run)(const void *samples, int8_t *codes);
    void *samples;
    uint32_t samples_bytes;
    int8_t *codes;
    uint32_t codes_bytes;
} preprocess_case;

/* Written by the test: `cases`, with buffers of each program's exact size. */
#include "cases.h"

static bool run_case(const preprocess_case *c)
{
    uint32_t n_windows;
    bool done = tg_host_read(&n_windows, sizeof n_windows);
    for (uint32_t i = 0; done && i < n_windows; i++) {
        done = tg_host_read(c->samples, c->samples_bytes);
        c->run(c->samples, c->codes);
        done = done && tg_host_write(c->codes, c->codes_bytes);
    }
    return done;
}

int main(void)
{
    bool done = tg_host_open();
    for (uint32_t i = 0; done && i < sizeof cases / sizeof cases[0]; i++) {
        done = run_case(&cases[i]);
    }
    tg_host_exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}
