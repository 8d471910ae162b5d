# End-to-end tests of programs of Go's own compiler. Without one there is nothing to test.
if(NOT LEAKSPY_GO)
  return()
endif()

execute_process(COMMAND ${LEAKSPY_GO} env GOVERSION OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX REPLACE "^go1\\.([0-9]+).*$" "\\1" minor "${version}")

# go_waits: the files whose needs this toolchain meets.
set(waits_sources go_waits.go go_waits_more.go go_waits_timers.go)
if(minor GREATER_EQUAL 23)
  list(APPEND waits_sources go_waits_iter.go)
endif()
if(minor GREATER_EQUAL 25)
  list(APPEND waits_sources go_waits_synctest.go go_waits_bubble_25.go)
endif()

set(waits_modes cgo stripped static static_stripped pie trimpath race)
foreach(mode ${waits_modes})
  set(sources ${waits_sources})
  if(NOT mode MATCHES static)
    list(APPEND sources go_waits_cgo.go)
  endif()
  leakspy_gc_program(go_waits_${mode} ${mode} SOURCES ${sources})
endforeach()

e2e_program(test_go_waits)
foreach(mode ${waits_modes})
  add_dependencies(test_go_waits sample_go_waits_${mode})
  e2e_register(test_go_waits_${mode}_pid test_go_waits go_waits_${mode} pid)
endforeach()
foreach(mode cgo stripped static static_stripped)
  e2e_register(test_go_waits_${mode}_core test_go_waits go_waits_${mode} core)
  e2e_register(test_go_waits_${mode}_run test_go_waits go_waits_${mode} run)
endforeach()
foreach(mode cgo stripped pie)
  e2e_register(test_go_waits_${mode}_preload test_go_waits go_waits_${mode} preload)
endforeach()

leakspy_gc_program(go_waits_static_unpacked static_unpacked SOURCES ${waits_sources})
# With this experiment, Go's library is compiled once more.
leakspy_gc_program(go_ranked static EXPERIMENT staticlockranking SOURCES go_ranked.go)
e2e_test(test_go_versions sample_go_waits_cgo sample_go_waits_stripped sample_go_waits_static
         sample_go_waits_static_stripped sample_go_waits_static_unpacked sample_go_ranked)

# Bubbles of testing/synctest are an experiment in 1.24: for these alone, Go's library is compiled once more.
if(minor EQUAL 24)
  leakspy_gc_program(go_waits_bubble cgo EXPERIMENT synctest SOURCES ${waits_sources} go_waits_cgo.go
                     go_waits_synctest.go go_waits_bubble_24.go)
  add_dependencies(test_go_waits sample_go_waits_bubble)
  foreach(way pid run)
    e2e_register(test_go_waits_bubble_${way} test_go_waits go_waits_bubble ${way})
  endforeach()
endif()

set(states_sources go_states.go go_states_gc.go go_states_panic.go)
if(minor GREATER_EQUAL 23)
  list(APPEND states_sources go_states_unique.go)
endif()
if(minor GREATER_EQUAL 24)
  list(APPEND states_sources go_states_cleanup.go)
endif()
leakspy_gc_program(go_states cgo SOURCES ${states_sources})
e2e_test(test_go_states sample_go_states)
set_tests_properties(test_go_states PROPERTIES TIMEOUT 1800)

execute_process(COMMAND ${LEAKSPY_GO} env GOROOT OUTPUT_VARIABLE goroot OUTPUT_STRIP_TRAILING_WHITESPACE)
e2e_program(test_go_reasons)
target_link_libraries(test_go_reasons PRIVATE leakspy_analyzer)
e2e_register(test_go_reasons test_go_reasons ${goroot}/src/runtime/runtime2.go ${minor})

foreach(mode cgo static_stripped)
  leakspy_gc_program(go_churn_${mode} ${mode} SOURCES go_churn.go)
endforeach()
e2e_program(test_go_churn sample_go_churn_cgo sample_go_churn_static_stripped)
target_link_libraries(test_go_churn PRIVATE leakspy_analyzer)
e2e_register(test_go_churn_cgo test_go_churn go_churn_cgo 10000 50)
e2e_register(test_go_churn_static_stripped test_go_churn go_churn_static_stripped 2000 20)
set_tests_properties(test_go_churn_cgo PROPERTIES TIMEOUT 900)

leakspy_gc_program(go_record_cgo cgo SOURCES go_record.go go_record_c.go)
leakspy_gc_program(go_record_race race SOURCES go_record.go go_record_c.go)
leakspy_gc_program(go_record_static_stripped static_stripped SOURCES go_record.go go_record_no_c.go
                  )
leakspy_gc_program(go_record_pie_static pie_static SOURCES go_record.go go_record_no_c.go)
foreach(subject record record_ends)
  e2e_test(test_go_${subject} sample_go_record_cgo sample_go_record_race
           sample_go_record_static_stripped sample_go_record_pie_static)
  target_sources(test_go_${subject} PRIVATE go_recorded.c)
endforeach()

# Go code outside of the program's file: a plugin and its host, libraries and theirs.
leakspy_gc_build(go_plugin 1 COMMAND build -buildmode=plugin -o ${CMAKE_CURRENT_BINARY_DIR}/go_plugin
                 ${CMAKE_CURRENT_SOURCE_DIR}/go_plugin.go DEPENDS go_plugin.go)
foreach(mode cgo stripped)
  leakspy_gc_program(go_plugin_host_${mode} ${mode} SOURCES go_plugin_host.go)
endforeach()
foreach(name one two)
  set(flags)
  if(name STREQUAL two)
    set(flags -ldflags "-s -w")
  endif()
  leakspy_gc_build(go_library_${name} 1 COMMAND build -buildmode=c-shared ${flags} -o
                   ${CMAKE_CURRENT_BINARY_DIR}/go_library_${name} ${CMAKE_CURRENT_SOURCE_DIR}/go_library.go
                   DEPENDS go_library.go)
endforeach()
e2e_target(go_library_host SOURCES go_library_host.c LIBRARIES ${CMAKE_DL_LIBS} Threads::Threads)
e2e_test(test_go_modules sample_go_plugin sample_go_plugin_host_cgo sample_go_plugin_host_stripped
         sample_go_library_one sample_go_library_two e2e_go_library_host)

set(go_targets sample_load sample_go_waits_stripped)
foreach(mode cgo stripped static static_stripped)
  list(APPEND go_targets sample_server_gc_${mode})
endforeach()
foreach(name ${LEAKSPY_GO_SAMPLES})
  list(APPEND go_targets sample_${name}_gc sample_${name}_gc_fixed)
endforeach()
e2e_test(test_go ${go_targets})

# What leakspy says of a program against what its runtime says of itself.
find_program(LEAKSPY_PYTHON NAMES python3)
if(LEAKSPY_PYTHON)
  # e2e_go_oracle(TEST PROGRAM OPTIONS...)
  function(e2e_go_oracle test program)
    add_test(NAME ${test} COMMAND ${LEAKSPY_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/go_oracle.py run ${ARGN}
                                  $<TARGET_FILE:leakspy> -- ${program})
    set_tests_properties(${test} PROPERTIES TIMEOUT 300 LABELS e2e)
  endfunction()

  foreach(mode ${waits_modes})
    set(program ${CMAKE_CURRENT_BINARY_DIR}/go_waits_${mode})
    e2e_go_oracle(test_go_oracle_pprof_${mode} ${program} --ready ready --after 0.1 --ask --least 50)
    e2e_go_oracle(test_go_oracle_quit_${mode} ${program} --ready ready --after 0.1 --hold-stdin --least 50)
  endforeach()
  e2e_go_oracle(test_go_oracle_churn ${CMAKE_CURRENT_BINARY_DIR}/go_churn_cgo --ready ready --hold-stdin --least 20)
  if(minor GREATER_EQUAL 27)
    e2e_go_oracle(test_go_oracle_leaked "${CMAKE_CURRENT_BINARY_DIR}/go_record_cgo;leak;3" --ready ready --after 0.1
                  --hold-stdin --least 3)
  endif()

  # Programs that nobody here wrote: the Go tree's own test programs, and the tests of its library.
  if(EXISTS ${goroot}/test/chan/goroutines.go)
    foreach(name goroutines doubleselect)
      leakspy_gc_program(go_tree_${name} cgo SOURCES ${goroot}/test/chan/${name}.go)
    endforeach()
    e2e_go_oracle(test_go_oracle_tree_goroutines "${CMAKE_CURRENT_BINARY_DIR}/go_tree_goroutines;100000" --after 0.3
                  --least 1000)
    e2e_go_oracle(test_go_oracle_tree_doubleselect
                  "${CMAKE_CURRENT_BINARY_DIR}/go_tree_doubleselect;-n;100000000" --after 0.2 --least 4)
  endif()
  foreach(package database/sql net/http)
    string(REPLACE "/" "_" name ${package})
    leakspy_gc_tests(go_tests_${name} ${package})
    e2e_go_oracle(test_go_oracle_tests_${name} "${CMAKE_CURRENT_BINARY_DIR}/go_tests_${name};-test.count=100" --cwd
                  ${goroot}/src/${package} --after 0.7 --least 4)
  endforeach()
endif()
