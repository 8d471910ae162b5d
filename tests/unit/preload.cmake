# Unit tests of what runs inside the target. Its sources are built a second time here, with the
# sanitizer, and without the hooks: those would intercept the calls of the tests themselves.
# A library of its own, since frames of the module that holds the unwinder are left out of stacks.
add_library(leakspy_preload_test_flags INTERFACE)
target_link_libraries(leakspy_preload_test_flags INTERFACE leakspy_flags)
add_library(
  preload_parts SHARED
  ${CMAKE_SOURCE_DIR}/preload/adapter_go.c
  ${CMAKE_SOURCE_DIR}/preload/adapter_pthread.c
  ${CMAKE_SOURCE_DIR}/preload/asleep.c
  ${CMAKE_SOURCE_DIR}/preload/blocked.c
  ${CMAKE_SOURCE_DIR}/preload/call_rows.c
  ${CMAKE_SOURCE_DIR}/preload/descriptor.c
  ${CMAKE_SOURCE_DIR}/preload/early.c
  ${CMAKE_SOURCE_DIR}/preload/frames.c
  ${CMAKE_SOURCE_DIR}/preload/go_calls.c
  ${CMAKE_SOURCE_DIR}/preload/go_labels.c
  ${CMAKE_SOURCE_DIR}/preload/go_locks.c
  ${CMAKE_SOURCE_DIR}/preload/go_module.c
  ${CMAKE_SOURCE_DIR}/preload/go_names.c
  ${CMAKE_SOURCE_DIR}/preload/go_program.c
  ${CMAKE_SOURCE_DIR}/preload/go_record.c
  ${CMAKE_SOURCE_DIR}/preload/go_table.c
  ${CMAKE_SOURCE_DIR}/preload/memory.c
  ${CMAKE_SOURCE_DIR}/preload/modules.c
  ${CMAKE_SOURCE_DIR}/preload/names.c
  ${CMAKE_SOURCE_DIR}/preload/own_stack.c
  ${CMAKE_SOURCE_DIR}/preload/own_tid.c
  ${CMAKE_SOURCE_DIR}/preload/place.c
  ${CMAKE_SOURCE_DIR}/preload/proc.c
  ${CMAKE_SOURCE_DIR}/preload/process_reader.c
  ${CMAKE_SOURCE_DIR}/preload/recorder.c
  ${CMAKE_SOURCE_DIR}/preload/recording_file.c
  ${CMAKE_SOURCE_DIR}/preload/relock.c
  ${CMAKE_SOURCE_DIR}/preload/sites.c
  ${CMAKE_SOURCE_DIR}/preload/slots.c
  ${CMAKE_SOURCE_DIR}/preload/tables.c
  ${CMAKE_SOURCE_DIR}/preload/unwind.c
  ${CMAKE_SOURCE_DIR}/preload/unwind_lock.c
  ${CMAKE_SOURCE_DIR}/preload/unwind_rules.c
  ${CMAKE_SOURCE_DIR}/preload/waits.c
  preload/parts_without_hooks.c)
target_link_libraries(preload_parts PRIVATE leakspy_preload_test_flags leakspy_goscan)
target_include_directories(preload_parts PRIVATE ${UNWIND_INCLUDE_DIRS})
target_compile_options(
  preload_parts
  PRIVATE -O2 -ftls-model=initial-exec -fno-omit-frame-pointer
          -fasynchronous-unwind-tables -fno-optimize-sibling-calls -Wno-shadow)
if(LEAKSPY_SANITIZE STREQUAL "thread")
  # Fences are beyond ThreadSanitizer: what they order are accesses that are atomic by themselves.
  target_compile_options(leakspy_preload_test_flags INTERFACE $<$<C_COMPILER_ID:GNU>:-Wno-tsan>)
endif()

add_library(recording_here STATIC preload/recording_here.c)
target_link_libraries(recording_here PUBLIC leakspy_preload_test_flags preload_parts PkgConfig::CMOCKA)

# preload_test(SUBJECT LIBRARIES...)
function(preload_test subject)
  leakspy_test(preload_${subject} SOURCES preload/test_${subject}.c
               LIBRARIES recording_here ${ARGN} LABEL preload)
endfunction()

preload_test(text)
preload_test(bytes)
preload_test(memory)
preload_test(own_tid)
# With a filter of its own, which is none.
add_library(credentials_here STATIC ${CMAKE_SOURCE_DIR}/preload/credentials.c)
target_link_libraries(credentials_here PRIVATE leakspy_preload_test_flags)
preload_test(credentials credentials_here)

# The library as it is shipped, and the source tree.
pkg_check_modules(LIBELF REQUIRED IMPORTED_TARGET libelf)
preload_test(exports PkgConfig::LIBELF)
target_compile_definitions(preload_exports
                           PRIVATE LEAKSPY_PRELOAD="$<TARGET_FILE:leakspy_preload>")
add_dependencies(preload_exports leakspy_preload)
set_property(TEST preload_exports APPEND PROPERTY LABELS compiled) # as in tests/e2e
leakspy_test(law SOURCES test_law.c)
target_compile_definitions(law PRIVATE LEAKSPY_SOURCE_DIR="${CMAKE_SOURCE_DIR}")
preload_test(descriptor)
preload_test(recorder)
preload_test(recorder_tasks)
add_library(goroutines_here STATIC preload/goroutines_here.c)
target_link_libraries(goroutines_here PUBLIC recording_here)
foreach(subject record waits calls selects locks labels)
  preload_test(go_${subject} goroutines_here)
endforeach()
preload_test(slots)
add_library(waiting_here STATIC preload/waiting_here.c)
target_link_libraries(waiting_here PUBLIC recording_here)
preload_test(wait waiting_here)
preload_test(wait_handlers waiting_here)
preload_test(sites)

# The sampler itself, where the test says when it looks.
add_library(
  sampler_here STATIC
  preload/sampler_here.c ${CMAKE_SOURCE_DIR}/preload/kernel_sleep.c ${CMAKE_SOURCE_DIR}/preload/look.c
  ${CMAKE_SOURCE_DIR}/preload/sampler.c)
target_link_libraries(sampler_here PUBLIC recording_here)
preload_test(sampler sampler_here)
preload_test(sampler_tasks sampler_here)
add_library(locking_here STATIC preload/locking_here.c)
target_link_libraries(locking_here PUBLIC sampler_here)
preload_test(sampler_locks locking_here)
preload_test(sampler_asleep locking_here)
foreach(fixture bare bare_go)
  add_library(preload_fixture_${fixture} MODULE preload/fixture_bare.c)
  target_link_libraries(preload_fixture_${fixture} PRIVATE leakspy_warnings)
endforeach()
target_compile_definitions(preload_fixture_bare_go PRIVATE FIXTURE_GO=1)
target_compile_definitions(
  preload_sampler_asleep PRIVATE FIXTURE_BARE="$<TARGET_FILE:preload_fixture_bare>"
                                 FIXTURE_BARE_GO="$<TARGET_FILE:preload_fixture_bare_go>")
add_dependencies(preload_sampler_asleep preload_fixture_bare preload_fixture_bare_go)
preload_test(races sampler_here)
preload_test(adapter_pthread)
preload_test(place)
preload_test(unwind)
target_include_directories(preload_unwind PRIVATE ${UNWIND_INCLUDE_DIRS})

# One library in two builds, to be loaded and replaced.
add_library(preload_fixture_one MODULE preload/fixture_module.c)
add_library(preload_fixture_two MODULE preload/fixture_module.c)
foreach(fixture preload_fixture_one preload_fixture_two)
  target_link_libraries(${fixture} PRIVATE leakspy_warnings)
  target_link_options(${fixture} PRIVATE -Wl,--build-id)
endforeach()
target_compile_definitions(preload_fixture_two PRIVATE FIXTURE_OTHER=1)
preload_test(names)
target_compile_definitions(preload_names PRIVATE FIXTURE_ONE="$<TARGET_FILE:preload_fixture_one>"
                                                 FIXTURE_TWO="$<TARGET_FILE:preload_fixture_two>")
add_dependencies(preload_names preload_fixture_one preload_fixture_two)

# Models of what threads do to each other, in all their states; with mutants that must be found.
if(NOT LEAKSPY_SANITIZE)
  foreach(model free_list adopt slots handshake jump fork)
    add_test(NAME model_${model} COMMAND ${CMAKE_SOURCE_DIR}/preload/models/check.sh
                                         ${CMAKE_SOURCE_DIR}/preload/models/${model}.pml)
    set_tests_properties(model_${model} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 600 LABELS preload)
  endforeach()
endif()
