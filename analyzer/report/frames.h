/* Stacks in a line a frame for people: what need not be read, and names that are too long to be. */
#ifndef LEAKSPY_ANALYZER_REPORT_FRAMES_H
#define LEAKSPY_ANALYZER_REPORT_FRAMES_H

#include <stddef.h>

#include "analyzer/naming/stacks.h"

/* Whose headers or own plumbing a frame is of: "the standard library", "Boost". NULL: of none that
 * is known, so that it may be the program's own, or a crate's of Rust. */
const char *frames_library(const struct frame *frame);

/* How many frames of a stack from `at` on are libraries' own and need not be read: neither the
 * innermost frame is, nor what the program called of a library in which that is. *ret: whose. */
size_t frames_of_libraries(const struct stack *stack, size_t at, const char **ret);

/* Whether frames that may be the program's own stand further out than frames of libraries. */
bool frames_hide_others(const struct stack *stack);

/* How many columns a terminal needs for text that it can show: each character takes one. */
size_t frames_columns(const char *text);

/* A function's name in at most so many columns, 3 or more: the innermost lists of template
 * arguments become <…> first, and what is still too long has … in its middle. `name` can be shown
 * by a terminal. To be freed; NULL: no memory. */
char *frames_short_name(const char *name, size_t columns);

#endif
