#include "boards/common/stream.h"
#include "forward.h"

int main(void)
{
    static uint8_t out[TG_FORWARD_OUT_BYTES];
    uint8_t byte;
    tg_stream_init();
    tg_forward_init();
    while (tg_stream_read(&byte)) {
        const uint32_t length = tg_forward_feed(byte, out);
        for (uint32_t i = 0; i < length; i++) {
            tg_stream_write(out[i]);
        }
    }
    return 0;
}
