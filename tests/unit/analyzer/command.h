/* The command leakspy, run by a test with words of its own. */
#ifndef LEAKSPY_TESTS_COMMAND_H
#define LEAKSPY_TESTS_COMMAND_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/analyzer/recording_builder.h"

/* What the last one did. */
extern struct did {
    int status; /* exit status; 1000 + signal */
    char out[65536], err[65536];
} did;

/* Runs leakspy with the words up to NULL. */
void leakspy(const char *first, ...);

/* That it ended with this status, and said these parts; "": nothing at all. */
void assert_did(int status, const char *out, const char *err);

/* The text of a file, cut to fit. */
void read_all(const char *path, char *to, size_t bytes);

/* A recording with one semaphore waited for; `lost` tasks are missing. Returns its path. */
const char *write_recording(int64_t parked_ns, uint64_t lost);

#endif
