/* Where a command writes to: standard output or a file. */
#ifndef LEAKSPY_OUTPUT_H
#define LEAKSPY_OUTPUT_H

#include <stdbool.h>
#include <stdio.h>

#include "analyzer/err.h"

/* NULL and "-" are standard output. NULL: the file cannot be made. */
FILE *output_open(const char *path, struct err *err);

/* Finishes what output_open gave. False: not everything could be written. */
bool output_close(FILE *out, const char *path, struct err *err);

/* Whether to colour: `when` is auto, always or never (NULL: auto). False in *ret unless a terminal
 * that knows colours reads `out`, and NO_COLOR is not set. Fails on other words. */
bool output_colour(const char *when, FILE *out, bool *ret, struct err *err);

#endif
