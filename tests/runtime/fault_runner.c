/* Judges windows: request.bin holds cases until a header of zeros, each a window and the limits to judge it by, and
 * response.bin takes the causes of each, and the ticks that they took. */
#include <stdlib.h>

#include "boards/common/host.h"
#include "shim.h"

enum { MAX_CHANNELS = 8, MAX_COUNTS = 1 << 15 };

typedef struct {
    uint32_t bytes; /* of a count */
    uint32_t frames;
    uint32_t channels;
    uint32_t n_limits; /* times channels */
} header;

static int32_t window[MAX_COUNTS];

static bool run_limits(const header *of)
{
    static tg_fault fault;
    static tg_fault_limits limits[MAX_CHANNELS];
    const tg_fault_timing any_time = { UINT32_MAX, 0, UINT32_MAX };
    tg_fault_init(&fault, &any_time);
    if (!tg_host_read(limits, of->channels * sizeof *limits)) {
        return false;
    }
    const uint64_t begin = tg_clock_ticks();
    const uint8_t causes = judge(&fault, limits, window, of->bytes, of->frames, of->channels, 0, 0);
    const uint32_t answer[] = { causes, (uint32_t)(tg_clock_ticks() - begin) };
    return tg_host_write(answer, sizeof answer);
}

static bool run_case(const header *of)
{
    const uint32_t bytes = of->bytes * of->frames * of->channels;
    bool done = of->channels <= MAX_CHANNELS && bytes <= sizeof window && tg_host_read(window, bytes);
    for (uint32_t i = 0; done && i < of->n_limits; i++) {
        done = run_limits(of);
    }
    return done;
}

int main(void)
{
    bool done = tg_host_open();
    tg_clock_init();
    header of;
    while (done && (done = tg_host_read(&of, sizeof of)) && of.frames > 0) {
        done = run_case(&of);
    }
    tg_host_exit(done ? EXIT_SUCCESS : EXIT_FAILURE);
}
