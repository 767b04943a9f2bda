/* Arm MPS3 with AN547: Cortex-M55 in an SSE-300 subsystem. */
#ifndef TG_BOARD_H
#define TG_BOARD_H

#define TG_UART_BASE UINT32_C(0x59303000) /* UART0, secure alias: the core starts in Secure state */

#endif
