#include "app.h"
#include "boards/common/stream.h"

int main(void)
{
    uint8_t byte;
    uint8_t record[TG_RECORD_BYTES];
    tg_stream_init();
    if (!tg_app_init()) {
        return 1;
    }
    while (tg_stream_read(&byte)) {
        tg_app_feed(byte);
        while (tg_app_poll(record)) {
            for (int i = 0; i < TG_RECORD_BYTES; i++) {
                tg_stream_write(record[i]);
            }
        }
    }
    return 0;
}
