/* Byte stream over an Arm CMSDK APB UART, polled. The board gives TG_UART_BASE. */
#include "board.h"
#include "boards/common/stream.h"

#define UART_DATA (*(volatile uint32_t *)(TG_UART_BASE + 0x0))
#define UART_STATE (*(volatile uint32_t *)(TG_UART_BASE + 0x4))
#define UART_CTRL (*(volatile uint32_t *)(TG_UART_BASE + 0x8))
#define UART_BAUDDIV (*(volatile uint32_t *)(TG_UART_BASE + 0x10))

#define STATE_TX_FULL UINT32_C(1)
#define STATE_RX_FULL UINT32_C(2)
#define CTRL_TX_ENABLE UINT32_C(1)
#define CTRL_RX_ENABLE UINT32_C(2)
#define BAUDDIV_MIN 16

void tg_stream_init(void)
{
    UART_BAUDDIV = BAUDDIV_MIN;
    UART_CTRL = CTRL_TX_ENABLE | CTRL_RX_ENABLE;
}

bool tg_stream_read(uint8_t *byte)
{
    while (!(UART_STATE & STATE_RX_FULL)) {
    }
    *byte = (uint8_t)UART_DATA;
    return true;
}

void tg_stream_write(uint8_t byte)
{
    while (UART_STATE & STATE_TX_FULL) {
    }
    UART_DATA = byte;
}
