set(board_cpu -mcpu=cortex-m55 -mthumb -mfloat-abi=hard)
include(boards/common/cortex_m.cmake)
