# Adds the image network_runner to the firmware's own build, so that flags, startup and linking are those of a release.
#
#   cmake -S firmware -DTG_FORWARD_ONLY=ON -DCMAKE_PROJECT_tailgate_firmware_INCLUDE=<this file>
#         -DTG_CASES=<folder with cases.h, 0/model.c, 0/model.h, 0/contract.h, 1/...> -DTG_LAST_CASE=<number of the last>
set(sources ${CMAKE_CURRENT_LIST_DIR})

function(tg_add_network_runner)
    tg_add_image(network_runner ${board_sources} ${board_sources_harness} ${sources}/network_runner.c)
    target_include_directories(network_runner PRIVATE ${TG_CASES})
    foreach(case RANGE ${TG_LAST_CASE})
        add_library(case_${case} OBJECT ${TG_CASES}/${case}/model.c ${sources}/network_case.c)
        target_include_directories(case_${case} BEFORE PRIVATE ${TG_CASES}/${case})
        target_compile_definitions(case_${case} PRIVATE TG_CASE=case_${case})
        foreach(name ops init bind arena_intact arena input score run run_next)
            target_compile_definitions(case_${case} PRIVATE tg_model_${name}=tg_model_${name}_${case})
        endforeach()
        target_link_libraries(network_runner PRIVATE case_${case})
    endforeach()
endfunction()

# The board's variables are there only at the end of the firmware's CMakeLists.txt.
cmake_language(DEFER CALL tg_add_network_runner)
