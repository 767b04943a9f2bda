/* Runs one generated network, compiled once per network with names of its own: reads a u32 number of windows and their
 * input codes, and writes after each operation its output, and after the last the score codes. */
#include "boards/common/host.h"
#include "model.h"

bool TG_CASE(void);

static bool run_window(void)
{
    bool done = tg_host_read(tg_model_input(), TG_MODEL_INPUT_BYTES);
    for (uint32_t i = 0; done && i < TG_MODEL_OPS; i++) {
        tg_model_ops[i].run();
        done = tg_host_write(tg_model_ops[i].output, tg_model_ops[i].output_bytes);
    }
    for (uint32_t k = 0; done && k < TG_MODEL_OUTPUTS; k++) {
        const int32_t code = tg_model_score(k);
        done = tg_host_write(&code, sizeof code);
    }
    return done && tg_model_arena_intact();
}

bool TG_CASE(void)
{
    uint32_t n_windows;
    bool done = tg_host_read(&n_windows, sizeof n_windows);
    tg_model_init();
    for (uint32_t i = 0; done && i < n_windows; i++) {
        done = run_window();
    }
    return done;
}
