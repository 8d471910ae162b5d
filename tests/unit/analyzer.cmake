# symbols, names and op rules: compiled in, so that they need nothing else of the analyzer.
leakspy_test(test_demangle SOURCES analyzer/test_demangle.c ${CMAKE_SOURCE_DIR}/analyzer/demangle.c
             LIBRARIES iberty LABEL analyzer)
