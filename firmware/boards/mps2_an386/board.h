/* Arm MPS2 with AN386: Cortex-M4 with FPU in a CMSDK system. */
#ifndef TG_BOARD_H
#define TG_BOARD_H

#define TG_UART_BASE UINT32_C(0x40004000) /* UART0 */

#endif
