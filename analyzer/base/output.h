/* Where a command writes to: standard output or a file. */
#ifndef LEAKSPY_ANALYZER_BASE_OUTPUT_H
#define LEAKSPY_ANALYZER_BASE_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "analyzer/base/err.h"

/* Whether output_open may write there: not over a recording, a core or a program. NULL and "-" are
 * fine. To be asked before the work is done, too. */
bool output_check(const char *path, struct err *err);

/* NULL and "-" are standard output. NULL: the file cannot be made, or output_check says no. */
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
