# Tests on a program of Go's own compiler, built in all the ways that people build theirs. It tells
# of itself what is compared. Where there is no Go, there is no program, and the tests are skipped.
set(go_places analyzer/fixtures/go_places.go analyzer/fixtures/go_places_c.go)
add_custom_target(go_places)
set(go_minor 0)
if(LEAKSPY_GO)
  execute_process(COMMAND ${LEAKSPY_GO} version OUTPUT_VARIABLE version)
  string(REGEX MATCH "go1\\.([0-9]+)[^ ]*" go_version "${version}")
  set(go_minor ${CMAKE_MATCH_1})
  foreach(mode static cgo static_stripped pie pie_external race)
    leakspy_gc_program(go_places_${mode} ${mode} SOURCES ${go_places})
    add_dependencies(go_places sample_go_places_${mode})
  endforeach()
endif()

add_library(go_places_told STATIC go_places.c)
target_link_libraries(go_places_told PUBLIC leakspy_flags PkgConfig::CMOCKA)
target_compile_definitions(
  go_places_told PUBLIC GO_PLACES_FOLDER="${CMAKE_CURRENT_BINARY_DIR}" GO_MINOR=${go_minor}
                        GO_VERSION="${go_version}")

leakspy_test(preload_pclntab SOURCES preload/test_pclntab.c
             LIBRARIES leakspy_goscan go_places_told LABEL preload TIMEOUT 300)
leakspy_test(test_go_file SOURCES analyzer/test_go_file.c
             LIBRARIES leakspy_analyzer go_places_told LABEL analyzer TIMEOUT 300)
add_dependencies(preload_pclntab go_places)
add_dependencies(test_go_file go_places)

# What the scanner says of goroutines, against what the program says. test_go…: tests/go-matrix.sh runs
# these with all versions of Go.
add_custom_target(goroutines)
if(LEAKSPY_GO)
  foreach(mode cgo static stripped static_stripped pie pie_external trimpath race)
    leakspy_gc_program(goroutines_${mode} ${mode} SOURCES preload/fixture_goroutines.go)
    add_dependencies(goroutines sample_goroutines_${mode})
  endforeach()
endif()
add_library(goroutines_told STATIC goroutines.c)
target_link_libraries(goroutines_told PUBLIC leakspy_goscan PkgConfig::CMOCKA)
target_compile_definitions(goroutines_told PUBLIC GOROUTINES_FOLDER="${CMAKE_CURRENT_BINARY_DIR}"
                                                  GO_MINOR=${go_minor})
leakspy_test(test_goscan_program SOURCES preload/test_goscan_program.c LIBRARIES goroutines_told
             LABEL preload TIMEOUT 300)
add_dependencies(test_goscan_program goroutines)
leakspy_test(test_go_layout SOURCES analyzer/test_go_layout.c
             LIBRARIES leakspy_analyzer goroutines_told LABEL analyzer)
add_dependencies(test_go_layout goroutines)
leakspy_test(test_goscan_mutations SOURCES preload/test_goscan_mutations.c LIBRARIES goroutines_told
             LABEL preload TIMEOUT 300)
add_dependencies(test_goscan_mutations goroutines)
foreach(subject hostile changes layouts)
  leakspy_test(test_goscan_${subject} SOURCES preload/test_goscan_${subject}.c preload/made_target.c
               LIBRARIES leakspy_goscan PkgConfig::CMOCKA LABEL preload TIMEOUT 300)
endforeach()
leakspy_test(test_goscan_tell SOURCES preload/test_goscan_tell.c LIBRARIES leakspy_goscan
             PkgConfig::CMOCKA LABEL preload)
foreach(subject contexts timers)
  leakspy_test(test_goscan_${subject} SOURCES preload/test_goscan_${subject}.c preload/made_contexts.c
               LIBRARIES leakspy_goscan PkgConfig::CMOCKA LABEL preload)
endforeach()
