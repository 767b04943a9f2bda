# Adds the image preprocess_runner to the firmware's own build, so that flags, startup and linking are those of a release.
#
#   cmake -S firmware -DTG_FORWARD_ONLY=ON -DCMAKE_PROJECT_tailgate_firmware_INCLUDE=<this file>
#         -DTG_RUNNER_SOURCE=<preprocess_runner.c> -DTG_CASES=<folder with cases.h, 0/preprocess.c, 1/preprocess.c, ...>
#         -DTG_LAST_CASE=<number of the last>
function(tg_add_preprocess_runner)
    tg_add_image(preprocess_runner ${board_sources} ${board_sources_harness} ${TG_RUNNER_SOURCE})
    target_include_directories(preprocess_runner PRIVATE ${TG_CASES})
    foreach(case RANGE ${TG_LAST_CASE})
        add_library(case_${case} OBJECT ${TG_CASES}/${case}/preprocess.c)
        target_compile_definitions(case_${case} PRIVATE tg_preprocess=tg_preprocess_${case})
        target_link_libraries(preprocess_runner PRIVATE case_${case})
    endforeach()
endfunction()

# The board's variables are there only at the end of the firmware's CMakeLists.txt.
cmake_language(DEFER CALL tg_add_preprocess_runner)
