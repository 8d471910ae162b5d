/* Is anything missing? Each counts what is, and says it on stderr; of the functions of the C
 * library that are intercepted. What is listed as left out, and is there, is counted as well. */
#ifndef LEAKSPY_CONFORM_COMPLETE_H
#define LEAKSPY_CONFORM_COMPLETE_H

#include <stddef.h>

/* Functions without a row in what `conformance --list` prints. */
size_t count_without_rows(const char *list);

/* The functions that wait, of which the list has no row for one that goes through, is interrupted
 * or is cancelled. */
size_t count_without_scenarios(const char *list);

/* Calls that the family `contexts` has not made, function by function from each context; those of
 * left_out.def apart. */
size_t count_not_called(const char *lines);

/* Errors of documented.def that the family `errors` has not provoked, function by function, and
 * that are not explained; provoked and explained is wrong as well. */
size_t count_not_provoked(const char *lines);

#endif
