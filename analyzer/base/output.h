/* Where a command writes to: standard output or a file. */
#ifndef LEAKSPY_ANALYZER_BASE_OUTPUT_H
#define LEAKSPY_ANALYZER_BASE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "analyzer/base/err.h"

/* NULL and "-" are standard output. NULL: the file cannot be made, or is a recording. */
FILE *output_open(const char *path, struct err *err);

/* Finishes what output_open gave. False: not everything could be written, or *err is set already.
 * What is only a part of what was meant is removed then, if output_open made the file. */
bool output_close(FILE *out, const char *path, struct err *err);

/* Removes the file that output_open made and that is not finished yet. Async-signal-safe. */
void output_remove(void);

/* Whether to colour: `when` is auto, always or never (NULL: auto). False in *ret unless a terminal
 * that knows colours reads `out`, and NO_COLOR is not set, not even to nothing. Fails on other
 * words. */
bool output_colour(const char *when, FILE *out, bool *ret, struct err *err);

#endif
