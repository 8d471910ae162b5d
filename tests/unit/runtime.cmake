# Unit tests of libtaskrt. Bodies run in tasks; see runtime/in_task.h.
add_library(test_in_task STATIC runtime/in_task.c)
target_include_directories(test_in_task PUBLIC ${CMAKE_CURRENT_SOURCE_DIR}/runtime)
target_link_libraries(test_in_task PUBLIC leakspy_flags taskrt PkgConfig::CMOCKA)

foreach(subject task chan select sync fd deadlock)
  leakspy_test(runtime_${subject} SOURCES runtime/test_${subject}.c LIBRARIES test_in_task m LABEL
               runtime)
endforeach()
