# Programs of Go's own compiler. Where there is none, LEAKSPY_GO is false and its tests are skipped.
#
# The version that Debian 12 installs comes first: it is what the suite is to hold on. tests/go-matrix.sh
# names the others.
find_program(LEAKSPY_GO NAMES go HINTS /usr/lib/go-1.19/bin)
if(LEAKSPY_GO)
  execute_process(COMMAND ${LEAKSPY_GO} version OUTPUT_VARIABLE version ERROR_QUIET)
  if(NOT version MATCHES "go1\\.[0-9]+" OR version MATCHES "gccgo")
    message(STATUS "${LEAKSPY_GO} is not Go's own compiler")
    set(LEAKSPY_GO FALSE CACHE FILEPATH "Go's own compiler" FORCE)
  endif()
endif()
if(NOT LEAKSPY_GO)
  message(STATUS "no Go: the samples for its own compiler are left out")
endif()

# One at a time: each takes all the processors that there are.
set_property(GLOBAL APPEND PROPERTY JOB_POOLS leakspy_go=1)

# What go build is given in each mode, besides CGO_ENABLED. In the cache, since folders beside this one use it too.
set(LEAKSPY_GC_MODES cgo static stripped static_stripped pie pie_external trimpath race)
set(leakspy_gc_cgo CACHE INTERNAL "")
set(leakspy_gc_static CACHE INTERNAL "")
set(leakspy_gc_static_unpacked -ldflags=-compressdwarf=false CACHE INTERNAL "")
set(leakspy_gc_stripped -ldflags "-s -w" CACHE INTERNAL "")
set(leakspy_gc_static_stripped -ldflags "-s -w" CACHE INTERNAL "")
set(leakspy_gc_pie -buildmode=pie CACHE INTERNAL "")
set(leakspy_gc_pie_static -buildmode=pie CACHE INTERNAL "") # loads libraries, but imports none
set(leakspy_gc_pie_external -buildmode=pie -ldflags "-linkmode=external -s -w" CACHE INTERNAL "")
set(leakspy_gc_trimpath -trimpath CACHE INTERNAL "")
set(leakspy_gc_race -race CACHE INTERNAL "")

# leakspy_gc_build(NAME CGO [EXPERIMENT name] COMMAND word... [DEPENDS file...]): runs go, to make NAME in this folder.
function(leakspy_gc_build name cgo)
  cmake_parse_arguments(B "" "EXPERIMENT" "COMMAND;DEPENDS" ${ARGN})
  set(experiment)
  if(B_EXPERIMENT)
    set(experiment GOEXPERIMENT=${B_EXPERIMENT})
  endif()
  set(binary ${CMAKE_CURRENT_BINARY_DIR}/${name})
  add_custom_command(
    OUTPUT ${binary}
    COMMAND
      ${CMAKE_COMMAND} -E env CGO_ENABLED=${cgo} GOCACHE=${LEAKSPY_GO_CACHE} GOFLAGS=
      GOTOOLCHAIN=local GOPROXY=off GOPATH=${CMAKE_BINARY_DIR}/go-path ${experiment}
      ${LEAKSPY_GO} ${B_COMMAND}
    DEPENDS ${B_DEPENDS}
    JOB_POOL leakspy_go
    COMMENT "Building Go program ${name}"
    VERBATIM)
  add_custom_target(sample_${name} ALL DEPENDS ${binary})
endfunction()

# leakspy_gc_program(NAME MODE [TAGS tag] [EXPERIMENT name] SOURCES file...): builds NAME. The files are those whose needs the toolchain
# meets: it does not look at the build constraints of files that are named.
function(leakspy_gc_program name mode)
  cmake_parse_arguments(P "" "TAGS;EXPERIMENT" "SOURCES" ${ARGN})
  set(sources)
  foreach(source ${P_SOURCES})
    get_filename_component(source ${source} ABSOLUTE)
    list(APPEND sources ${source})
  endforeach()
  set(cgo 1)
  if(mode MATCHES static)
    set(cgo 0)
  endif()
  set(tags)
  if(P_TAGS)
    set(tags -tags ${P_TAGS})
  endif()
  leakspy_gc_build(${name} ${cgo} EXPERIMENT "${P_EXPERIMENT}" COMMAND build ${leakspy_gc_${mode}} ${tags} -o
                   ${CMAKE_CURRENT_BINARY_DIR}/${name} ${sources} DEPENDS ${sources})
endfunction()

# leakspy_gc_tests(NAME PACKAGE): the tests of a package of Go's library, as a program.
function(leakspy_gc_tests name package)
  leakspy_gc_build(${name} 1 COMMAND test -c -o ${CMAKE_CURRENT_BINARY_DIR}/${name} ${package})
endfunction()
