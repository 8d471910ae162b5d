# Unit tests of libtaskrt. Bodies run in tasks; see runtime/in_task.h.
add_library(test_in_task STATIC runtime/in_task.c)
target_include_directories(test_in_task PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/runtime)
target_link_libraries(test_in_task PUBLIC leakspy_flags taskrt PkgConfig::CMOCKA)

foreach(subject task task_threads chan select sync fd fd_calls deadlock stack threads many races)
  leakspy_test(runtime_${subject} SOURCES runtime/test_${subject}.c LIBRARIES test_in_task m LABEL
               runtime)
endforeach()

# Tasks in C++, where there is a compiler for the same machine; not with AddressSanitizer, which is that of Clang's C
# compiler.
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER AND NOT CMAKE_CROSSCOMPILING AND NOT LEAKSPY_SANITIZE STREQUAL "address")
  enable_language(CXX)
  add_library(test_throwing STATIC runtime/throwing.cc)
  target_compile_features(test_throwing PRIVATE cxx_std_17)
  target_include_directories(test_throwing PRIVATE ${PROJECT_SOURCE_DIR})
  target_link_libraries(test_throwing PUBLIC taskrt)
  leakspy_test(runtime_exceptions SOURCES runtime/test_exceptions.c LIBRARIES test_in_task
               test_throwing LABEL runtime)
endif()

# What libtaskrt promises holds while it is recorded, too.
if(TARGET leakspy_preload AND NOT LEAKSPY_SANITIZE)
  foreach(subject task task_threads chan select sync fd fd_calls deadlock stack threads many races)
    add_test(NAME runtime_${subject}_preloaded COMMAND runtime_${subject})
    set(recording ${CMAKE_CURRENT_BINARY_DIR}/runtime_${subject}.rec)
    set_tests_properties(
      runtime_${subject}_preloaded
      PROPERTIES TIMEOUT 300 LABELS runtime
                 ENVIRONMENT "LD_PRELOAD=$<TARGET_FILE:leakspy_preload>;LEAKSPY_OUT=${recording};LEAKSPY_SAMPLE=5ms")
  endforeach()
endif()

# Walks the stack of a parked task as tools do: by frame pointers and by unwind tables.
pkg_check_modules(LIBUNWIND REQUIRED IMPORTED_TARGET libunwind)
leakspy_test(runtime_inspect SOURCES runtime/test_inspect.c LIBRARIES test_in_task
             PkgConfig::LIBUNWIND LABEL runtime)
target_compile_options(runtime_inspect PRIVATE -fno-omit-frame-pointer)

find_program(PKG_CONFIG_PROGRAM NAMES pkg-config pkgconf REQUIRED)
add_test(NAME runtime_pc
         COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/runtime/test_pc.sh ${PKG_CONFIG_PROGRAM}
                 ${PROJECT_BINARY_DIR}/runtime/taskrt.pc ${CMAKE_INSTALL_LIBDIR}
                 ${CMAKE_INSTALL_INCLUDEDIR})
set_tests_properties(runtime_pc PROPERTIES LABELS runtime)
