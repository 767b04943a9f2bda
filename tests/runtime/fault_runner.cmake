# Adds the image fault_runner to the firmware's own build, so that flags, startup and linking are those of a release.
#
#   cmake -S firmware -DTG_FORWARD_ONLY=ON -DCMAKE_PROJECT_tailgate_firmware_INCLUDE=<this file>
set(sources ${CMAKE_CURRENT_LIST_DIR})

function(tg_add_fault_runner)
    tg_add_image(
        fault_runner ${board_sources} ${board_sources_harness} ${sources}/fault_runner.c ${sources}/shim.c)
endfunction()

# The board's variables are there only at the end of the firmware's CMakeLists.txt.
cmake_language(DEFER CALL tg_add_fault_runner)
