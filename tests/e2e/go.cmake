# End-to-end tests of programs of Go's own compiler. Without one there is nothing to test.
if(NOT LEAKSPY_GO)
  return()
endif()

execute_process(COMMAND ${LEAKSPY_GO} env GOVERSION OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE)
string(REGEX REPLACE "^go1\\.([0-9]+).*$" "\\1" minor "${version}")

# go_waits: the files whose needs this toolchain meets.
set(waits_sources go_waits.go go_waits_more.go)
if(minor GREATER_EQUAL 23)
  list(APPEND waits_sources go_waits_iter.go)
endif()
if(minor GREATER_EQUAL 25)
  list(APPEND waits_sources go_waits_synctest.go)
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
foreach(mode cgo stripped)
  e2e_register(test_go_waits_${mode}_preload test_go_waits go_waits_${mode} preload)
endforeach()

set(go_targets sample_load)
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
  foreach(mode cgo static_stripped)
    add_test(NAME test_go_oracle_waits_${mode}
             COMMAND ${LEAKSPY_PYTHON} ${CMAKE_CURRENT_SOURCE_DIR}/go_oracle.py run --ready ready --after 0.1
                     --hold-stdin --least 50 $<TARGET_FILE:leakspy> -- ${CMAKE_CURRENT_BINARY_DIR}/go_waits_${mode})
    set_tests_properties(test_go_oracle_waits_${mode} PROPERTIES TIMEOUT 300 LABELS e2e)
  endforeach()
endif()
