leakspy_test(test_demangle SOURCES analyzer/test_demangle.c LIBRARIES leakspy_analyzer LABEL analyzer)
foreach(subject op_rules op_rules_frameworks op_rules_programs op_rules_runtimes op_rules_rust)
  leakspy_test(test_${subject} SOURCES analyzer/test_${subject}.c LIBRARIES leakspy_analyzer
               LABEL analyzer)
endforeach()

# What test_symbols looks at: one library, built in all the ways that files come in.
set(fixtures ${CMAKE_CURRENT_BINARY_DIR}/symbol_fixtures)
set(fixture_sources ${CMAKE_CURRENT_SOURCE_DIR}/analyzer/fixtures)
find_program(LEAKSPY_TEST_CXX NAMES g++ c++ REQUIRED)
add_custom_command(
  OUTPUT ${fixtures}/cplus.so
  COMMAND ${fixture_sources}/make.sh ${fixture_sources} ${fixtures} ${CMAKE_C_COMPILER}
          ${LEAKSPY_TEST_CXX}
  DEPENDS ${fixture_sources}/make.sh ${fixture_sources}/places.c ${fixture_sources}/places.cc
  VERBATIM)
add_custom_target(symbol_fixtures DEPENDS ${fixtures}/cplus.so)
leakspy_test(test_symbols SOURCES analyzer/test_symbols.c LIBRARIES leakspy_analyzer LABEL analyzer)
target_compile_definitions(test_symbols PRIVATE LEAKSPY_FIXTURES="${fixtures}")
target_link_libraries(test_symbols PRIVATE ${CMAKE_DL_LIBS})
add_dependencies(test_symbols symbol_fixtures)

# What reads recordings links the analyzer; recordings for it are built by recording_builder.
add_library(recording_builder STATIC analyzer/recording_builder.c)
target_link_libraries(recording_builder PUBLIC leakspy_flags)

leakspy_test(test_args SOURCES analyzer/test_args.c LIBRARIES leakspy_analyzer LABEL analyzer)
leakspy_test(test_rows SOURCES analyzer/test_rows.c LIBRARIES leakspy_analyzer LABEL analyzer)
leakspy_test(test_text SOURCES analyzer/test_text.c LIBRARIES leakspy_analyzer LABEL analyzer)
leakspy_test(test_limits SOURCES analyzer/test_limits.c LIBRARIES leakspy_analyzer LABEL analyzer)
leakspy_test(test_source_recording SOURCES analyzer/test_source_recording.c analyzer/recording_read.c
             LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
leakspy_test(test_recording_damage SOURCES analyzer/test_recording_damage.c analyzer/recording_read.c
             LIBRARIES leakspy_analyzer recording_builder LABEL analyzer TIMEOUT 900)
target_compile_definitions(test_recording_damage
                           PRIVATE FORMATS_FOLDER="${CMAKE_SOURCE_DIR}/tests/formats")
leakspy_test(test_live_recording SOURCES analyzer/test_live_recording.c
             LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
leakspy_test(test_descriptors SOURCES analyzer/test_descriptors.c analyzer/recording_read.c
             LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
leakspy_test(test_scanned_tasks SOURCES analyzer/test_scanned_tasks.c analyzer/recording_read.c
             LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
foreach(subject verdict verdict_chains verdict_channels verdict_cycles verdict_objects)
  leakspy_test(test_${subject} SOURCES analyzer/test_${subject}.c analyzer/judged.c
               analyzer/recording_read.c LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
endforeach()
foreach(subject text notes stacks json)
  leakspy_test(test_report_${subject} SOURCES analyzer/test_report_${subject}.c analyzer/reported.c
               LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
endforeach()
leakspy_test(test_report_frames SOURCES analyzer/test_report_frames.c LIBRARIES leakspy_analyzer
             LABEL analyzer)
leakspy_test(test_elf_check SOURCES analyzer/test_elf_check.c
             LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
foreach(subject cli cli_exit cli_output cli_run)
  leakspy_test(test_${subject} SOURCES analyzer/test_${subject}.c analyzer/command.c
               LIBRARIES recording_builder LABEL analyzer)
  target_compile_definitions(test_${subject} PRIVATE LEAKSPY_PROGRAM="$<TARGET_FILE:leakspy>")
  add_dependencies(test_${subject} leakspy)
endforeach()
leakspy_test(test_recordings SOURCES analyzer/test_recordings.c
             LIBRARIES leakspy_analyzer recording_builder LABEL analyzer)
foreach(subject watch watch_growth)
  leakspy_test(test_${subject} SOURCES analyzer/test_${subject}.c analyzer/watched.c
               LIBRARIES leakspy_analyzer LABEL analyzer)
endforeach()
leakspy_test(test_watch_run SOURCES analyzer/test_watch_run.c analyzer/watched.c analyzer/child.c
             LIBRARIES leakspy_analyzer LABEL analyzer)
leakspy_test(test_image_symbols SOURCES analyzer/test_image_symbols.c LIBRARIES leakspy_analyzer
             LABEL analyzer)
leakspy_test(test_file_reader SOURCES analyzer/test_file_reader.c LIBRARIES leakspy_analyzer
             LABEL analyzer)
leakspy_test(test_debug_names SOURCES analyzer/test_debug_names.c
             LIBRARIES leakspy_analyzer PkgConfig::ZLIB LABEL analyzer)
foreach(subject tasks verdicts)
  leakspy_test(test_go_${subject} SOURCES analyzer/test_go_${subject}.c analyzer/goroutines_added.c
               LIBRARIES leakspy_analyzer LABEL analyzer)
endforeach()

# Files of Go's own compiler, as Debian 12 has it.
find_program(LEAKSPY_TEST_GO NAMES go PATHS /usr/lib/go-1.19/bin NO_DEFAULT_PATH)
if(LEAKSPY_TEST_GO)
  set(go_fixtures ${CMAKE_CURRENT_BINARY_DIR}/go_fixtures)
  add_custom_command(
    OUTPUT ${go_fixtures}/apart
    COMMAND ${fixture_sources}/make_go.sh ${fixture_sources} ${go_fixtures} ${LEAKSPY_TEST_GO}
            ${LEAKSPY_GO_CACHE}
    DEPENDS ${fixture_sources}/make_go.sh ${fixture_sources}/go_types.go
    VERBATIM)
  add_custom_target(go_fixtures DEPENDS ${go_fixtures}/apart)
  leakspy_test(test_debug_types SOURCES analyzer/test_debug_types.c LIBRARIES leakspy_analyzer
               LABEL analyzer)
  target_compile_definitions(test_debug_types PRIVATE LEAKSPY_GO_FIXTURES="${go_fixtures}")
  add_dependencies(test_debug_types go_fixtures)
endif()
foreach(subject unwind expression)
  leakspy_test(test_debug_${subject} SOURCES analyzer/test_debug_${subject}.c
               LIBRARIES leakspy_analyzer PkgConfig::LIBDW LABEL analyzer)
endforeach()
foreach(subject calls locks list)
  leakspy_test(test_thread_${subject} SOURCES analyzer/test_thread_${subject}.c analyzer/memory_here.c
               LIBRARIES leakspy_analyzer LABEL analyzer)
endforeach()
leakspy_test(test_thread_ids SOURCES analyzer/test_thread_ids.c LIBRARIES leakspy_analyzer
             LABEL analyzer)

# A C library in two files, by the names that it had then.
foreach(file libc libpthread)
  add_library(old_${file} MODULE analyzer/fixtures/old_${file}.c)
  target_link_libraries(old_${file} PRIVATE leakspy_warnings)
  set_target_properties(old_${file} PROPERTIES PREFIX "" OUTPUT_NAME ${file}-2.31)
endforeach()
leakspy_test(test_c_library SOURCES analyzer/test_c_library.c LIBRARIES leakspy_analyzer
             LABEL analyzer)
target_compile_definitions(
  test_c_library PRIVATE LEAKSPY_OLD_LIBC="$<TARGET_FILE:old_libc>"
                            LEAKSPY_OLD_LIBPTHREAD="$<TARGET_FILE:old_libpthread>")
target_link_libraries(test_c_library PRIVATE ${CMAKE_DL_LIBS})
add_dependencies(test_c_library old_libc old_libpthread)

leakspy_test(test_thread_waits SOURCES analyzer/test_thread_waits.c LIBRARIES leakspy_analyzer
             LABEL analyzer)
leakspy_test(test_thread_cycles SOURCES analyzer/test_thread_cycles.c LIBRARIES leakspy_analyzer
             LABEL analyzer)

# Running processes and cores.
foreach(subject process_memory process_locks cpu_clocks)
  leakspy_test(test_${subject} SOURCES analyzer/test_${subject}.c analyzer/child.c
               LIBRARIES leakspy_analyzer LABEL analyzer)
endforeach()
foreach(subject process_image process_threads process_fds)
  leakspy_test(test_${subject} SOURCES analyzer/test_${subject}.c analyzer/child.c
               analyzer/opened.c LIBRARIES leakspy_analyzer LABEL analyzer)
endforeach()
leakspy_test(test_process_stop SOURCES analyzer/test_process_stop.c analyzer/parked_calls.c analyzer/child.c
             LIBRARIES leakspy_analyzer LABEL analyzer THREADS)
foreach(subject image files damage)
  leakspy_test(test_core_${subject} SOURCES analyzer/test_core_${subject}.c analyzer/core_made.c
               analyzer/core_builder.c LIBRARIES leakspy_analyzer LABEL analyzer)
endforeach()
foreach(runtime taskrt libgo)
  leakspy_test(test_inspect_${runtime} SOURCES analyzer/test_inspect_${runtime}.c analyzer/inspect_here.c
               LIBRARIES leakspy_analyzer LABEL analyzer)
endforeach()
