/* Stacks in a line a frame for people: what need not be read, and names that are too long to be. */
#ifndef LEAKSPY_ANALYZER_REPORT_FRAMES_H
#define LEAKSPY_ANALYZER_REPORT_FRAMES_H

#include <stddef.h>

#include "analyzer/naming/stacks.h"

/* Whose headers or own plumbing a frame is of: "the standard library", "Boost". NULL: of none that
 * is known, so that it may be the program's own. */
const char *frames_library(const struct frame *frame);

/* How many frames of a stack from `at` on are libraries' own and need not be read: neither the
 * innermost frame is, nor what the program called of a library in which that is. *ret: whose. */
size_t frames_of_libraries(const struct stack *stack, size_t at, const char **ret);

/* Whether frames that may be the program's own stand further out than frames of libraries. */
bool frames_hide_others(const struct stack *stack);

#endif
