set(board_sources boards/common/startup.c boards/common/systick.c)
set(board_sources_app boards/common/cmsdk_uart.c)
set(board_sources_harness boards/common/semihosting.c)
set(board_sources_replay ${board_sources_harness} sim/sensor_interrupt.c)
# Of libc only memcpy and memset are used; the build stage checks that.
set(board_link_options
    -nostdlib -Wl,--defsym=tg_stack_size=${TG_STACK_BYTES} -Wl,-L,${CMAKE_CURRENT_SOURCE_DIR}/boards/common
    -T ${CMAKE_CURRENT_SOURCE_DIR}/boards/${TG_BOARD}/memory.ld)
set(board_link_libraries c gcc)
