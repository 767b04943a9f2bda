/* Exception handlers that an image may replace. */
#ifndef TG_BOARDS_VECTORS_H
#define TG_BOARDS_VECTORS_H

/* Any fault, and any exception without a handler of its own. By default it stops here. */
void tg_fault(void);

/* The system timer. By default a fault. */
void tg_systick(void);

#endif
